// Which events a watcher asked for.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "schema/api.capnp.h"

namespace rpc {

/// Key of the subject index; empty for `seq`, which is no subject.
std::string subject_key(schema::Subject::Reader subject);

/// Kinds and subjects an event must have.
///
/// Owns: values. Threads: any.
class EventFilter {
 public:
  /// kInvalidArgument: it asks for what there cannot be.
  static base::Result<EventFilter> parse(schema::EventFilter::Reader filter);

  bool has_kinds() const { return !kinds_.empty(); }
  const std::set<uint16_t>& kinds() const { return kinds_; }
  bool wants_kind(uint16_t kind) const { return kinds_.empty() || kinds_.contains(kind); }
  /// All of which an event must be about; the one with the fewest events, as a rule, first.
  const std::vector<std::string>& subjects() const { return subjects_; }
  /// `subjects`: of an event, sorted.
  bool is_about(const std::vector<std::string>& subjects) const;

 private:
  std::set<uint16_t> kinds_;
  std::vector<std::string> subjects_;
};

}  // namespace rpc
