#include "ledger/store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include "ledger/keys.h"
#include "ledger/prepared_logs.h"

namespace ledger {
namespace {

constexpr uint64_t kFormat = 1;
constexpr std::string_view kFormatKey = "format";
constexpr size_t kTableSlots = 64;
constexpr std::array<std::pair<Table, const char*>, 7> kBaseTables{{{Table::kEvents, "events"},
                                                                    {Table::kSubjects, "subjects"},
                                                                    {Table::kBlobs, "blobs"},
                                                                    {Table::kTree, "tree"},
                                                                    {Table::kCommands, "commands"},
                                                                    {Table::kPositions, "positions"},
                                                                    {Table::kMeta, "meta"}}};
constexpr std::string_view kViewPrefix = "view_";
constexpr uint64_t kBytesBeforeLogs = 4u << 20;  // written before it is worth while to prepare log files

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

bool is_no_space(const rocksdb::Status& status) { return status.subcode() == rocksdb::Status::kNoSpace; }

struct Faults {
  std::atomic<bool> log_failed{false};  // the write-ahead log took an error: version 7.8 asserts on its next use, even to close it
  std::atomic<bool> stopped{false};     // the engine takes no writes until it is resumed
};

base::Status to_status(const rocksdb::Status& status) {
  if (status.ok()) return {};
  base::Code code = base::Code::kUnavailable;
  if (status.IsCorruption()) code = base::Code::kCorruption;
  if (status.IsInvalidArgument()) code = base::Code::kInternal;
  if (status.IsNotSupported()) code = base::Code::kUnsupportedVersion;
  return {code, status.ToString()};
}

/// The engine's own log would leave a trace in a folder that is refused, and ends the process when it cannot be written.
class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

/// Recovery is the ledger's decision, not the engine's: it verifies what is there before it writes on.
class FaultListener final : public rocksdb::EventListener {
 public:
  FaultListener(std::function<void(const base::Status&, bool)> report, std::shared_ptr<Faults> faults)
      : report_(std::move(report)), faults_(std::move(faults)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    const bool log_failed =
        reason == rocksdb::BackgroundErrorReason::kWriteCallback || reason == rocksdb::BackgroundErrorReason::kMemTable;
    if (log_failed) faults_->log_failed = true;
    faults_->stopped = true;
    report_(to_status(*status), is_no_space(*status) && !log_failed);
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  const std::function<void(const base::Status&, bool)> report_;
  const std::shared_ptr<Faults> faults_;
};

rocksdb::ColumnFamilyOptions table_options(std::string_view name, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions blocks;
  blocks.block_size = 16 << 10;
  blocks.block_cache = cache;
  blocks.format_version = 5;
  blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  options.compression = name == "tree" ? rocksdb::kNoCompression : rocksdb::kLZ4Compression;  // hashes do not compress
  options.write_buffer_size = 16 << 20;
  options.max_write_buffer_number = 3;
  options.level_compaction_dynamic_level_bytes = true;
  options.paranoid_file_checks = false;
  options.force_consistency_checks = true;
  return options;
}

rocksdb::DBOptions database_options(const Store::Options& options, const std::shared_ptr<Faults>& faults) {
  rocksdb::DBOptions database;
  database.create_if_missing = options.create;
  database.create_missing_column_families = !options.read_only;
  database.paranoid_checks = true;
  database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  database.atomic_flush = true;  // without its write-ahead log the database is an earlier state, never a mixture
  database.max_background_jobs = 2;
  database.max_background_flushes = 1;
  database.max_total_wal_size = 64 << 20;
  database.bytes_per_sync = 512 << 10;
  database.recycle_log_file_num = 0;
  database.enable_pipelined_write = false;
  database.max_open_files = -1;
  database.info_log = std::make_shared<SilentLogger>();
  database.listeners.push_back(std::make_shared<FaultListener>(options.on_fault, faults));
  return database;
}

struct Generation {
  uint64_t version = 0;
  uint64_t number = 0;  // 0 = none
};
std::string generation_key(const View& view) { return std::string("view/") + view.name(); }
std::string encode(Generation generation) { return u64_key(generation.version) + u64_key(generation.number); }
std::string family_name(const View& view, uint64_t generation) {
  return fmt::format("{}{}.{}", kViewPrefix, view.name(), generation);
}
/// "view_runs.3" -> ("runs", 3).
std::optional<std::pair<std::string_view, uint64_t>> parse_family(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (!name.starts_with(kViewPrefix) || dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  uint64_t number = 0;
  for (char c : name.substr(dot + 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return {{name.substr(kViewPrefix.size(), dot - kViewPrefix.size()), number}};
}

}  // namespace

struct Store::Tables {
  std::array<std::shared_ptr<rocksdb::ColumnFamilyHandle>, kTableSlots> handles;
  std::map<ViewId, uint64_t> generations;

  rocksdb::ColumnFamilyHandle* at(Table table) const {
    const auto slot = static_cast<size_t>(table);
    return slot < handles.size() ? handles[slot].get() : nullptr;
  }
};

struct Store::State {
  std::filesystem::path folder;
  std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(64 << 20);
  std::shared_ptr<const void> held;
  std::shared_ptr<PreparedLogs> logs;      // null: opened to look only
  std::unique_ptr<rocksdb::Env> env;       // over `logs`; both outlive the database
  std::atomic<uint64_t> written_bytes{0};  // since it was opened
  // Outlives every table: a table's deleter holds it.
  std::shared_ptr<rocksdb::DB> database;
  std::shared_ptr<Faults> faults = std::make_shared<Faults>();
  std::function<void(const base::Status&, bool)> on_fault;
  std::vector<const View*> views;
  std::vector<const View*> stale;

  mutable std::mutex mutex;
  std::shared_ptr<const Tables> tables;  // guarded by mutex

  std::shared_ptr<rocksdb::ColumnFamilyHandle> hold(rocksdb::ColumnFamilyHandle* handle) const {
    return {handle,
            [db = database](rocksdb::ColumnFamilyHandle* table) { db->DestroyColumnFamilyHandle(table).PermitUncheckedError(); }};
  }
  std::shared_ptr<const Tables> current() const {
    std::lock_guard lock(mutex);
    return tables;
  }
};

Store::Cut::Cut(std::shared_ptr<const Store> store, std::shared_ptr<const Tables> tables, bool frozen)
    : store_(std::move(store)), tables_(std::move(tables)) {
  if (frozen) snapshot_ = store_->state_->database->GetSnapshot();
}
Store::Cut::~Cut() {
  if (snapshot_) store_->state_->database->ReleaseSnapshot(static_cast<const rocksdb::Snapshot*>(snapshot_));
}

bool Store::Cut::holds(Table table) const { return tables_->at(table) != nullptr; }

base::Result<bool> Store::Cut::has(Table table, std::string_view key) const {
  rocksdb::ColumnFamilyHandle* handle = tables_->at(table);
  if (!handle) return false;
  rocksdb::ReadOptions options;
  options.snapshot = static_cast<const rocksdb::Snapshot*>(snapshot_);
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = store_->state_->database->Get(options, handle, slice(key), &value);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return to_status(status).in(store_->state_->folder.string());
  return true;
}

base::Result<bool> Store::Cut::get(Table table, std::string_view key, std::string& value) const {
  rocksdb::ColumnFamilyHandle* handle = tables_->at(table);
  if (!handle) return false;
  rocksdb::ReadOptions options;
  options.snapshot = static_cast<const rocksdb::Snapshot*>(snapshot_);
  const rocksdb::Status status = store_->state_->database->Get(options, handle, slice(key), &value);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return to_status(status).in(store_->state_->folder.string());
  return true;
}

base::Status Store::Cut::scan(Table table, std::string_view from, std::string_view to, const Visit& visit) const {
  rocksdb::ColumnFamilyHandle* handle = tables_->at(table);
  if (!handle) return {};
  rocksdb::ReadOptions options;
  options.snapshot = static_cast<const rocksdb::Snapshot*>(snapshot_);
  const rocksdb::Slice end = slice(to);
  if (!to.empty()) options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> rows(store_->state_->database->NewIterator(options, handle));
  for (rows->Seek(slice(from)); rows->Valid(); rows->Next()) {
    if (!visit(view(rows->key()), view(rows->value()))) return {};
  }
  return to_status(rows->status()).in(store_->state_->folder.string());
}

base::Result<bool> Store::Cut::last(Table table, std::string& key, std::string& value) const {
  rocksdb::ColumnFamilyHandle* handle = tables_->at(table);
  if (!handle) return false;
  rocksdb::ReadOptions options;
  options.snapshot = static_cast<const rocksdb::Snapshot*>(snapshot_);
  const std::unique_ptr<rocksdb::Iterator> rows(store_->state_->database->NewIterator(options, handle));
  rows->SeekToLast();
  if (!rows->status().ok()) return to_status(rows->status()).in(store_->state_->folder.string());
  if (!rows->Valid()) return false;
  key = rows->key().ToString();
  value = rows->value().ToString();
  return true;
}

struct Store::Batch::Rep {
  rocksdb::WriteBatch batch;
};
Store::Batch::Batch() : rep_(std::make_unique<Rep>()) {}
Store::Batch::~Batch() = default;
void Store::Batch::clear() { rep_->batch.Clear(); }
void Store::Batch::put(const Cut& cut, Table table, std::string_view key, std::string_view value) {
  rep_->batch.Put(cut.tables_->at(table), slice(key), slice(value)).PermitUncheckedError();
}
void Store::Batch::erase(const Cut& cut, Table table, std::string_view key) {
  rep_->batch.Delete(cut.tables_->at(table), slice(key)).PermitUncheckedError();
}
bool Store::Batch::empty() const { return rep_->batch.Count() == 0; }

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::~Store() {
  // On purpose never closed, see Faults; and the folder is never given back to others while this process lives.
  if (state_->faults->log_failed) new std::tuple(state_->held, state_->database, state_->logs, std::move(state_->env));
}

base::Result<std::shared_ptr<Store>> Store::open(const std::filesystem::path& folder, const Options& options) {
  const std::string path = folder.string();
  const bool there = std::filesystem::exists(folder / "CURRENT");
  if (!there && !options.create) return base::Status(base::Code::kNotFound, path + ": no database there");

  auto state = std::make_unique<State>();
  state->folder = folder;
  state->on_fault = options.on_fault;
  state->held = options.held;
  state->views.assign(options.views.begin(), options.views.end());

  std::vector<std::string> names;
  if (there) {
    const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies({}, path, &names);
    if (!listed.ok()) return to_status(listed).in(path);
  } else {
    names.push_back(rocksdb::kDefaultColumnFamilyName);
  }
  for (const std::string& name : names) {
    bool known = name == rocksdb::kDefaultColumnFamilyName;
    for (const auto& [table, base_name] : kBaseTables) known = known || name == base_name;
    if (const auto family = parse_family(name)) {
      for (const View* each : state->views) known = known || family->first == each->name();
    }
    if (!known) {
      return base::Status(
          base::Code::kUnsupportedVersion,
          fmt::format("{}: holds a table \"{}\" this release does not know; open it with the release that wrote it", path, name));
    }
  }
  size_t missing = 0;
  for (const auto& [table, name] : kBaseTables) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    missing += 1;
    if (!options.read_only) names.push_back(name);
  }

  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) families.emplace_back(name, table_options(name, state->cache));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* database = nullptr;
  rocksdb::DBOptions settings = database_options(options, state->faults);
  if (!options.read_only) {
    state->logs = std::make_shared<PreparedLogs>(rocksdb::FileSystem::Default(), path);
    state->env = rocksdb::NewCompositeEnv(state->logs);
    settings.env = state->env.get();
  }
  const rocksdb::Status opened = options.read_only ? rocksdb::DB::OpenForReadOnly(settings, path, families, &handles, &database)
                                                   : rocksdb::DB::Open(settings, path, families, &handles, &database);
  if (!opened.ok()) return to_status(opened).in(path);
  state->database.reset(database);

  auto tables = std::make_shared<Tables>();
  std::map<std::string, std::shared_ptr<rocksdb::ColumnFamilyHandle>> by_name;
  for (size_t i = 0; i < handles.size(); ++i) by_name[names[i]] = state->hold(handles[i]);
  for (const auto& [table, name] : kBaseTables) {
    if (by_name.contains(name)) tables->handles[static_cast<size_t>(table)] = by_name[name];
  }
  state->tables = tables;
  State& at = *state;
  auto store = std::shared_ptr<Store>(new Store(std::move(state)));

  std::string value;
  auto found = store->live()->get(Table::kMeta, kFormatKey, value);
  if (!found.is_ok()) return found.status();
  if (*found && (value.size() != 8 || read_u64(value) > kFormat)) {
    return base::Status(base::Code::kUnsupportedVersion,
                        fmt::format("{}: is of format {}, this release reads up to {}; open it with the release that wrote it",
                                    path, value.size() == 8 ? read_u64(value) : 0, kFormat));
  }
  if (*found && missing > 0)
    return base::Status(base::Code::kCorruption, fmt::format("{}: {} of its tables are missing", path, missing));

  // The tables each view's rows are in; what no view is in was left by a rebuild that did not end.
  Batch batch;
  for (const View* each : at.views) {
    auto entry = store->live()->get(Table::kMeta, generation_key(*each), value);
    if (!entry.is_ok()) return entry.status();
    Generation generation;
    if (*entry && value.size() == 16) generation = {read_u64(value), read_u64(value, 8)};
    const auto family = by_name.find(family_name(*each, generation.number));
    const bool present = generation.number != 0 && family != by_name.end();
    if (!present || generation.version != each->version()) at.stale.push_back(each);
    if (present) {
      tables->handles[static_cast<size_t>(view_table(each->id()))] = family->second;
      tables->generations[each->id()] = generation.number;
      by_name.erase(family);
    }
  }
  if (options.read_only) return store;

  for (const auto& [name, handle] : by_name) {
    if (!parse_family(name)) continue;
    const rocksdb::Status dropped = at.database->DropColumnFamily(handle.get());
    if (!dropped.ok()) return to_status(dropped).in(path);
  }
  if (!*found) {
    batch.put(*store->live(), Table::kMeta, kFormatKey, u64_key(kFormat));
    if (base::Status written = store->write(batch, true); !written.is_ok()) return written;
  }
  return store;
}

base::Status Store::write(Batch& batch, bool sync) {
  if (state_->faults->stopped) return {base::Code::kUnavailable, state_->folder.string() + ": an earlier write failed"};
  rocksdb::WriteOptions options;
  options.sync = sync;
  const size_t bytes = batch.rep_->batch.GetDataSize();
  const rocksdb::Status written = state_->database->Write(options, &batch.rep_->batch);
  if (const uint64_t before = state_->written_bytes.fetch_add(bytes); before < kBytesBeforeLogs && before + bytes >= kBytesBeforeLogs) {
    state_->logs->begin();
  }
  const base::Status status = to_status(written).in(state_->folder.string());
  if (!status.is_ok() && !state_->faults->stopped.exchange(true)) {  // the listener did not hear of it
    state_->faults->log_failed = true;
    state_->on_fault(status, false);
  }
  return status;
}

uint64_t Store::free_bytes() const {
  std::error_code error;
  const auto space = std::filesystem::space(state_->folder, error);
  return error ? 0 : space.available;
}

std::shared_ptr<const Cut> Store::live() const {
  return std::shared_ptr<const Cut>(new Cut(shared_from_this(), state_->current(), false));
}
std::shared_ptr<const Cut> Store::cut() const {
  return std::shared_ptr<const Cut>(new Cut(shared_from_this(), state_->current(), true));
}

base::Status Store::resume() {
  if (!state_->faults->stopped) return {};
  if (state_->faults->log_failed)
    return {base::Code::kUnavailable, state_->folder.string() + ": the write-ahead log failed; restart"};
  if (const rocksdb::Status resumed = state_->database->Resume(); !resumed.ok())
    return to_status(resumed).in(state_->folder.string());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const auto tables = state_->current();
  for (const auto& handle : tables->handles) {
    if (handle) handles.push_back(handle.get());
  }
  const rocksdb::Status flushed = state_->database->Flush({}, handles);
  if (flushed.ok()) state_->faults->stopped = false;
  return to_status(flushed).in(state_->folder.string());
}

std::vector<const View*> Store::stale_views() const { return state_->stale; }

base::Result<std::shared_ptr<const Cut>> Store::fresh_views(std::span<const View* const> views) {
  auto tables = std::make_shared<Tables>(*state_->current());
  for (const View* each : views) {
    const uint64_t generation = ++tables->generations[each->id()];
    const std::string name = family_name(*each, generation);
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    const rocksdb::Status made = state_->database->CreateColumnFamily(table_options(name, state_->cache), name, &handle);
    if (!made.ok()) return to_status(made).in(state_->folder.string());
    tables->handles[static_cast<size_t>(view_table(each->id()))] = state_->hold(handle);
  }
  return std::shared_ptr<const Cut>(new Cut(shared_from_this(), tables, false));
}

base::Status Store::adopt(const std::shared_ptr<const Cut>& fresh, std::span<const View* const> views) {
  Batch batch;
  for (const View* each : views) {
    batch.put(*fresh, Table::kMeta, generation_key(*each),
              encode({.version = each->version(), .number = fresh->tables_->generations.at(each->id())}));
  }
  // The rows were not synced; this write's sync covers every write before it.
  if (base::Status written = write(batch, true); !written.is_ok()) return written;
  const std::shared_ptr<const Tables> replaced = state_->current();
  {
    std::lock_guard lock(state_->mutex);
    state_->tables = fresh->tables_;
  }
  state_->stale.clear();
  for (const View* each : views) {
    // Readers that still look at the old rows keep them until they let go.
    rocksdb::ColumnFamilyHandle* old = replaced->at(view_table(each->id()));
    if (!old) continue;
    if (const rocksdb::Status dropped = state_->database->DropColumnFamily(old); !dropped.ok()) {
      return to_status(dropped).in(state_->folder.string());
    }
  }
  return {};
}

}  // namespace ledger
