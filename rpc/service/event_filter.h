// Which events a watcher asked for.
#pragma once

#include <set>
#include <string>

#include "ledger/rows.h"
#include "schema/api.capnp.h"

namespace rpc {

/// Owns: values. Threads: any. Errors: an event that cannot be read passes no filter but the empty one.
class EventFilter {
 public:
  explicit EventFilter(schema::EventFilter::Reader filter);
  /// `rows` tells whose job an event is about.
  bool passes(const ledger::RowReader& rows, kj::ArrayPtr<const capnp::word> event) const;

 private:
  std::string instrument_;
  std::set<uint16_t> kinds_;
};

/// The instrument an event is about; empty when it is about none (workers).
std::string instrument_of(const ledger::RowReader& rows, schema::Event::Reader event);

}  // namespace rpc
