#include "ledger/ledger.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <future>

#include "base/text.h"
#include "ledger/backup.h"
#include "ledger/checkpoint_key.h"
#include "ledger/event_bytes.h"
#include "ledger/fold_board.h"
#include "ledger/folder_lock.h"
#include "ledger/head_file.h"
#include "ledger/health_board.h"
#include "ledger/log_state.h"
#include "ledger/proof/stated_loss.h"
#include "ledger/rules.h"
#include "ledger/snapshot.h"
#include "ledger/store.h"
#include "ledger/subjects.h"
#include "ledger/tree_rows.h"
#include "ledger/upkeep.h"
#include "ledger/verify.h"
#include "ledger/writer.h"

namespace ledger {
namespace {

constexpr std::string_view kIdKey = "id";

std::string new_id() {
  std::string bytes(16, '\0');
  size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t size = ::getrandom(bytes.data() + got, bytes.size() - got, 0);
    if (size > 0) got += size;
  }
  return base::hex(bytes);
}

/// What a folder holds.
struct Found {
  std::shared_ptr<const Cut> cut;  // null: there is no database
  std::string id;                  // empty: it was not said yet
  LogState state;
};

base::Result<Found> find(const base::Result<std::shared_ptr<Store>>& store) {
  Found found;
  if (!store.is_ok()) return found;
  found.cut = (*store)->live();
  if (const auto id = found.cut->get(Table::kMeta, kIdKey, found.id); !id.is_ok()) return id.status();
  auto state = load_log_state(*found.cut);
  if (!state.is_ok()) return state.status();
  found.state = std::move(*state);
  return found;
}

/// What was promised against what is there.
base::Status keeps_promise(const std::filesystem::path& folder, const HeadSlot& promised, const Found& found) {
  if (!found.id.empty() && found.id != promised.id) {
    return {base::Code::kCorruption,
            fmt::format("{}: HEAD is that of ledger {}, the database that of ledger {}; put back the HEAD that belongs here",
                        folder.string(), promised.id, found.id)};
  }
  const uint64_t held = found.state.head();
  if (held < promised.size) {
    const uint64_t missing = promised.size - held;
    return {base::Code::kCorruption,
            fmt::format("{}: {} {} missing, from event {} on: HEAD promises {} events as of {}, the database holds {}; "
                        "nothing was changed, 'runledger doctor' says what to do",
                        folder.string(), missing, missing == 1 ? "event is" : "events are", held + 1, promised.size,
                        base::iso_time(promised.time_ns), held)};
  }
  if (promised.size == 0) return {};
  auto edge = load_edge(*found.cut, promised.size);
  if (!edge.is_ok()) return edge.status().in(folder.string());
  if (edge->root() != promised.root) {
    return {base::Code::kCorruption,
            fmt::format("{}: the first {} events are not those HEAD promises (root {}, not {}); nothing was changed, "
                        "'runledger doctor' says what to do",
                        folder.string(), promised.size, base::hex(edge->root()), base::hex(promised.root))};
  }
  return {};
}

/// Whether an event accepts that what led to `witnessed` is gone.
base::Result<bool> accepts_loss_of(const Checkpoint& witnessed, const std::shared_ptr<const Cut>& cut, uint64_t held) {
  const StoreSnapshot snapshot(cut, held, std::make_shared<HealthBoard>(), std::make_shared<FoldBoard>());
  for (const uint64_t seq : snapshot.subject(ledger_subject(), 1, SIZE_MAX)) {
    const auto words = snapshot.event(seq);
    const auto before = load_edge(*cut, seq - 1);
    if (!words.is_ok() || !before.is_ok()) return words.is_ok() ? before.status() : words.status();
    const auto loss = LossOnRecord::read(StoredEvent(*words).get(), before->root());
    if (loss && loss->explains(witnessed)) return true;
  }
  if (!snapshot.status().is_ok()) return snapshot.status();
  return false;
}

/// What was witnessed against what is there.
base::Status leads_to(const Checkpoint& witnessed, const std::filesystem::path& folder, const std::shared_ptr<const Cut>& cut, uint64_t held) {
  if (witnessed.size <= held) {
    const auto edge = load_edge(*cut, witnessed.size);
    if (!edge.is_ok()) return edge.status().in(folder.string());
    if (edge->root() == witnessed.root) return {};
  }
  const auto accepted = accepts_loss_of(witnessed, cut, held);
  if (!accepted.is_ok()) return accepted.status().in(folder.string());
  if (*accepted) return {};
  return {base::Code::kCorruption,
          fmt::format("{}: the last checkpoint in the witness file has {} events that the database, with {}, does not lead to; either is not of this "
                      "ledger, or events are lost. Nothing was changed, 'runledger doctor' says what to do",
                      folder.string(), witnessed.size, held)};
}

/// The engine says what is wrong; this adds what to do.
base::Status unreadable_folder(const base::Status& problem) {
  if (problem.code() != base::Code::kCorruption && problem.code() != base::Code::kUnavailable) return problem;
  return {problem.code(), problem.message() + "; nothing was changed, 'runledger doctor' says what is whole and what to do"};
}

/// What was promised when a loss is accepted.
struct Lost {
  uint64_t promised = 0;  // 0 = not known: HEAD is lost
  std::string promised_root;
};

/// Appends lossAccepted, durably.
base::Status record_loss(Ledger& ledger, const Lost& lost, const TreeEdge& kept, const AcceptedLoss& accepted) {
  capnp::MallocMessageBuilder message;
  auto command = message.initRoot<schema::Command>();
  command.setId(fmt::format("accept-loss/{}/{}", kept.size(), base::hex(kept.root())));
  auto loss = command.getBody().initAcceptLoss();
  loss.setPromisedEvents(lost.promised);
  loss.setPromisedRoot({reinterpret_cast<const kj::byte*>(lost.promised_root.data()), lost.promised_root.size()});
  loss.setKeptEvents(kept.size());
  const base::Sha256 root = kept.root();
  loss.setKeptRoot({root.data(), root.size()});
  loss.getReason().setCode("loss_accepted");
  loss.getReason().setText(accepted.reason);
  return ledger.apply(command.asReader(), accepted.who).status;
}

/// A name nothing has: what could not be read before is somebody's last hope too.
std::filesystem::path vacant_name(const std::filesystem::path& wanted) {
  std::filesystem::path name = wanted;
  for (int i = 2; std::filesystem::exists(std::filesystem::symlink_status(name)); ++i) name = fmt::format("{}.{}", wanted.string(), i);
  return name;
}

class StoredLedger final : public Ledger {
 public:
  StoredLedger(std::filesystem::path folder, std::string id, std::shared_ptr<HealthBoard> health, Rules rules)
      : folder_(std::move(folder)),
        id_(std::move(id)),
        health_(std::move(health)),
        rules_(std::move(rules)),
        checkpoint_key_(open_checkpoint_key(folder_, id_)) {}

  ~StoredLedger() override {
    if (writer_) writer_->on_purge(nullptr);  // the writer outlives the thread that purges
  }

  /// Once the loss of HEAD is on record: gives the new one its name. One that cannot be read is kept beside it.
  base::Status put_head_in_place() {
    const std::filesystem::path head = folder_ / "HEAD";
    if (std::filesystem::exists(head)) {
      std::error_code error;
      std::filesystem::rename(head, vacant_name(folder_ / "HEAD.unreadable"), error);
      if (error) return {base::Code::kUnavailable, fmt::format("{}: cannot be renamed: {}", head.string(), error.message())};
    }
    return head_file_->rename(head);
  }

  void begin(std::shared_ptr<Store> store, LogState state, std::unique_ptr<HeadFile> head_file, const Options& options,
             const base::Clock& clock) {
    understood_ = state.kinds.understood();
    head_file_ = std::move(head_file);
    store_ = std::move(store);
    writer_ = std::make_unique<Writer>(store_, std::move(state), rules_, options, clock, *head_file_, health_, board_);
    upkeep_ = std::make_unique<Upkeep>(store_, *writer_, health_, board_, options);
    writer_->on_purge([this] { upkeep_->purge(); });
  }

  void submit(schema::Command::Reader command, const Identity& identity, Done done) override {
    writer_->submit(command, identity, [done = std::move(done)](std::vector<Answer> answers) { done(std::move(answers.front())); });
  }
  void submit_all(capnp::List<schema::Command>::Reader commands, const Identity& identity,
                  std::function<void(std::vector<Answer>)> done) override {
    writer_->submit_all(commands, identity, std::move(done));
  }
  void take(Delivery delivery, std::function<void(base::Status)> done) override { writer_->take(std::move(delivery), std::move(done)); }
  std::unique_ptr<Snapshot> snapshot() const override {
    Published now = writer_->published();
    return std::make_unique<StoreSnapshot>(std::move(now.cut), now.head, health_, board_);
  }
  uint64_t head() const override { return writer_->published().head; }
  const std::string& id() const override { return id_; }
  Health health() const override {
    const Health health = health_->get();
    if (health.state != Health::State::kOk || understood_.is_ok()) return health;
    return {Health::State::kReadOnly, understood_.message()};
  }
  void on_commit(std::function<void(uint64_t)> observer) override { writer_->on_commit(std::move(observer)); }
  const base::Result<SigningKey>& checkpoint_key() const override { return checkpoint_key_; }
  std::unique_ptr<Verification> verification() const override {
    auto promised = read_head_file(folder_ / "HEAD");  // first: it says less than what is there
    Published now = writer_->published();
    return std::make_unique<Verification>(std::move(now.cut), now.head, rules_.views, std::move(promised));
  }
  base::Result<std::unique_ptr<Backup>> backup() const override {
    const Published now = writer_->published();
    const auto edge = load_edge(*now.cut, now.head);
    if (!edge.is_ok()) return edge.status();
    HeadSlot held{.number = 0, .id = id_, .size = now.head, .root = edge->root(), .time_ns = 0};
    if (now.head > 0) {
      const auto last = load_event(*now.cut, now.head);
      if (!last.is_ok()) return last.status();
      held.time_ns = StoredEvent(*last).get().getTime();
    }
    return std::make_unique<Backup>(store_, folder_, std::move(held), rules_.views);
  }
  std::vector<ViewProgress> rebuilding() const override { return board_->get(); }
  void rebuild_views(const std::vector<std::string>& names, Progress progress, std::function<void(base::Status)> done) override {
    auto views = named(names);
    views.is_ok() ? upkeep_->rebuild(std::move(*views), std::move(progress), std::move(done)) : done(views.status());
  }
  void check_views(const std::vector<std::string>& names, Progress progress,
                   std::function<void(base::Result<std::vector<std::string>>)> done) const override {
    auto views = named(names);
    views.is_ok() ? upkeep_->check(std::move(*views), std::move(progress), std::move(done)) : done(views.status());
  }

 private:
  base::Result<std::vector<const View*>> named(const std::vector<std::string>& names) const {
    std::vector<const View*> views;
    std::string known;
    for (const View* view : rules_.views) {
      if (names.empty() || std::find(names.begin(), names.end(), view->name()) != names.end()) views.push_back(view);
      known += (known.empty() ? "" : ", ") + std::string(view->name());
    }
    for (const std::string& name : names) {
      const auto is_it = [&](const View* view) { return view->name() == name; };
      if (std::none_of(views.begin(), views.end(), is_it))
        return base::Status(base::Code::kNotFound, fmt::format("{}: there is no such view; there are {}", base::printable(name), known));
    }
    return views;
  }

  const std::filesystem::path folder_;
  const std::string id_;
  const std::shared_ptr<HealthBoard> health_;
  const std::shared_ptr<FoldBoard> board_ = std::make_shared<FoldBoard>();
  const Rules rules_;
  const base::Result<SigningKey> checkpoint_key_;
  base::Status understood_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<HeadFile> head_file_;
  std::unique_ptr<Writer> writer_;  // HEAD is written after it
  std::unique_ptr<Upkeep> upkeep_;  // ends first
};

}  // namespace

base::Result<std::unique_ptr<Ledger>> Ledger::open(const std::filesystem::path& folder, const Options& options,
                                                   const base::Clock& clock, Rules rules) {
  const std::filesystem::path database = folder / "db", head_path = folder / "HEAD";
  std::error_code error;
  if (options.create_if_missing) std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder)) {
    return base::Status(base::Code::kNotFound,
                        fmt::format("{}: no ledger there{}{}", folder.string(), error ? ": " : "", error ? error.message() : ""));
  }
  const auto lock = std::make_shared<FolderLock>();
  if (base::Status locked = lock->lock(folder); !locked.is_ok()) return locked;

  // Look first, without a trace: a database that is written to throws away the very bytes that could still be saved.
  auto promised = read_head_file(head_path);
  const bool unreadable = !promised.is_ok() && promised.status().code() == base::Code::kCorruption;
  if (!promised.is_ok() && promised.status().code() != base::Code::kNotFound && !(unreadable && options.accept_loss)) return promised.status();
  // The engine must not meet a full disk while it recovers either (docs/adr/0001-one-writer.md).
  if (const auto space = std::filesystem::space(folder, error); !error && space.available < options.min_free_bytes) {
    return base::Status(base::Code::kUnavailable,
                        fmt::format("{}: {} bytes of space are left on the disk, {} must stay free; make room and start again",
                                    folder.string(), space.available, options.min_free_bytes));
  }
  auto health = std::make_shared<HealthBoard>();
  const auto fault = [health](const base::Status& status, bool passing) {
    passing ? health->storage_low(status) : health->read_only(status);
  };
  Store::Options how{.look_first = true, .views = rules.views, .held = lock, .on_fault = fault};
  auto store = Store::open(database, how);
  if (!store.is_ok() && store.status().code() != base::Code::kNotFound) return unreadable_folder(store.status());
  auto found = find(store);
  if (!found.is_ok()) return unreadable_folder(found.status().in(folder.string()));
  const uint64_t held = found->state.head();
  std::optional<Lost> lost;
  bool head_lost = false;
  if (promised.is_ok()) {
    const bool accepted = options.accept_loss && found->cut && promised->size > held && (found->id.empty() || found->id == promised->id);
    if (accepted) {
      lost = Lost{promised->size, std::string(base::as_bytes(promised->root))};
    } else if (base::Status kept = keeps_promise(folder, *promised, *found); !kept.is_ok()) {
      return kept;
    }
  } else if (held > 0 && options.accept_loss) {
    lost = Lost{};
    head_lost = true;
  } else if (held > 0) {  // something has been promised here before
    return base::Status(
        base::Code::kCorruption,
        fmt::format("{}: HEAD is missing, so nobody can tell whether the database is whole; put it back from a copy of the folder, or ask 'runledger doctor'",
                    folder.string()));
  } else if (!store.is_ok() && !options.create_if_missing) {
    return base::Status(base::Code::kNotFound, fmt::format("{}: no ledger there", folder.string()));
  }
  if (const AcceptedLoss* loss = options.accept_loss; loss && loss->witnessed && loss->witnessed->size > std::max(held, lost ? lost->promised : 0)) {
    lost = Lost{loss->witnessed->size, std::string(base::as_bytes(loss->witnessed->root))};
  }
  if (found->cut && options.witnessed && !options.accept_loss) {
    if (base::Status leads = leads_to(*options.witnessed, folder, found->cut, held); !leads.is_ok()) return leads;
  }

  const std::string id = promised.is_ok() ? promised->id : found->id.empty() ? new_id() : found->id;
  // In place of one that is lost the new one stands only once the loss is on record: until then the folder stays refused.
  const std::filesystem::path head_now = head_lost ? folder / "HEAD.accepting" : head_path;
  if (head_lost) std::filesystem::remove(head_now, error);
  auto head_file =
      HeadFile::open(head_now, {.number = 0, .id = id, .size = 0, .root = TreeEdge().root(), .time_ns = clock.now_ns()},
                     [health](base::Status status) { health->read_only(status); });
  if (!head_file.is_ok()) return head_file.status();
  if (!store.is_ok()) {
    std::filesystem::create_directories(database, error);
    how.create = true;
    store = Store::open(database, how);
    if (!store.is_ok()) return store.status();
  }
  if (base::Status begun = (*store)->begin(); !begun.is_ok()) return begun;

  Store::Batch batch;
  if (found->id.empty()) {
    batch.put(*(*store)->live(), Table::kMeta, kIdKey, id);
    if (base::Status written = (*store)->write(batch, true); !written.is_ok()) return written;
    batch.clear();
  }
  if (const auto stale = (*store)->stale_views(); held == 0 && !stale.empty()) {  // nothing to fold
    auto fresh = (*store)->fresh_views(stale, Store::Keep::kNot);
    if (!fresh.is_ok()) return fresh.status();
    if (base::Status adopted = (*store)->adopt(*fresh, batch); !adopted.is_ok()) return adopted;
  }

  auto opened = std::make_unique<StoredLedger>(folder, id, health, std::move(rules));
  const TreeEdge kept = found->state.edge;
  opened->begin(std::move(store).value(), std::move(found->state), std::move(head_file).value(), options, clock);
  if (lost) {
    if (base::Status recorded = record_loss(*opened, *lost, kept, *options.accept_loss); !recorded.is_ok()) {
      if (head_lost) std::filesystem::remove(head_now, error);
      return recorded.in(folder.string());
    }
  }
  if (head_lost) {
    if (base::Status placed = opened->put_head_in_place(); !placed.is_ok()) return placed;
  }
  return std::unique_ptr<Ledger>(std::move(opened));
}

Answer Ledger::apply(schema::Command::Reader command, const Identity& identity) {
  const auto answered = std::make_shared<std::promise<Answer>>();  // the writer may still be in set_value() when the waiting is over
  submit(command, identity, [answered](Answer answer) { answered->set_value(std::move(answer)); });
  return answered->get_future().get();
}

base::Status Ledger::rebuild_views() {
  const auto rebuilt = std::make_shared<std::promise<base::Status>>();
  rebuild_views({}, nullptr, [rebuilt](base::Status status) { rebuilt->set_value(std::move(status)); });
  return rebuilt->get_future().get();
}

base::Status Ledger::check_views() const {
  const auto checked = std::make_shared<std::promise<base::Result<std::vector<std::string>>>>();
  check_views({}, nullptr, [checked](base::Result<std::vector<std::string>> findings) { checked->set_value(std::move(findings)); });
  const auto findings = checked->get_future().get();
  if (!findings.is_ok()) return findings.status();
  if (findings->empty()) return {};
  std::string text;
  for (const std::string& finding : *findings) text += (text.empty() ? "" : "\n") + finding;
  return {base::Code::kCorruption, text};
}

}  // namespace ledger
