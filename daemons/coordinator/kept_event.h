// An event that is kept until it has been reacted to.
#pragma once

#include <cstring>
#include <memory>

#include "ledger/event_bytes.h"

namespace daemons {

/// Owns: a copy of the stored bytes. Threads: one at a time. Errors: as StoredEvent.
class KeptEvent {
 public:
  explicit KeptEvent(capnp::Data::Reader bytes) : words_(aligned(bytes)), stored_(words_.asPtr()) {}
  schema::Event::Reader get() { return stored_.get(); }

 private:
  static kj::Array<capnp::word> aligned(capnp::Data::Reader bytes) {
    auto copy = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
    memcpy(copy.begin(), bytes.begin(), copy.size() * sizeof(capnp::word));
    return copy;
  }
  kj::Array<capnp::word> words_;
  ledger::StoredEvent stored_;
};
using Kept = std::shared_ptr<KeptEvent>;

}  // namespace daemons
