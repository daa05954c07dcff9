// Checkpoints somebody kept: a witness file, or a copy of it. Lines: docs/formats/proofs.md.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ledger/proof/witness_file.h"
#include "tools/verify/findings.h"

namespace tools {

/// A witness file, or one checkpoint. Every one is signed by one of `keys`. Errors as parse_witness_text(), Checkpoint::open().
base::Result<std::vector<ledger::Witnessed>> read_checkpoints(const std::string& path, const std::vector<ledger::NoteKey>& keys);
/// What they say by themselves: how long the log was, and what of it was lost.
base::Status check_checkpoints(Findings& findings, const std::string& path, const std::vector<ledger::NoteKey>& keys);

}  // namespace tools
