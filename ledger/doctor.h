// A ledger that will not open: what of it is whole, what is not, and what to do. Looks without writing a byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "base/time.h"
#include "ledger/folder_lock.h"
#include "ledger/head_file.h"
#include "ledger/import.h"
#include "ledger/ledger.h"
#include "ledger/proof/witness_file.h"
#include "ledger/rules.h"
#include "ledger/store.h"

namespace ledger {

/// What is to be done about a ledger. Names are part of the JSON; never rename.
enum class Condition {
  kAbsent,      // no ledger there
  kInUse,       // a process has it open; nothing else was looked at
  kWhole,       // opens, and everything in it is as it was written
  kShort,       // whole, but shorter than its HEAD or its witness file promises
  kHeadLost,    // whole, but nobody knows how much was promised
  kOther,       // HEAD, witness file and database are not of one ledger, or of one history
  kDerived,     // the log is whole; what follows from it, or documents, are not
  kDamaged,     // events are damaged or missing
  kUnreadable,  // the engine opens nothing of it
  kNewer,       // written by a later release
};
std::string_view condition_name(Condition condition);

struct Diagnosis {
  Condition condition = Condition::kAbsent;
  LockHolder lock;
  std::optional<HeadSlot> promised;
  std::string head_problem;      // why there is no `promised`
  std::optional<Checkpoint> witnessed;  // the last of the witness file
  std::string witness_problem;   // why there is no `witnessed`, though a witness file was named
  std::string engine_problem;    // why the engine would not open it
  std::string ledger_id;         // as the database says; empty = unknown
  uint64_t stored_events = 0;    // last event there is
  uint64_t whole_events = 0;     // from the first on, as they were written
  base::Sha256 whole_root{};     // of the tree over these
  bool keeps_promise = false;    // those HEAD promises are among them
  std::vector<std::string> findings;  // one sentence each, the first hundred
  uint64_t finding_count = 0;
};

/// Reads everything there is. `witness`: the witness file, where one is known; empty = none. `progress` returning false ends it: then the diagnosis is of what was read.
Diagnosis examine(const std::filesystem::path& folder, const Rules& rules, const LongWork& progress, const std::filesystem::path& witness = {});

/// The verified backup takes the place of the folder, which is kept as FOLDER.damaged-N: that name is returned. The folder of a follower is a
/// backup without the private key, which is taken from the damaged folder if it is there.
base::Result<std::filesystem::path> exchange_for_backup(const std::filesystem::path& backup, const std::filesystem::path& folder,
                                                        const Rules& rules, const LongWork& progress);

/// Appends lossAccepted to a ledger that is kShort or kHeadLost; HEAD promises what is there from then on, and checkpoints are signed again.
/// `loss.witnessed` is what `witness` says. kConflict: it is in another condition.
base::Status accept_loss(const std::filesystem::path& folder, AcceptedLoss loss, const Rules& rules, const base::Clock& clock,
                         const LongWork& progress, const std::filesystem::path& witness = {});

/// The events from the first up to the one before the first bad one, as a ledger of its own in a new folder. Its HEAD promises what the
/// damaged one did, so that opening it takes accept_loss(). Nothing of the damaged folder is touched.
struct Salvaged {
  uint64_t events = 0;
  base::Sha256 root{};
  uint64_t promised = 0;  // 0 = not known
  std::vector<std::string> lost_blobs;  // SHA-256 in hex of documents they name that could not be read, the first hundred
  uint64_t lost_blob_count = 0;
  std::string ended_by;   // what is wrong with the next one; empty = there is none
};
base::Result<Salvaged> salvage(const std::filesystem::path& folder, const std::filesystem::path& into, const Rules& rules,
                               const base::Clock& clock, const LongWork& progress);

}  // namespace ledger
