// The ledger's second thread: what takes long and must hold up nobody.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "ledger/fold_board.h"
#include "ledger/health_board.h"
#include "ledger/ledger.h"
#include "ledger/store.h"
#include "ledger/view_check.h"
#include "ledger/writer.h"

namespace ledger {

/// Folds views again, compares them, takes erased bytes off the disk: one thing after the other, in the order it was asked for.
///
/// Owns:    its thread. Borrows the writer; shares the store and the boards.
/// Threads: public methods from any thread; `progress` and `done` run on its own.
/// Errors:  to `done`. A view without rows that cannot be folded makes the ledger read-only; so does a rebuild that cannot read.
class Upkeep {
 public:
  /// Begins with what is to be done after a start: rebuilds that were interrupted, views without rows, bytes still to be purged.
  Upkeep(std::shared_ptr<Store> store, Writer& writer, std::shared_ptr<HealthBoard> health, std::shared_ptr<FoldBoard> board,
         Ledger::Options options);
  /// Stops after the batch at hand, and within a purge; what still waits is answered kUnavailable.
  ~Upkeep();
  Upkeep(const Upkeep&) = delete;
  Upkeep& operator=(const Upkeep&) = delete;

  void rebuild(std::vector<const View*> views, Ledger::Progress progress, std::function<void(base::Status)> done);
  void check(std::vector<const View*> views, Ledger::Progress progress,
             std::function<void(base::Result<std::vector<std::string>>)> done);
  /// What is noted in meta under purge_key().
  void purge();

 private:
  void enqueue(std::function<void()> work);
  void run();
  /// Waits while the storage takes no writes. False: the process ends, or the ledger is read-only.
  bool may_write();
  Patience patience(Ledger::Progress progress);
  base::Status rebuild_now(Store::Fresh fresh, const Ledger::Progress& progress);
  void go_on_after_start(std::vector<Store::Fresh> begun, std::vector<const View*> stale);
  void purge_now();
  struct Noted {
    std::string key;  // in its table; empty = all of it
    std::string asked;
  };
  /// One look at a stretch of the table that holds them all.
  void purge_together(Table table, std::span<const Noted> stretch);

  const std::shared_ptr<Store> store_;
  Writer& writer_;
  const std::shared_ptr<HealthBoard> health_;
  const std::shared_ptr<FoldBoard> board_;
  const Ledger::Options options_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_, as changes of stop_
  std::atomic<bool> stop_ = false;  // the engine looks at it too
  std::thread thread_;
};

/// Row of meta that asks for a key of a table to be taken off the disk; its value is the seq of the event that does.
std::string purge_key(Table table, std::string_view key);

}  // namespace ledger
