// An event being made: the body is there, seq, time, actor and command id are filled by the writer.
#pragma once

#include <capnp/message.h>

#include <memory>
#include <vector>

#include "schema/event.capnp.h"

namespace ledger {

/// Owns its message. `event().setCause` may be set by whoever decides; left 0 it becomes the command's cause.
class EventDraft {
 public:
  EventDraft() : message_(std::make_unique<capnp::MallocMessageBuilder>(kUsualWords)), event_(message_->initRoot<schema::Event>()) {}
  schema::Event::Builder event() { return event_; }
  schema::Event::Body::Builder body() { return event_.getBody(); }
  capnp::MessageBuilder& message() { return *message_; }

 private:
  static constexpr capnp::uint kUsualWords = 128;  // grows where an event needs more

  std::unique_ptr<capnp::MallocMessageBuilder> message_;
  schema::Event::Builder event_;
};

using EventDrafts = std::vector<EventDraft>;

}  // namespace ledger
