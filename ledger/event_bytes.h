// An event as stored: the one segment of its canonical message, without a segment table.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <string_view>

#include "base/status.h"
#include "ledger/event_draft.h"
#include "schema/event.capnp.h"

namespace ledger {

/// Canonical bytes of an event. kInvalidArgument above kMaxEventBytes.
base::Result<kj::Array<capnp::word>> canonical_event(schema::Event::Reader event);
base::Result<kj::Array<capnp::word>> canonical_event(EventDraft& draft);

inline std::string_view as_bytes(kj::ArrayPtr<const capnp::word> words) {
  return {reinterpret_cast<const char*>(words.begin()), words.size() * sizeof(capnp::word)};
}
/// An aligned copy of `bytes`; a length that is no whole number of words is cut down to one.
kj::Array<capnp::word> as_words(std::string_view bytes);

/// Reads an event from its stored bytes.
///
/// Owns:    nothing; `words` must stay. Threads: one at a time. Errors: kj::Exception on bytes that are no message.
class StoredEvent {
 public:
  explicit StoredEvent(kj::ArrayPtr<const capnp::word> words) : segment_(words), reader_({&segment_, 1}, options()) {}
  StoredEvent(const StoredEvent&) = delete;
  StoredEvent& operator=(const StoredEvent&) = delete;
  schema::Event::Reader get() { return reader_.getRoot<schema::Event>(); }

 private:
  static capnp::ReaderOptions options() { return {.traversalLimitInWords = 64u << 20, .nestingLimit = 64}; }
  kj::ArrayPtr<const capnp::word> segment_;
  capnp::SegmentArrayMessageReader reader_;
};

}  // namespace ledger
