// An export becomes a ledger again.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "base/status.h"
#include "base/time.h"
#include "ledger/rules.h"

namespace ledger {

/// How far long work is; false ends it. `total` 0 = unknown.
using LongWork = std::function<bool(std::string_view what, uint64_t done, uint64_t total)>;

struct Imported {
  std::string ledger_id;
  uint64_t from = 0, events = 0;  // events: the ledger holds now
  base::Sha256 root{};
  std::string checkpoint;  // as the export has it
};

/// Reads the whole file before anything is written. A whole export becomes a new folder, which appears at the end; one that begins later
/// goes to the end of a ledger that ends where it begins, under the same root.
/// kAlreadyExists: there is something at `folder`. kConflict: the export continues another log than the folder holds, or the folder is being
/// made already. kCorruption: the file is not as it was written.
base::Result<Imported> import_export(const std::filesystem::path& file, const std::filesystem::path& folder, const Rules& rules,
                                     const base::Clock& clock, const LongWork& progress);

}  // namespace ledger
