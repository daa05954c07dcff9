#include "ledger/upkeep.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "ledger/keys.h"
#include "ledger/view_rebuild.h"

namespace ledger {
namespace {

constexpr std::string_view kPurgeKeys = "purge/";
// Looking for a few keys leaves the files between them alone; many are in most files, and each look has a cost of its own.
constexpr size_t kPurgedOneByOne = 16, kPurgedTogether = 1024;

}  // namespace

std::string purge_key(Table table, std::string_view key) {
  return std::string(kPurgeKeys) + static_cast<char>(table) + std::string(key);
}

Upkeep::Upkeep(std::shared_ptr<Store> store, Writer& writer, std::shared_ptr<HealthBoard> health, std::shared_ptr<FoldBoard> board,
               Ledger::Options options)
    : store_(std::move(store)), writer_(writer), health_(std::move(health)), board_(std::move(board)), options_(options) {
  const uint64_t head = writer_.published().head;
  std::vector<const View*> stale = store_->stale_views();
  for (const View* view : stale) board_->set(*view, 0, head, false);
  std::vector<Store::Fresh> begun = store_->begun_views();
  for (const Store::Fresh& each : begun) {
    for (const View* view : each.views) {
      const bool serves = std::erase(stale, view) == 0;
      board_->set(*view, each.folded, head, serves);
    }
  }
  if (!begun.empty() || !stale.empty()) {
    enqueue([this, begun = std::move(begun), stale = std::move(stale)] { go_on_after_start(begun, stale); });
  }
  purge();
  thread_ = std::thread([this] { run(); });
}

Upkeep::~Upkeep() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Upkeep::enqueue(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void Upkeep::run() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;  // what was asked for is answered, if only with a refusal
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

bool Upkeep::may_write() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stop_) return false;
    const Health::State state = health_->get().state;
    if (state == Health::State::kReadOnly) return false;
    if (state == Health::State::kOk && store_->free_bytes() >= options_.min_free_bytes) return true;
    wake_.wait_for(lock, std::chrono::milliseconds(options_.storage_probe_ms), [this] { return stop_.load(); });
  }
}

Patience Upkeep::patience(Ledger::Progress progress) {
  return {[this, progress = std::move(progress)](const std::string& what, uint64_t done, uint64_t total) {
    if (!may_write()) return false;
    if (progress) progress(what, done, total);
    return true;
  }};
}

base::Status Upkeep::rebuild_now(Store::Fresh fresh, const Ledger::Progress& progress) {
  const std::vector<const View*> views = fresh.views;
  const base::Result<bool> rebuilt = rebuild_views(*store_, std::move(fresh), writer_, *board_, patience(progress));
  if (rebuilt.is_ok()) {
    return *rebuilt ? base::Status()
                    : base::Status(base::Code::kUnavailable, "the ledger is closing or read-only; the rebuild goes on at the next start");
  }
  const base::Status& fault = rebuilt.status();
  // A bug in a view is that view's; what cannot be read may be anybody's.
  const bool unread = fault.code() == base::Code::kUnavailable || fault.code() == base::Code::kCorruption;
  const auto live = store_->live();
  for (const View* view : views) {
    const bool serves = live->holds(view_table(view->id()));
    if (serves) board_->remove(*view);
    if (!serves || unread) health_->read_only(fault.in(fmt::format("view {} cannot be folded", view->name())));
  }
  return fault;
}

void Upkeep::go_on_after_start(std::vector<Store::Fresh> begun, std::vector<const View*> stale) {
  for (Store::Fresh& each : begun) {
    if (each.folded <= writer_.published().head) {
      rebuild_now(std::move(each), nullptr).ignore();  // the board and the health say what became of it
    } else {
      stale.insert(stale.end(), each.views.begin(), each.views.end());
    }
  }
  if (stale.empty() || !may_write()) return;
  auto fresh = store_->fresh_views(stale, Store::Keep::kOverRestart);
  if (!fresh.is_ok()) return health_->read_only(fresh.status());
  rebuild_now(std::move(*fresh), nullptr).ignore();
}

void Upkeep::rebuild(std::vector<const View*> views, Ledger::Progress progress, std::function<void(base::Status)> done) {
  enqueue([this, views = std::move(views), progress = std::move(progress), done = std::move(done)] {
    if (!may_write()) {
      return done({base::Code::kUnavailable, "the ledger is closing or read-only; rebuild its views after the next start"});
    }
    auto fresh = store_->fresh_views(views, Store::Keep::kOverRestart);
    done(fresh.is_ok() ? rebuild_now(std::move(*fresh), progress) : fresh.status());
  });
}

void Upkeep::check(std::vector<const View*> views, Ledger::Progress progress,
                   std::function<void(base::Result<std::vector<std::string>>)> done) {
  enqueue([this, views = std::move(views), progress = std::move(progress), done = std::move(done)] {
    const Published now = writer_.published();
    for (const View* view : views) {
      if (!now.cut->holds(view_table(view->id()))) return done(board_->missing(view->id()));
    }
    done(check_views(*store_, *now.cut, now.head, views, patience(progress)));
  });
}

void Upkeep::purge() {
  enqueue([this] { purge_now(); });
}

void Upkeep::purge_now() {
  std::map<Table, std::vector<Noted>> noted;
  {
    // What is published is in force: records are forgotten only then. The cut must go before the engine looks, or would keep the bytes.
    const auto cut = writer_.published().cut;
    const base::Status scanned = cut->scan(Table::kMeta, kPurgeKeys, {}, [&](std::string_view key, std::string_view asked) {
      if (!key.starts_with(kPurgeKeys)) return false;
      key.remove_prefix(kPurgeKeys.size());
      noted[static_cast<Table>(key.front())].push_back({std::string(key.substr(1)), std::string(asked)});
      return true;
    });
    if (!scanned.is_ok()) return health_->read_only(scanned);
  }
  for (const auto& [table, rows] : noted) {
    const size_t together = rows.size() > kPurgedOneByOne ? kPurgedTogether : 1;
    for (std::span<const Noted> left = rows; !left.empty();) {
      if (!may_write()) return;
      const auto stretch = left.first(std::min(together, left.size()));
      purge_together(table, stretch);
      left = left.subspan(stretch.size());
    }
  }
}

void Upkeep::purge_together(Table table, std::span<const Noted> stretch) {
  const std::string& last = stretch.back().key;
  // What fails stays noted, and is tried again after the next start.
  if (!store_->purge(table, stretch.front().key, last.empty() ? last : last + '\0', stop_).is_ok()) return;
  const base::Status cleared = writer_.between_groups([&](uint64_t) -> base::Status {
    const auto live = store_->live();
    Store::Batch batch;
    for (const Noted& each : stretch) {
      const std::string row = purge_key(table, each.key);
      std::string asked;
      const auto found = live->get(Table::kMeta, row, asked);
      if (!found.is_ok()) return found.status();
      // Asked for again meanwhile, the engine may have looked too early.
      if (*found && asked == each.asked) batch.erase(*live, Table::kMeta, row);
    }
    return batch.empty() ? base::Status() : store_->write(batch, false);
  });
  cleared.ignore();
}

}  // namespace ledger
