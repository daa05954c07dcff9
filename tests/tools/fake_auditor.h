// The auditor of a fake ledger: its events in a real tree, under really signed checkpoints.
#pragma once

#include "ledger/proof/note.h"
#include "tests/tools/fake_session.h"

namespace fake {

/// What it signs with; the same as long as the test runs.
const ::ledger::SigningKey& checkpoint_key();
/// The checkpoint of the first `size` events.
std::string checkpoint_of(const Ledger& ledger, uint64_t size);
/// Borrows `ledger`.
schema::Auditor::Client make_auditor(Ledger& ledger);

}  // namespace fake
