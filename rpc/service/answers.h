// From the ledger's values to the wire's.
#pragma once

#include "base/status.h"
#include "ledger/canonical.h"
#include "ledger/ledger.h"
#include "schema/api.capnp.h"

namespace rpc {

void write_refusal(const base::Status& status, schema::Refusal::Builder refusal);
void write_answer(const ledger::Answer& answer, schema::Answer::Builder builder);
using ledger::view;

}  // namespace rpc
