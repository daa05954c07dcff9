// The tables on disk: RocksDB behind plain keys and values. Tables, keys and options: docs/formats/event_log.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ledger/fold.h"
#include "ledger/rows.h"

namespace ledger {

enum class Table : uint16_t { kEvents, kSubjects, kBlobs, kTree, kCommands, kPositions, kMeta, kFirstView = 16 };
inline Table view_table(ViewId view) {
  return static_cast<Table>(static_cast<uint16_t>(Table::kFirstView) + static_cast<uint16_t>(view));
}

/// The database folder.
///
/// Owns:    the database. Shared by its cuts: it closes with the last of them.
/// Threads: any. Groups are written by one thread, rows of rebuilds by another.
/// Errors:  Status with the engine's own text; kCorruption where a checksum fails.
class Store : public std::enable_shared_from_this<Store> {
 public:
  struct Tables;
  struct State;
  // In meta.
  static constexpr std::string_view kForgottenKey = "forgotten";
  static constexpr std::string_view kHeldCheckpointKey = "held_checkpoint";

  /// What a read sees: the tables, all at one moment, or as they are now.
  class Cut {
   public:
    ~Cut();
    Cut(const Cut&) = delete;
    Cut& operator=(const Cut&) = delete;

    bool holds(Table table) const;
    /// False: no such key.
    base::Result<bool> has(Table table, std::string_view key) const;
    base::Result<bool> get(Table table, std::string_view key, std::string& value) const;
    using Visit = std::function<bool(std::string_view key, std::string_view value)>;
    /// Rows with from <= key < to (`to` empty = no end), in key order, until `visit` returns false.
    base::Status scan(Table table, std::string_view from, std::string_view to, const Visit& visit) const;
    /// The same for many rows that are looked at once: reads ahead, and leaves the cache to others.
    base::Status sweep(Table table, std::string_view from, std::string_view to, const Visit& visit) const;
    /// False: the table is empty.
    base::Result<bool> last(Table table, std::string& key, std::string& value) const;

   private:
    friend class Store;
    friend class Batch;
    base::Status walk(Table table, std::string_view from, std::string_view to, bool many, const Visit& visit) const;
    Cut(std::shared_ptr<const Store> store, std::shared_ptr<const Tables> tables, bool frozen);
    std::shared_ptr<const Store> store_;
    std::shared_ptr<const Tables> tables_;
    const void* snapshot_ = nullptr;
  };

  /// Changes that are written together or not at all.
  class Batch {
   public:
    Batch();
    ~Batch();
    void clear();
    /// Into the tables `cut` shows.
    void put(const Cut& cut, Table table, std::string_view key, std::string_view value);
    void erase(const Cut& cut, Table table, std::string_view key);
    bool empty() const;

   private:
    friend class Store;
    struct Rep;
    std::unique_ptr<Rep> rep_;
  };

  struct Options {
    bool create = false;
    bool read_only = false;   // looks, without leaving a trace
    bool look_first = false;  // looks so until begin(); what was not begun has not happened
    bool damaged = false;     // with read_only: opens what files there are; tables and rows that need others fail when they are read
    std::span<const View* const> views;
    std::shared_ptr<const void> held = nullptr;  // kept for as long as the database is open
    /// A write, flush or compaction failed; on any thread. Without `passing` only a restart helps.
    std::function<void(const base::Status&, bool passing)> on_fault = [](const base::Status&, bool) {};
  };
  /// kNotFound: no database there. kUnsupportedVersion: made by a newer release. kCorruption: it cannot be read.
  static base::Result<std::shared_ptr<Store>> open(const std::filesystem::path& folder, const Options& options);
  ~Store();

  /// From here on the folder is written to, which open() does itself unless told to look first. After an error the store is of no use;
  /// the next open() finds the database as it was, or whole.
  base::Status begin();

  /// After a failed write nothing more may be written: the engine would end the process. It is then never closed either.
  base::Status write(Batch& batch, bool sync);
  std::shared_ptr<const Cut> live() const;
  std::shared_ptr<const Cut> cut() const;

  /// A database of its own that holds all that is written, in a new folder; hard links where that is possible.
  base::Status link_into(const std::filesystem::path& folder);

  /// Room left on the disk, for this user.
  uint64_t free_bytes() const;
  /// After a fault that could pass, once there is room again: everything in memory goes to table files, a new write-ahead log
  /// begins.
  base::Status resume();

  /// Views no cut holds: their rows are missing, or of another version.
  std::vector<const View*> stale_views() const;
  /// Tables of views beside the live ones, being folded.
  struct Fresh {
    std::vector<const View*> views;
    uint64_t folded = 0;                // their rows come from events 1 to this
    std::shared_ptr<const Cut> tables;  // the live ones, but with these in place of those of `views`
  };
  enum class Keep { kOverRestart, kNot };
  /// Empty ones. Those kept over a restart are in begun_views() then, as far as the last put_sorted() said.
  base::Result<Fresh> fresh_views(std::span<const View* const> views, Keep keep);
  std::vector<Fresh> begun_views() const;
  using VisitRow = std::function<void(std::string_view key, std::optional<std::string_view> row)>;
  /// Shows a view's changed rows in key order; nullopt = erased.
  using SortedRows = std::function<void(ViewId view, const VisitRow& visit)>;
  /// Makes table files of rows and takes them in, all at once and with them how far these tables are folded: many rows, without
  /// holding up the writer.
  base::Status put_sorted(const Fresh& fresh, Keep keep, const SortedRows& rows);
  /// Writes `last` and makes the tables the live ones, durably. drop_replaced() drops those they replace, which takes longer.
  base::Status adopt(const Fresh& fresh, Batch& last);
  base::Status drop_replaced();
  base::Status discard(const Fresh& fresh);

  /// Records of commands answered at or before this event count as absent. Set once that is durable.
  uint64_t forgotten() const;
  void forget(uint64_t up_to);
  /// Takes deleted rows, and forgotten ones, off the disk. Takes long, unless `canceled` becomes true; `to` empty = to the end.
  base::Status purge(Table table, std::string_view from, std::string_view to, std::atomic<bool>& canceled);

 private:
  class SortedFile;
  explicit Store(std::unique_ptr<State> state);
  /// All that is in memory only goes to table files.
  base::Status flush();
  static std::string rebuild_entry(const Fresh& fresh, const View& each);
  base::Status take_sorted(const Fresh& fresh, Keep keep, const SortedRows& rows, const std::filesystem::path& folder);
  std::shared_ptr<const Cut> beside_live(std::span<const View* const> views, const Tables& beside) const;
  std::unique_ptr<State> state_;
};

using Cut = Store::Cut;

}  // namespace ledger
