#include "ledger/verify.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "base/counted.h"
#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "ledger/folder_lock.h"
#include "ledger/keys.h"
#include "ledger/limits.h"
#include "ledger/log_state.h"
#include "ledger/proof/named_blobs.h"
#include "ledger/tree_rows.h"
#include "ledger/verify_subjects.h"
#include "ledger/verify_tree.h"
#include "ledger/view_check.h"

namespace ledger {
namespace {

constexpr uint64_t kEventsAReport = 4096;

std::string range_words(uint64_t first, uint64_t last) {
  return first == last ? fmt::format("event {}", first) : fmt::format("events {} to {}", first, last);
}

/// Verifies one ledger once.
class Run {
 public:
  Run(const Cut& cut, uint64_t head, std::span<const View* const> views, const base::Result<HeadSlot>& promised,
      const Verification::Options& options)
      : cut_(cut), head_(head), views_(views), promised_(promised), options_(options) {}

  VerifyReport run() {
    const uint64_t from = options_.trusted ? options_.trusted->size + 1 : 1;
    const bool whole = from == 1;
    report_.trusted = from - 1;
    if (whole && going()) read_blobs();
    if (going()) read_log(from, whole);
    if (going()) check_blob_names();
    if (whole && options_.derived && going()) check_views();
    if (whole && options_.derived && going()) read_records();
    findings_.write(report_);
    return report_;
  }

 private:
  bool going() const { return !report_.stopped; }
  void tell(std::string_view what, uint64_t done, uint64_t total) { report_.stopped = report_.stopped || !options_.progress(what, done, total); }

  /// Every blob's bytes hash to its name.
  void read_blobs() {
    std::string next;
    for (uint32_t step = 1;;) {
      const base::Status scanned = cut_.sweep(Table::kBlobs, next, {}, [&](std::string_view name, std::string_view bytes) {
        if (blobs_.size() % 256 == 0) tell("blobs", blobs_.size(), 0);
        next = std::string(name) + '\0';
        step = 1;
        check_blob(name, bytes);
        return going();
      });
      if (scanned.is_ok()) break;
      if (step == 1) findings_.add(0, fmt::format("blobs behind {} cannot be read: {}", next.empty() ? "the first" : base::hex(next), scanned.message()));
      // What the engine cannot read is a block; names are spread evenly, so a few steps lead behind it.
      next.resize(4, '\0');
      uint64_t place = uint64_t{static_cast<uint8_t>(next[0])} << 24 | uint64_t{static_cast<uint8_t>(next[1])} << 16 |
                       uint64_t{static_cast<uint8_t>(next[2])} << 8 | static_cast<uint8_t>(next[3]);
      place += step;
      step *= 2;
      if (place > 0xFFFFFFFF || step == 0) break;
      for (int i = 0; i < 4; ++i) next[i] = static_cast<char>(place >> (24 - 8 * i) & 0xFF);
    }
  }
  void check_blob(std::string_view name, std::string_view bytes) {
    if (name.size() != sizeof(base::Sha256)) {
      findings_.add(0, fmt::format("blob {}: its name is no SHA-256", base::hex(name)));
      return;
    }
    const base::Sha256 hash = base::sha256(bytes);
    if (base::as_bytes(hash) != name) {
      findings_.add(0, fmt::format("blob {}: its {} have another SHA-256, {}", base::hex(name), base::counted(bytes.size(), "byte"), base::hex(hash)));
    }
    std::memcpy(blobs_.emplace_back().data(), name.data(), name.size());
  }

  void read_log(uint64_t from, bool whole) {
    tree_.emplace(cut_, from, head_, findings_);
    if (options_.trusted) check_trusted();
    for (const auto& [name, checkpoint] : options_.checkpoints) {
      tree_->want_root(checkpoint.size);
      tree_->know_root(checkpoint.size, checkpoint.root);
    }
    if (promised_.is_ok()) {
      tree_->want_root(promised_->size);
      tree_->know_root(promised_->size, promised_->root);
    }
    if (options_.known) tree_->know_root(options_.known->size, options_.known->root);
    SubjectCheck subjects(cut_, head_, findings_);
    uint64_t whole_until = from - 1;
    read_losses_before(from);
    walk_events(cut_, from, head_, findings_, [&](uint64_t seq, std::optional<std::string_view> bytes) {
      if (seq % kEventsAReport == 0) tell("events", seq - from, head_ - from + 1);
      const bool as_appended = tree_->add(seq, bytes ? std::optional(leaf_hash(*bytes)) : std::nullopt);
      const auto event = bytes ? read_event(seq, *bytes, as_appended) : std::nullopt;
      if (as_appended && event) {
        if (whole_until + 1 == seq) whole_until = seq;
        note_blobs(seq, event->get());
        note_loss(event->get());
        if (whole && options_.derived) subjects.add(seq, event->get());
      } else {
        subjects.lose(seq);
        log_is_whole_ = false;
      }
      return going();
    });
    if (!going()) return;
    report_.events = whole_until;
    check_beyond();
    tell("tree", 0, 0);
    tree_->finish();
    report_.root = tree_->root(head_).value_or(base::Sha256{});
    check_promises(from);
    if (whole && options_.derived) {
      tell("subjects", 0, 0);
      if (going()) subjects.finish();
    }
  }

  void check_trusted() {
    const auto edge = load_edge(cut_, options_.trusted->size);
    if (!edge.is_ok()) {
      findings_.add(0, edge.status().message());
    } else if (edge->root() != options_.trusted->root) {
      findings_.add(1, fmt::format("the first {} events are not those of the trusted checkpoint", options_.trusted->size));
    }
  }

  /// nullopt, and a finding, when it is no event that may stand there. Of bytes known to be others it is only looked whose they are.
  std::optional<Row<schema::Event>> read_event(uint64_t seq, std::string_view bytes, bool as_appended) {
    auto parsed = Row<schema::Event>::parse(bytes, fmt::format("event {}", seq));
    if (!parsed.is_ok()) {
      if (as_appended) findings_.add(seq, parsed.status().message());
      return std::nullopt;
    }
    try {
      const auto event = parsed->get();
      if (event.getSeq() != seq) findings_.add(seq, fmt::format("event {} says of itself that it is event {}", seq, event.getSeq()));
      if (!as_appended) return std::nullopt;
      if (event.getTime() < time_ns_) findings_.add(seq, fmt::format("event {} is older than the one before it", seq));
      if (event.getCause() >= seq) findings_.add(seq, fmt::format("event {} names event {} as its cause", seq, event.getCause()));
      time_ns_ = std::max(time_ns_, event.getTime());
      if (bytes.size() > kMaxEventBytes) findings_.add(seq, fmt::format("event {} has {} bytes, {} are allowed", seq, bytes.size(), kMaxEventBytes));
      if (event.getSeq() != seq) return std::nullopt;
    } catch (const kj::Exception& error) {
      if (as_appended) findings_.add(seq, fmt::format("event {} cannot be read ({})", seq, error.getDescription().cStr()));
      return std::nullopt;
    }
    return std::move(*parsed);
  }

  void note_blobs(uint64_t seq, schema::Event::Reader event) {
    for (NamedBlob& named : named_blobs(event)) {
      base::Sha256 name;
      std::memcpy(name.data(), named.sha256.data(), name.size());
      if (std::binary_search(blobs_.begin(), blobs_.end(), name)) continue;
      absent_.try_emplace(std::move(named.sha256), Naming{seq, seq}).first->second.last = seq;
    }
    if (!event.getBody().isBlobsErased()) return;
    for (auto erased : event.getBody().getBlobsErased().getBlobs()) erased_[std::string(view(erased.getSha256()))] = seq;
  }

  void note_loss(schema::Event::Reader event) {
    if (!event.getBody().isLossAccepted()) return;
    const auto before = load_edge(cut_, event.getSeq() - 1);
    if (!before.is_ok()) return;  // a finding already
    const auto loss = LossOnRecord::read(event, before->root());
    if (loss) {
      report_.losses.push_back(*loss);
    } else {
      findings_.add(event.getSeq(), fmt::format("event {} accepts a loss, but not of the log it stands in", event.getSeq()));
    }
  }
  /// Those before the first event that is read, as the witness file names them.
  void read_losses_before(uint64_t from) {
    std::set<uint64_t> seqs;
    for (const auto& [name, checkpoint] : options_.checkpoints) {
      for (const StatedLoss& loss : checkpoint.losses) seqs.insert(loss.seq);
    }
    for (const uint64_t seq : seqs) {
      if (seq == 0 || seq >= from || seq > head_) continue;
      std::string bytes;
      const auto found = cut_.get(Table::kEvents, u64_key(seq), bytes);
      if (!found.is_ok() || !*found) continue;
      if (const auto event = read_event(seq, bytes, true)) note_loss(event->get());
    }
  }

  void check_beyond() {
    uint64_t beyond = 0;
    const base::Status scanned = cut_.sweep(Table::kEvents, u64_key(head_ + 1), {}, [&](std::string_view, std::string_view) {
      beyond += 1;
      return true;
    });
    if (beyond > 0) findings_.add(head_ + 1, fmt::format("{} behind the end of the log, event {}", beyond == 1 ? std::string("1 event stands") : fmt::format("{} events stand", beyond), head_));
    if (!scanned.is_ok()) findings_.add(0, fmt::format("the log cannot be read behind its end, event {}: {}", head_, scanned.message()));
  }

  /// HEAD, and checkpoints signed before.
  void check_promises(uint64_t from) {
    struct Promise {
      std::string name;
      Checkpoint checkpoint;
      const LossOnRecord* loss = nullptr;  // why it need not be kept
    };
    std::vector<Promise> promises;
    std::vector<Checkpoint> checkpoints;
    for (const auto& [name, checkpoint] : options_.checkpoints) checkpoints.push_back(checkpoint);
    const auto explanations = explained_by(checkpoints, report_.losses);
    for (size_t i = 0; i < checkpoints.size(); ++i) promises.push_back({options_.checkpoints[i].first, checkpoints[i], explanations[i]});
    if (promised_.is_ok()) {
      promises.push_back({"HEAD", Checkpoint{"", promised_->size, promised_->root}});
    } else if (promised_.status().code() != base::Code::kNotFound || head_ > 0) {
      findings_.add(0, promised_.status().message());
    }
    std::sort(promises.begin(), promises.end(), [](const Promise& a, const Promise& b) { return a.checkpoint.size < b.checkpoint.size; });
    std::string id;
    const auto known = cut_.get(Table::kMeta, "id", id);
    if (promised_.is_ok() && !promised_->id.empty() && known.is_ok() && *known && id != promised_->id) {
      findings_.add(0, fmt::format("HEAD is of ledger {}, the database of {}", promised_->id, id));
    }
    std::map<const LossOnRecord*, std::vector<std::string>> lost;
    uint64_t good = from - 1;
    for (const auto& [name, checkpoint, loss] : promises) {
      const bool short_of = checkpoint.size > head_;
      if (!short_of && (checkpoint.size < from - 1 || checkpoint.size == 0)) continue;
      const auto root = short_of ? std::nullopt : tree_->root(checkpoint.size);
      if (root == checkpoint.root) {
        good = checkpoint.size;
      } else if (loss) {
        lost[loss].push_back(name);
      } else if (short_of) {
        findings_.add(head_ + 1, fmt::format("{} {} missing: {} promises {} events, the log ends at {}", range_words(head_ + 1, checkpoint.size),
                                             checkpoint.size == head_ + 1 ? "is" : "are", name, checkpoint.size, head_));
      } else if (root) {
        const uint64_t first_bad = findings_.first_bad() == 0 ? good + 1 : 0;
        findings_.add(first_bad, fmt::format("{} are not those {} promises: they lead to root {}, not {}", range_words(good + 1, checkpoint.size), name,
                                            base::hex(*root), base::hex(checkpoint.root)));
      }
    }
    for (const LossOnRecord& loss : report_.losses) {
      std::string names;
      for (const std::string& name : lost[&loss]) names += (names.empty() ? "; what went with them: " : ", ") + name;
      report_.loss_words.push_back(loss.words() + names);
    }
  }

  /// What events name is there, or was erased on record since the last of them: to be named it had to be there.
  void check_blob_names() {
    for (const auto& [name, naming] : absent_) {
      std::string bytes;
      const auto found = cut_.get(Table::kBlobs, name, bytes);
      const auto erased = erased_.find(name);
      if (!found.is_ok()) {
        findings_.add(0, fmt::format("blob {}, which event {} names, cannot be read: {}", base::hex(name), naming.first, found.status().message()));
      } else if (*found) {
        if (base::as_bytes(base::sha256(bytes)) != name) findings_.add(0, fmt::format("blob {}: its bytes have another SHA-256", base::hex(name)));
      } else if (erased == erased_.end()) {
        findings_.add(0, fmt::format("blob {}, which event {} names, is missing, and no event says that it was erased", base::hex(name), naming.first));
      } else if (erased->second < naming.last) {
        findings_.add(0, fmt::format("blob {}, which event {} names anew, is missing; it was erased before, by event {}, and not since", base::hex(name),
                                     naming.last, erased->second));
      }
    }
  }

  void check_views() {
    if (!log_is_whole_) {
      findings_.add(0, "the views were not compared: the log they follow from is not whole");
      return;
    }
    // Folded into a database of its own: the one that is verified may be damaged, or open to be looked at only.
    std::string folder = (std::filesystem::temp_directory_path() / "runledger-verify-XXXXXX").string();
    if (!::mkdtemp(folder.data())) {
      findings_.add(0, fmt::format("the views were not compared: {} cannot be made: {}", folder, std::strerror(errno)));
      return;
    }
    compare_views(folder);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  void compare_views(const std::string& folder) {
    auto scratch = Store::open(folder, {.create = true, .views = views_});
    if (!scratch.is_ok()) return findings_.add(0, "the views were not compared: " + scratch.status().message());
    const Patience patience{[this](const std::string& what, uint64_t done, uint64_t total) {
      tell(what, done, total);
      return going();
    }};
    const auto compared = ledger::check_views(**scratch, cut_, head_, views_, patience);
    if (!going()) return;
    if (!compared.is_ok()) return findings_.add(0, compared.status().message());
    for (const std::string& finding : *compared) findings_.add(0, finding);
  }

  /// Records that follow from nothing: they can be read, and do not reach behind the log.
  void read_records() {
    const auto bounded = [&](Table table, std::string_view what, size_t size, const std::function<uint64_t(std::string_view)>& last) {
      const base::Status scanned = cut_.sweep(table, {}, {}, [&](std::string_view key, std::string_view value) {
        const std::string name = base::printable(base::to_utf8(key));
        if (value.size() < size) {
          findings_.add(0, fmt::format("{} {} is cut short", what, name));
        } else if (const uint64_t seq = last(value); seq > head_) {
          findings_.add(0, fmt::format("{} {} speaks of event {}, the log ends at {}", what, name, seq, head_));
        }
        return true;
      });
      if (!scanned.is_ok()) findings_.add(0, fmt::format("the table of the {} cannot be read: {}", what, scanned.message()));
    };
    bounded(Table::kPositions, "position of daemon", 8, [](std::string_view value) { return read_u64(value); });
    bounded(Table::kCommands, "record of command", 14, [](std::string_view value) { return read_u64(value, 2); });
  }

  const Cut& cut_;
  const uint64_t head_;
  const std::span<const View* const> views_;
  const base::Result<HeadSlot>& promised_;
  const Verification::Options& options_;
  Findings findings_;
  VerifyReport report_;
  std::vector<base::Sha256> blobs_;  // sorted
  struct Naming {
    uint64_t first = 0, last = 0;  // the events that name it
  };
  std::map<std::string, Naming> absent_;
  std::map<std::string, uint64_t> erased_;  // by which event last
  std::optional<TreeCheck> tree_;
  int64_t time_ns_ = INT64_MIN;
  bool log_is_whole_ = true;
};

}  // namespace

void Findings::add(uint64_t seq, std::string sentence) {
  count_ += 1;
  if (seq != 0 && (first_bad_ == 0 || seq < first_bad_)) first_bad_ = seq;
  if (sentences_.size() < kMaxFindings) sentences_.push_back(std::move(sentence));
}

void Findings::write(VerifyReport& report) const {
  report.ok = count_ == 0 && !report.stopped;
  report.findings = sentences_;
  report.finding_count = count_;
  report.first_bad = first_bad_;
}

void walk_events(const Cut& cut, uint64_t from, uint64_t to, Findings& findings, const VisitBytes& visit) {
  uint64_t next = from;
  bool going = true;
  const auto lacking = [&](uint64_t until, const std::string& why) {
    if (next >= until) return;
    findings.add(next, fmt::format("{} {}", range_words(next, until - 1), why));
    for (; next < until && going; ++next) going = visit(next, std::nullopt);
  };
  while (going && next <= to) {
    const base::Status scanned = cut.sweep(Table::kEvents, u64_key(next), u64_key(to + 1), [&](std::string_view key, std::string_view bytes) {
      if (key.size() != 8) {
        findings.add(0, fmt::format("the log has a row {} that is no event's", base::hex(key)));
        return true;
      }
      lacking(read_u64(key), read_u64(key) == next + 1 ? "is missing" : "are missing");
      if (!going) return false;
      going = visit(next, bytes);
      next += 1;
      return going;
    });
    if (!going) return;
    if (scanned.is_ok()) return lacking(to + 1, next == to ? "is missing" : "are missing");
    // The engine cannot read a block; what lies in it is found one by one.
    uint64_t behind = next;
    std::string ignored;
    while (behind <= to && !cut.get(Table::kEvents, u64_key(behind), ignored).is_ok()) ++behind;
    if (behind == next) behind += 1;
    lacking(behind, fmt::format("cannot be read: {}", scanned.message()));
  }
}

base::Status Verification::Options::hold_against(const std::vector<Witnessed>& entries, const std::string& file, uint64_t from) {
  for (size_t i = 0; i < entries.size(); ++i) {
    checkpoints.emplace_back(fmt::format("checkpoint {} of {}", i + 1, file), entries[i].checkpoint);
    if (from > 1 && !entries[i].lost && entries[i].checkpoint.size < from) trusted = entries[i].checkpoint;
  }
  if (from <= 1 || trusted) return {};
  return {base::Code::kNotFound, fmt::format("no checkpoint of less than {} events is in {}; verify the whole log", from, file)};
}

base::Status Verification::require_event(uint64_t seq) const {
  const uint64_t end = std::max(head_, promised_.is_ok() ? promised_->size : 0);
  if (seq <= std::max<uint64_t>(end, 1)) return {};
  return {base::Code::kInvalidArgument, fmt::format("event {} is not there: the log ends at event {}; name one of its events", seq, end)};
}

VerifyReport Verification::run(const Options& options) const { return Run(*cut_, head_, views_, promised_, options).run(); }

base::Result<std::unique_ptr<Verification>> verify_folder(const std::filesystem::path& folder, std::span<const View* const> views) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder / "db", error)) {
    return base::Status(base::Code::kNotFound, fmt::format("{}: no ledger there", folder.string()));
  }
  const auto lock = std::make_shared<FolderLock>();
  if (base::Status locked = lock->lock(folder); !locked.is_ok()) return locked;
  auto promised = read_head_file(folder / "HEAD");
  auto store = Store::open(folder / "db", {.read_only = true, .views = views, .held = lock});
  if (!store.is_ok()) return store.status();
  auto cut = (*store)->cut();
  std::string key, value;
  const auto last = cut->last(Table::kEvents, key, value);
  uint64_t head = last.is_ok() && *last && key.size() == 8 ? read_u64(key) : 0;
  if (!last.is_ok() && promised.is_ok()) head = promised->size;  // the end of the log cannot be read
  return std::make_unique<Verification>(std::move(cut), head, views, std::move(promised));
}

}  // namespace ledger
