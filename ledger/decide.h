// Deciding: a pure function from (rows, command) to events or a refusal. One file per aggregate in ledger/decide/.
#pragma once

#include "base/status.h"
#include "ledger/event_draft.h"
#include "ledger/rows.h"
#include "schema/command.capnp.h"

namespace ledger {

struct DecideContext {
  int64_t now_ns;     // what the events will carry at the earliest
  uint64_t next_seq;  // seq of the first event of this decision; drafts may refer to themselves with it
  schema::Actor::Reader actor;
};

/// What `command` leads to, given `rows`. No events and kOk: nothing had to change.
/// Refusals name subject, cause and next step. Never throws on what a sender can put into a command.
base::Result<EventDrafts> decide(const RowReader& rows, const DecideContext& context, schema::Command::Reader command);

}  // namespace ledger
