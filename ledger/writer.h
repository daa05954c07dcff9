// The one writer: decides commands in order, writes each group in one synced batch, then answers. Why: docs/adr/0001-one-writer.md.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "ledger/fold_board.h"
#include "ledger/head_file.h"
#include "ledger/health_board.h"
#include "ledger/ledger.h"
#include "ledger/log_state.h"
#include "ledger/overlay.h"
#include "ledger/rules.h"
#include "ledger/store.h"
#include "ledger/tree_rows.h"
#include "ledger/uptake.h"

namespace ledger {

/// What readers may see: everything durable, and nothing else.
struct Published {
  std::shared_ptr<const Cut> cut;
  uint64_t head = 0;
};

/// Owns:    its thread and the queue; borrows HeadFile and Clock. Shares the store.
/// Threads: public methods from any thread; the rest is the writer thread's.
/// Errors:  in the answers, and on the health board.
class Writer {
 public:
  using Done = std::function<void(std::vector<Answer>)>;
  Writer(std::shared_ptr<Store> store, LogState state, Rules rules, Ledger::Options options, const base::Clock& clock,
         HeadFile& head_file, std::shared_ptr<HealthBoard> health, std::shared_ptr<FoldBoard> board);
  /// Ends the group at hand; what still waits is answered kUnavailable.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void submit(schema::Command::Reader command, const Identity& identity, Done done);
  void submit_all(capnp::List<schema::Command>::Reader commands, const Identity& identity, Done done);
  void take(Delivery delivery, std::function<void(base::Status)> done);
  Published published() const;
  void on_commit(std::function<void(uint64_t)> observer);
  /// Called when an event wants bytes taken off the disk (ledger/upkeep.h), before it is answered. When this returns no earlier
  /// observer is being called any more.
  void on_purge(std::function<void()> observer);
  /// Runs `task` on the writer's thread with the last seq, and waits for it. When it is done readers see what it made of the tables.
  /// kUnavailable: the ledger is closing or takes no writes.
  base::Status between_groups(std::function<base::Status(uint64_t head)> task);

 private:
  struct Submission;
  struct Share {  // the commands of one submission that belong to this group
    Submission* submission;
    size_t begin;
    size_t end;
  };

  void enqueue(std::unique_ptr<Submission> submission);
  void run();
  void await_work();
  std::vector<Share> take_group();
  void process(const std::vector<Share>& group);
  base::Status take_now(const Delivery& delivery);
  void became_durable(const LogState& state, uint64_t forgotten, bool purges);
  void refuse_group(const std::vector<Share>& group, const base::Status& status);
  void answer_group();

  Answer handle(schema::Command::Reader command, const Submission& from);
  base::Result<std::vector<uint64_t>> decide(schema::Command::Reader command, schema::Actor::Reader actor);
  base::Status put_position(schema::Position::Reader position);
  void put_event(const kj::Array<capnp::word>& words);
  void forget(schema::Event::Reader event);
  void remember(const std::string& key, const Answer& answer);
  std::optional<Answer> first_answer(const std::string& key);

  void publish();
  void tell_observer();
  bool has_room(const std::vector<Share>& group) const;
  void no_room();
  void try_storage();

  const std::shared_ptr<Store> store_;
  const Rules rules_;
  const Ledger::Options options_;
  const base::Clock& clock_;
  HeadFile& head_file_;
  const std::shared_ptr<HealthBoard> health_;
  const std::shared_ptr<FoldBoard> board_;

  // Writer thread only.
  LogState durable_;
  LogState next_;  // durable_ and what the group at hand adds
  Overlay overlay_;
  Store::Batch batch_;
  TreeRows tree_rows_;
  std::shared_ptr<const Cut> live_;
  std::unordered_map<std::string, Answer> answers_;      // of this group
  std::unordered_map<std::string, uint64_t> positions_;  // of this group
  std::vector<std::unique_ptr<Submission>> finished_;
  uint64_t forgotten_ = 0;  // records answered at or before this event are absent, this group's word included
  bool purges_ = false;     // this group wants bytes taken off the disk
  Uptake uptake_;           // what is taken as it is
  int not_awaited_ = 0;     // so many times more await_work() returns at once
  int missed_ = 0;          // so many times it did after it had last waited in vain

  mutable std::mutex published_mutex_;
  Published published_;  // guarded by published_mutex_

  std::mutex purge_mutex_;
  std::function<void()> purge_observer_;  // guarded by purge_mutex_, also while it is called

  std::atomic<bool> more_{false};  // there is something to do since it was last cleared; set and cleared under mutex_

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Submission>> queue_;  // guarded by mutex_, as all below
  std::deque<std::function<void()>> tasks_;
  size_t waiting_commands_ = 0;
  size_t waiting_bytes_ = 0;
  bool stop_ = false;
  std::function<void(uint64_t)> observer_;
  std::thread thread_;
};

}  // namespace ledger
