#include "ledger/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/counted.h"
#include "base/text.h"
#include "ledger/backup.h"
#include "ledger/canonical.h"
#include "ledger/checkpoint_key.h"
#include "ledger/intake.h"
#include "ledger/keys.h"
#include "ledger/limits.h"
#include "ledger/log_state.h"
#include "ledger/new_folder.h"
#include "ledger/proof/named_blobs.h"
#include "ledger/verify.h"

namespace ledger {
namespace {

/// What of the files can be looked at, and how.
struct Opened {
  std::shared_ptr<const Cut> cut;  // null: nothing
  base::Status problem;            // why it took leniency, or why there is nothing
};

Opened open_to_look(const std::filesystem::path& folder, const Rules& rules) {
  auto store = Store::open(folder / "db", {.read_only = true, .views = rules.views});
  if (store.is_ok()) return {(*store)->cut(), {}};
  const base::Status problem = store.status();
  if (problem.code() == base::Code::kNotFound || problem.code() == base::Code::kUnsupportedVersion) return {nullptr, problem};
  store = Store::open(folder / "db", {.read_only = true, .damaged = true, .views = rules.views});
  if (store.is_ok()) return {(*store)->cut(), problem};
  return {nullptr, problem};
}

/// What the witness file holds.
base::Result<std::vector<Witnessed>> read_witness(const std::filesystem::path& folder, const std::filesystem::path& witness) {
  if (witness.empty()) return std::vector<Witnessed>();
  const auto key = read_public_key(folder);
  return key.is_ok() ? read_witness_file(witness, *key) : key.status();
}

/// Whether the log states the loss of what the last witnessed checkpoint promises.
bool is_explained(const std::vector<Witnessed>& entries, const std::vector<LossOnRecord>& losses) {
  std::vector<Checkpoint> checkpoints;
  for (const Witnessed& entry : entries) checkpoints.push_back(entry.checkpoint);
  return explained_by(checkpoints, losses)[last_standing(entries) - entries.data()] != nullptr;
}

/// The last event there is; what HEAD promises where the end cannot be read.
uint64_t last_event(const Cut& cut, const std::optional<HeadSlot>& promised) {
  std::string key, value;
  const auto last = cut.last(Table::kEvents, key, value);
  if (last.is_ok()) return *last && key.size() == 8 ? read_u64(key) : 0;
  return promised ? promised->size : 0;
}

/// The folder of a follower has no private key; that of the damaged folder goes on where it is the other half of the same public one.
base::Status keep_private_key(const std::filesystem::path& damaged, const std::filesystem::path& fresh) {
  std::error_code error;
  if (std::filesystem::exists(fresh / "checkpoint.key", error) || !std::filesystem::exists(damaged / "checkpoint.key", error)) return {};
  const auto known = read_public_key(fresh), own = read_public_key(damaged);
  if (!known.is_ok() || !own.is_ok() || *known != *own) return {};
  return copy_key_files(damaged, fresh);
}

}  // namespace

std::string_view condition_name(Condition condition) {
  switch (condition) {
    case Condition::kAbsent: return "absent";
    case Condition::kInUse: return "in-use";
    case Condition::kWhole: return "whole";
    case Condition::kShort: return "short";
    case Condition::kHeadLost: return "head-lost";
    case Condition::kOther: return "other";
    case Condition::kDerived: return "derived-damaged";
    case Condition::kDamaged: return "damaged";
    case Condition::kUnreadable: return "unreadable";
    case Condition::kNewer: return "newer";
  }
  return "unknown";
}

Diagnosis examine(const std::filesystem::path& folder, const Rules& rules, const LongWork& progress, const std::filesystem::path& witness) {
  Diagnosis found;
  std::error_code error;
  const bool database = std::filesystem::exists(folder / "db", error);
  if (!database && !std::filesystem::exists(folder / "HEAD", error)) return found;
  found.lock = lock_holder(folder);
  if (found.lock.held) {
    found.condition = Condition::kInUse;
    return found;
  }
  if (auto head = read_head_file(folder / "HEAD"); head.is_ok()) {
    found.promised = *head;
  } else {
    found.head_problem = head.status().message();
  }
  const auto witnessed = read_witness(folder, witness);
  found.witness_problem = witnessed.status().message();
  if (const Witnessed* last = witnessed.is_ok() ? last_standing(*witnessed) : nullptr) found.witnessed = last->checkpoint;
  const Opened opened = open_to_look(folder, rules);
  found.engine_problem = opened.problem.message();
  if (!opened.cut) {
    found.condition = opened.problem.code() == base::Code::kUnsupportedVersion ? Condition::kNewer : Condition::kUnreadable;
    return found;
  }
  const Cut& cut = *opened.cut;
  if (!cut.get(Table::kMeta, "id", found.ledger_id).is_ok()) found.ledger_id.clear();
  found.stored_events = last_event(cut, found.promised);

  // Everything but the promise, which is looked at below: to be short is another matter than to be damaged.
  const Verification verification(opened.cut, found.stored_events, rules.views, HeadSlot{});
  Verification::Options options;
  options.progress = progress;
  if (found.promised) options.known = Checkpoint{"", found.promised->size, found.promised->root};
  VerifyReport report = verification.run(options);
  found.findings = std::move(report.findings);
  found.finding_count = report.finding_count;
  if (report.stopped) {
    found.findings.push_back("reading was ended before all of it was read");
    found.finding_count += 1;
  }
  found.whole_events = report.first_bad == 0 ? report.events : std::min(report.events, report.first_bad - 1);
  // The tree may be what is damaged: the events say what it was.
  TreeEdge edge, at_promise, at_witness;
  Findings ignored;
  walk_events(cut, 1, found.whole_events, ignored, [&](uint64_t seq, std::optional<std::string_view> bytes) {
    if (!bytes) return false;
    edge.append(leaf_hash(*bytes), [](int, uint64_t, const base::Sha256&) {});
    if (found.promised && seq == found.promised->size) at_promise = edge;
    if (found.witnessed && seq == found.witnessed->size) at_witness = edge;
    return true;
  });
  found.whole_root = edge.root();
  const bool reaches = found.promised && found.promised->size <= found.whole_events;
  found.keeps_promise = reaches && found.promised->root == at_promise.root();
  const bool witness_reached = found.witnessed && found.witnessed->size <= found.whole_events;
  const bool keeps_witness = !found.witnessed || (witness_reached && found.witnessed->root == at_witness.root()) || is_explained(*witnessed, report.losses);
  const bool log_whole = found.whole_events == found.stored_events && report.first_bad == 0 && !report.stopped;

  if (found.promised && !found.ledger_id.empty() && found.ledger_id != found.promised->id) {
    found.condition = Condition::kOther;
  } else if (!log_whole) {
    found.condition = Condition::kDamaged;
  } else if ((reaches && !found.keeps_promise) || (witness_reached && !keeps_witness)) {
    found.condition = Condition::kOther;
  } else if (found.finding_count > 0 || !opened.problem.is_ok()) {
    found.condition = found.keeps_promise ? Condition::kDerived : Condition::kDamaged;
  } else if (!found.promised) {
    found.condition = found.stored_events > 0 ? Condition::kHeadLost : Condition::kWhole;
  } else {
    found.condition = found.keeps_promise && keeps_witness ? Condition::kWhole : Condition::kShort;
  }
  return found;
}

base::Result<std::filesystem::path> exchange_for_backup(const std::filesystem::path& backup, const std::filesystem::path& folder,
                                                        const Rules& rules, const LongWork& progress) {
  if (lock_holder(folder).held) {
    return base::Status(base::Code::kConflict, fmt::format("{}: a process has this ledger open; stop it first", folder.string()));
  }
  std::error_code error;
  std::filesystem::path aside;
  for (int i = 1; aside.empty() || std::filesystem::exists(aside, error); ++i) aside = fmt::format("{}.damaged-{}", folder.string(), i);
  const std::filesystem::path fresh = folder.string() + ".restored";
  if (auto restored = restore(backup, fresh, rules.views, progress); !restored.is_ok()) return restored.status();
  if (base::Status kept = keep_private_key(folder, fresh); !kept.is_ok()) return kept;
  if (std::filesystem::exists(folder, error)) {
    if (base::Status moved = put_in_place(folder, aside); !moved.is_ok()) return moved;
  } else {
    aside.clear();
  }
  if (base::Status placed = put_in_place(fresh, folder); !placed.is_ok()) return placed;
  return aside;
}

base::Status accept_loss(const std::filesystem::path& folder, AcceptedLoss loss, const Rules& rules, const base::Clock& clock,
                         const LongWork& progress, const std::filesystem::path& witness) {
  const Diagnosis found = examine(folder, rules, progress, witness);
  if (found.condition != Condition::kShort && found.condition != Condition::kHeadLost) {
    return {base::Code::kConflict, fmt::format("{}: is {}; only a loss of a ledger that is whole but shorter than its HEAD or witness file promises, or has lost its HEAD, can be accepted; "
                                               "`runledger doctor` says what to do",
                                               folder.string(), condition_name(found.condition))};
  }
  loss.witnessed = found.witnessed;
  auto opened = Ledger::open(folder, {.create_if_missing = false, .accept_loss = &loss}, clock, rules);
  return opened.status();
}

base::Result<Salvaged> salvage(const std::filesystem::path& folder, const std::filesystem::path& into, const Rules& rules,
                               const base::Clock& clock, const LongWork& progress) {
  const auto begun = NewFolder::begin(into);
  if (!begun.is_ok()) return begun.status();
  const std::filesystem::path& part = (*begun)->path();
  const Diagnosis found = examine(folder, rules, progress);
  if (found.condition == Condition::kInUse) {
    return base::Status(base::Code::kConflict, fmt::format("{}: a process has this ledger open; export from it instead", folder.string()));
  }
  const Opened opened = open_to_look(folder, rules);
  if (!opened.cut || found.whole_events == 0) {
    return base::Status(base::Code::kCorruption, fmt::format("{}: no event of it can be read{}{}; restore it from a backup", folder.string(),
                                                             opened.problem.is_ok() ? "" : ": ", opened.problem.message()));
  }
  const std::string id = found.ledger_id.empty() && found.promised ? found.promised->id : found.ledger_id;
  if (id.empty()) return base::Status(base::Code::kCorruption, fmt::format("{}: nothing says which ledger it is", folder.string()));

  Salvaged salvaged;
  salvaged.promised = found.promised ? found.promised->size : 0;
  {
    auto intake = Intake::open(part, id, rules, clock);
    if (!intake.is_ok()) return intake.status();
    Findings ignored;
    base::Status status;
    std::set<std::string> lost;  // named and not there; an erasure that is on record takes it out again
    const auto keep = [&](uint64_t seq, std::optional<std::string_view> bytes) {
      if (!bytes) return false;
      const auto event = Row<schema::Event>::parse(*bytes, fmt::format("event {}", seq));
      if (!event.is_ok()) return false;
      std::vector<std::string> blobs;
      for (const NamedBlob& named : named_blobs(event->get())) {
        std::string blob;
        const auto got = opened.cut->get(Table::kBlobs, named.sha256, blob);
        if (got.is_ok() && *got && base::as_bytes(base::sha256(blob)) == named.sha256) {
          blobs.push_back(std::move(blob));
        } else {
          lost.insert(named.sha256);
        }
      }
      if (event->get().getBody().isBlobsErased()) {
        for (auto erased : event->get().getBody().getBlobsErased().getBlobs()) lost.erase(std::string(view(erased.getSha256())));
      }
      status = (*intake)->add(*bytes, blobs);
      if (seq % 256 == 0 && !progress("events", seq, found.whole_events)) status = {base::Code::kUnavailable, "saving was ended"};
      return status.is_ok();
    };
    walk_events(*opened.cut, 1, found.whole_events, ignored, keep);
    if (!status.is_ok()) return status;
    salvaged.lost_blob_count = lost.size();
    for (const std::string& name : lost) {
      if (salvaged.lost_blobs.size() < kMaxFindings) salvaged.lost_blobs.push_back(base::hex(name));
    }
    salvaged.events = (*intake)->head();
    salvaged.root = (*intake)->edge().root();
    if (base::Status finished = (*intake)->finish(); !finished.is_ok()) return finished;
  }
  if (base::Status copied = copy_key_files(folder, part); !copied.is_ok()) return copied;
  if (!found.findings.empty()) salvaged.ended_by = found.findings.front();
  if (found.promised && found.promised->size > salvaged.events) {
    std::error_code error;
    std::filesystem::remove(part / "HEAD", error);
    if (base::Status made = create_head_file(part / "HEAD", *found.promised); !made.is_ok()) return made;
  }
  if (base::Status placed = (*begun)->put_in_place(); !placed.is_ok()) return placed;
  return salvaged;
}

}  // namespace ledger
