// The tables on disk: RocksDB behind plain keys and values. Tables, keys and options: docs/formats/event_log.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
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
/// Threads: any for reading; writing and view generations by one thread at a time.
/// Errors:  Status with the engine's own text; kCorruption where a checksum fails.
class Store : public std::enable_shared_from_this<Store> {
 public:
  struct Tables;
  struct State;

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
    /// False: the table is empty.
    base::Result<bool> last(Table table, std::string& key, std::string& value) const;

   private:
    friend class Store;
    friend class Batch;
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
    bool read_only = false;  // looks, without leaving a trace
    std::span<const View* const> views;
    std::shared_ptr<const void> held = nullptr;  // kept for as long as the database is open
    /// A write, flush or compaction failed; on any thread. Without `passing` only a restart helps.
    std::function<void(const base::Status&, bool passing)> on_fault = [](const base::Status&, bool) {};
  };
  /// kNotFound: no database there. kUnsupportedVersion: made by a newer release. kCorruption: it cannot be read.
  static base::Result<std::shared_ptr<Store>> open(const std::filesystem::path& folder, const Options& options);
  ~Store();

  /// After a failed write nothing more may be written: the engine would end the process. It is then never closed either.
  base::Status write(Batch& batch, bool sync);
  std::shared_ptr<const Cut> live() const;
  std::shared_ptr<const Cut> cut() const;

  /// Room left on the disk, for this user.
  uint64_t free_bytes() const;
  /// After a fault that could pass, once there is room again: everything in memory goes to table files, a new write-ahead log
  /// begins.
  base::Status resume();
  /// Views whose rows are missing or of another version.
  std::vector<const View*> stale_views() const;
  /// The live tables, but with empty ones in place of `views`.
  base::Result<std::shared_ptr<const Cut>> fresh_views(std::span<const View* const> views);
  /// Makes the tables of `fresh` the live ones, durably, and drops those they replace.
  base::Status adopt(const std::shared_ptr<const Cut>& fresh, std::span<const View* const> views);

 private:
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

using Cut = Store::Cut;

}  // namespace ledger
