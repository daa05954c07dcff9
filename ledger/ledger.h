// The ledger: the log, the one writer, the views and the blobs. Bytes: docs/formats/event_log.md. Why: docs/adr/.
#pragma once

#include <capnp/message.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "base/time.h"
#include "ledger/proof/checkpoint.h"
#include "ledger/proof/merkle.h"
#include "ledger/rows.h"
#include "schema/command.capnp.h"

namespace ledger {

class Backup;
struct Rules;
class Verification;

/// Who stands behind a command; becomes the events' Actor.
struct Identity {
  schema::Actor::Kind kind = schema::Actor::Kind::UNKNOWN;
  std::string name;
  std::string proof;
  std::string right = {};  // what allowed it
};

/// What became of a command. `events` are the seqs appended, in order.
struct Answer {
  base::Status status;
  std::vector<uint64_t> events;
  bool repeated = false;  // the id was known: the first answer again
};

/// Somebody takes a ledger as it is, knowing that something was lost.
struct AcceptedLoss {
  Identity who;
  std::string reason;
  /// The last checkpoint that was witnessed, where somebody has it: counts when it promises more than HEAD.
  std::optional<Checkpoint> witnessed = {};
};

/// Events that were recorded elsewhere, for a ledger that is a copy.
struct Delivery {
  struct Event {
    std::string bytes;               // as stored there
    std::vector<std::string> blobs;  // documents it names
  };
  std::vector<Event> events;
  /// Looks at the tree they would make, on the writer's thread, right before they are written.
  std::function<base::Status(const TreeEdge& with)> check;
  std::string checkpoint;  // kept with them, as the signed word for everything up to their end; empty = the last one stays
};

struct Health {
  enum class State { kOk, kStorageLow, kReadOnly };
  State state = State::kOk;
  std::string detail;  // why, when not kOk
};

/// A view that is being folded again.
struct ViewProgress {
  ViewId id;
  std::string view;
  uint64_t folded = 0;
  uint64_t total = 0;
  bool serves = false;  // its older rows are shown meanwhile; if not, reading it is answered kUnavailable
};

/// Gets an event's stored bytes, which last until it returns; false ends the reading.
using VisitEvent = std::function<bool(uint64_t seq, kj::ArrayPtr<const capnp::word> words)>;

/// A consistent view of everything up to one seq. Cheap; keep it for one request, not longer.
///
/// Threads: any, one at a time. May outlive the ledger, whose folder then stays locked.
/// Errors:  a read that fails returns nothing and stays visible in status(); the ledger stops taking commands. A view whose rows are
///          not folded yet is kUnavailable in status(), and harms nothing.
class Snapshot : public RowReader {
 public:
  /// kOk, or why a read failed: whatever was read from then on is incomplete. Look once, before using what was read.
  virtual base::Status status() const = 0;
  virtual uint64_t head() const = 0;
  /// The stored bytes of event `seq`, kNotFound beyond the head. Read them with StoredEvent (ledger/event_bytes.h).
  virtual base::Result<kj::Array<capnp::word>> event(uint64_t seq) const = 0;
  /// Events from..to, as far as there are such, in order: for all who read more than one after the other.
  virtual base::Status events(uint64_t from, uint64_t to, const VisitEvent& visit) const = 0;
  /// Seqs of the events about a subject (ledger/subjects.h makes the key), from `from` on, at most `limit`.
  virtual std::vector<uint64_t> subject(std::string_view key, uint64_t from, size_t limit) const = 0;
  /// Node (level, index) of the tree over the log (ledger/proof/merkle.h), which must be complete: kCorruption else.
  virtual base::Result<base::Sha256> tree_node(int level, uint64_t index) const = 0;
  /// Last position a daemon stored with a command; 0 = none.
  virtual uint64_t position(std::string_view daemon) const = 0;
  /// What a sender's command was answered, if its id counts as known (promise P4): for what is dear to make up again.
  virtual std::optional<Answer> answered(const Identity& identity, std::string_view command_id) const = 0;
  /// In the copy of another ledger, the last checkpoint of that one whose end has been reached; empty = none.
  virtual std::string held_checkpoint() const { return {}; }
};

/// Append-only record of everything that happened, and the views folded from it.
///
/// Owns:    the database folder (locked), the writer thread. Borrows the Clock.
/// Threads: every method from any thread. `done` and `on_commit` run on the writer thread: hand over and return, never throw.
/// Errors:  Status; after a storage fault every command is answered kUnavailable and reads go on. Low storage passes by itself;
///          read-only lasts until the process is started again, and the folder stays locked until then.
/// Units:   times UTC nanoseconds, sizes bytes.
class Ledger {
 public:
  struct Options {
    size_t queue_commands = 65536;  // more waiting commands than this are answered kUnavailable at once
    size_t queue_bytes = 256u << 20;
    bool create_if_missing = true;
    bool sync = true;                      // false only in benchmarks: then an answer promises nothing
    bool tree = true;                      // false only in benchmarks: then nothing can be proved, and the ledger is not opened again
    uint64_t min_free_bytes = 128u << 20;  // less room on the disk than this: no commands, before the storage engine runs into it
    int storage_probe_ms = 1000;           // how often it is looked whether there is room again
    /// Opens a ledger that is whole but shorter than its HEAD or witness promises, or whose HEAD is lost; the first thing it appends is
    /// lossAccepted. A HEAD that cannot be read is kept as HEAD.unreadable (or .2, .3 ... where there is one). Killed or refused before
    /// that is durable, the ledger does not open without it.
    const AcceptedLoss* accept_loss = nullptr;
    /// The last checkpoint that was witnessed, where somebody has it: a ledger that does not lead to it is refused like one that does not
    /// keep its HEAD, unless an event accepts the loss.
    std::optional<Checkpoint> witnessed = {};
    /// Address of the ledger this one is a copy of: it grows by take() alone, and every command is answered kPermissionDenied with it.
    std::string follows = {};
  };

  /// kCorruption: the folder holds less than its HEAD promised (the message says how much is missing), or cannot be read.
  /// kUnsupportedVersion: written by a newer release. kConflict: another process has it open. A refused folder is left as it was.
  static base::Result<std::unique_ptr<Ledger>> open(const std::filesystem::path& folder, const Options& options,
                                                    const base::Clock& clock);
  /// The same with other rules than the standard ones.
  static base::Result<std::unique_ptr<Ledger>> open(const std::filesystem::path& folder, const Options& options,
                                                    const base::Clock& clock, Rules rules);
  virtual ~Ledger() = default;

  using Done = std::function<void(Answer)>;
  /// Queues a command; `done` is called exactly once, after its events are synced (promise P1). `command` is copied.
  /// A command id counts for its sender (kind and name). Answers to try again (kUnavailable, kTimedOut) and kInternal are not
  /// remembered; every other answer is what the same id gets for ever. When the queue is full `done` runs within submit().
  virtual void submit(schema::Command::Reader command, const Identity& identity, Done done) = 0;
  /// The same for several, decided in order; `done` gets one Answer each.
  virtual void submit_all(capnp::List<schema::Command>::Reader commands, const Identity& identity,
                          std::function<void(std::vector<Answer>)> done) = 0;
  /// Appends what another ledger recorded, as it is; `done` is called exactly once, after it is synced. What `check` answers is the
  /// answer where it is not kOk; kCorruption: the events do not continue the log. Nothing of a delivery that is refused is written.
  virtual void take(Delivery delivery, std::function<void(base::Status)> done) = 0;
  /// Waits for the answer; for programs without a loop, and tests.
  Answer apply(schema::Command::Reader command, const Identity& identity);

  virtual std::unique_ptr<Snapshot> snapshot() const = 0;
  virtual uint64_t head() const = 0;  // last durable seq
  virtual const std::string& id() const = 0;
  virtual Health health() const = 0;
  /// Called after each synced group with the new head, and after views were exchanged. One observer; set before the first command.
  virtual void on_commit(std::function<void(uint64_t head)> observer) = 0;

  /// What checkpoints are signed with; or why there is nothing to sign with, which stops nothing else.
  virtual const base::Result<SigningKey>& checkpoint_key() const = 0;
  /// Everything there is now, ready to be read again (ledger/verify.h). May outlive the ledger.
  virtual std::unique_ptr<Verification> verification() const = 0;

  /// Everything there is now, ready to be backed up (ledger/backup.h). May outlive the ledger.
  virtual base::Result<std::unique_ptr<Backup>> backup() const = 0;

  /// Views being folded again: since the start, where a release has another version of them, or because somebody asked.
  virtual std::vector<ViewProgress> rebuilding() const = 0;
  /// Called now and then while long work goes on, like `done` on a thread of its own: hand over and return.
  using Progress = std::function<void(const std::string& what, uint64_t done, uint64_t total)>;
  /// Folds views again beside their rows and replaces these; no names = all. Readers and commands are held up for the last step only.
  /// `done` comes exactly once. kNotFound: no such view.
  virtual void rebuild_views(const std::vector<std::string>& names, Progress progress, std::function<void(base::Status)> done) = 0;
  /// Folds views again and compares every row (promise P3): one sentence for each view that differs, with its first row that does and
  /// the first event that makes a difference.
  virtual void check_views(const std::vector<std::string>& names, Progress progress,
                           std::function<void(base::Result<std::vector<std::string>>)> done) const = 0;
  /// These wait, for programs without a loop, and tests. kCorruption: the findings.
  base::Status rebuild_views();
  base::Status check_views() const;
};

}  // namespace ledger
