// Reading everything again (promise P10): what is stored is what was appended, and nothing is missing or too much. What is compared
// with what: docs/engine.md, "Proving".
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/fold.h"
#include "ledger/head_file.h"
#include "ledger/proof/checkpoint.h"
#include "ledger/proof/stated_loss.h"
#include "ledger/proof/witness_file.h"
#include "ledger/store.h"

namespace ledger {

struct VerifyReport {
  bool ok = true;
  bool stopped = false;     // asked to, before the end
  uint64_t events = 0;      // from the first on, found good
  uint64_t trusted = 0;     // so many of them were not read: a checkpoint speaks for them
  base::Sha256 root{};      // the tree over all of them; means nothing unless ok
  uint64_t first_bad = 0;   // first event that is not as it was appended; 0 = none known
  std::vector<std::string> findings;  // one sentence each, the first kMaxFindings
  uint64_t finding_count = 0;
  std::vector<LossOnRecord> losses;      // that the log states: no findings, and no silence either
  std::vector<std::string> loss_words;   // a sentence for each, with the checkpoints that went with it
};
inline constexpr size_t kMaxFindings = 100;

/// What is wrong, as it is found. Owns: values. Threads: one.
class Findings {
 public:
  /// `seq`: the event that is not as it was appended; 0 where it is something else.
  void add(uint64_t seq, std::string sentence);
  uint64_t first_bad() const { return first_bad_; }
  void write(VerifyReport& report) const;

 private:
  std::vector<std::string> sentences_;
  uint64_t count_ = 0;
  uint64_t first_bad_ = 0;
};

/// A ledger as it stands at one moment, ready to be verified.
///
/// Owns:    a cut of the store. Borrows the views. Threads: one at a time; blocks for as long as reading everything takes.
/// Errors:  all in the report, as far as reading goes on behind them.
class Verification {
 public:
  /// `promised` as read from HEAD before the cut was made.
  Verification(std::shared_ptr<const Cut> cut, uint64_t head, std::span<const View* const> views, base::Result<HeadSlot> promised)
      : cut_(std::move(cut)), head_(head), views_(views), promised_(std::move(promised)) {}

  struct Options {
    /// Only events behind this checkpoint, which is trusted; then neither subjects nor views are looked at. Else everything.
    std::optional<Checkpoint> trusted;
    /// False: only the log, its tree and the documents; what follows from the log (subjects, views) and records beside it are left.
    bool derived = true;
    /// Further checkpoints the log must lead to, unless it states their loss; each with the name it has in a sentence, in the order they were
    /// signed.
    std::vector<std::pair<std::string, Checkpoint>> checkpoints;
    /// One the log is not held against; it only helps to tell a changed event from a changed tree.
    std::optional<Checkpoint> known;
    /// All those of a witness file; with `from` above 1 the last one before it that was not lost becomes the trusted one.
    /// kNotFound: there is none.
    base::Status hold_against(const std::vector<Witnessed>& entries, const std::string& file, uint64_t from);
    /// How far it is; false ends it. `total` 0 = unknown.
    std::function<bool(std::string_view what, uint64_t done, uint64_t total)> progress = [](std::string_view, uint64_t, uint64_t) {
      return true;
    };
  };
  VerifyReport run(const Options& options) const;
  /// Whether verifying can begin with event `seq`. kInvalidArgument: it is behind the end of the log and of what HEAD promises.
  base::Status require_event(uint64_t seq) const;
  uint64_t head() const { return head_; }

 private:
  const std::shared_ptr<const Cut> cut_;
  const uint64_t head_;
  const std::span<const View* const> views_;
  const base::Result<HeadSlot> promised_;
};

/// The files of a ledger that nothing has open; they are only read. kConflict: something has. Errors else as Ledger::open() where even the
/// engine cannot read them.
base::Result<std::unique_ptr<Verification>> verify_folder(const std::filesystem::path& folder, std::span<const View* const> views);

/// Events from..to as far as they can be read. `visit` gets nullopt for one that is missing or cannot be read, which is in `findings` then;
/// it returns false to end.
using VisitBytes = std::function<bool(uint64_t seq, std::optional<std::string_view> bytes)>;
void walk_events(const Cut& cut, uint64_t from, uint64_t to, Findings& findings, const VisitBytes& visit);

}  // namespace ledger
