// Whether an export is what its ledger signed, and continues the checkpoints somebody kept. File: docs/formats/export.md.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ledger/proof/witness_file.h"
#include "tools/verify/findings.h"

namespace tools {

/// Reads the whole export once. `kept` comes from the file named `kept_name`.
/// kCorruption, kInvalidArgument, kPermissionDenied, kUnsupportedVersion: why it is not proven.
base::Status check_export_file(Findings& findings, const std::string& path, const std::vector<ledger::NoteKey>& keys,
                               const std::vector<ledger::Witnessed>& kept, const std::string& kept_name);

}  // namespace tools
