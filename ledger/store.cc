#include "ledger/store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>

#include "ledger/held_writes.h"
#include "ledger/keys.h"
#include "ledger/prepared_logs.h"
#include "ledger/table_options.h"

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
constexpr std::string_view kSortedFolder = "sorted";  // in the database's: table files that are being made
constexpr uint64_t kBytesToFlush = 1u << 20;     // written since the database was opened: reading them back would make the next start slow

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
  std::string text = status.ToString();
  // A table file that is missing is looked for under its name of long ago last, and that is the name given.
  for (size_t at; (at = text.find(".ldb")) != std::string::npos;) text.replace(at, 4, ".sst");
  return {code, std::move(text)};
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
  database.max_open_files = 512;  // an opening opens a few of them, whatever the size of the ledger
  database.skip_stats_update_on_db_open = true;
  database.max_file_opening_threads = 1;  // each table would start as many, and these take longer than its few files
  database.info_log = std::make_shared<SilentLogger>();
  database.listeners.push_back(std::make_shared<FaultListener>(options.on_fault, faults));
  return database;
}

struct Generation {
  uint64_t version = 0;
  uint64_t number = 0;  // 0 = none
};
constexpr std::string_view kGenerationKeys = "view/", kRebuildKeys = "rebuild/";
std::string generation_key(const View& each) { return std::string(kGenerationKeys) + each.name(); }
std::string rebuild_key(const View& each) { return std::string(kRebuildKeys) + each.name(); }
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
  std::shared_ptr<rocksdb::ColumnFamilyHandle> of(const View& each) const {
    return handles[static_cast<size_t>(view_table(each.id()))];
  }
  void put(const View& each, uint64_t generation, std::shared_ptr<rocksdb::ColumnFamilyHandle> table) {
    handles[static_cast<size_t>(view_table(each.id()))] = std::move(table);
    generations[each.id()] = generation;
  }
};

struct Store::State {
  std::filesystem::path folder;
  std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(64 << 20);
  std::shared_ptr<const void> held;
  bool only_read = false;
  std::shared_ptr<HeldWrites> writes;      // null: only read, or a new database
  std::atomic<uint64_t> written_bytes{0};  // since it was opened
  // Outlives every table: a table's deleter holds it. What lies below it outlives it: its own deleter holds that.
  std::shared_ptr<rocksdb::DB> database;
  std::shared_ptr<Faults> faults = std::make_shared<Faults>();
  std::function<void(const base::Status&, bool)> on_fault;
  std::shared_ptr<Forgotten> forgotten = std::make_shared<Forgotten>(0);
  std::vector<const View*> views;
  std::map<std::string, std::shared_ptr<rocksdb::ColumnFamilyHandle>> nobodys;  // by name; until begin()

  mutable std::mutex mutex;  // guards all below
  std::shared_ptr<const Tables> tables;
  std::map<ViewId, uint64_t> next_generations;
  std::vector<std::shared_ptr<rocksdb::ColumnFamilyHandle>> replaced;
  std::map<uint64_t, std::pair<std::vector<const View*>, std::shared_ptr<Tables>>> begun;  // by how far they are folded

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
  return walk(table, from, to, false, visit);
}
base::Status Store::Cut::sweep(Table table, std::string_view from, std::string_view to, const Visit& visit) const {
  return walk(table, from, to, true, visit);
}

base::Status Store::Cut::walk(Table table, std::string_view from, std::string_view to, bool many, const Visit& visit) const {
  rocksdb::ColumnFamilyHandle* handle = tables_->at(table);
  if (!handle) return {};
  rocksdb::ReadOptions options;
  options.snapshot = static_cast<const rocksdb::Snapshot*>(snapshot_);
  options.fill_cache = !many;  // the engine reads ahead by itself once blocks are asked for in order
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
  if (!state_->only_read && !state_->faults->stopped && state_->written_bytes >= kBytesToFlush) flush().ignore();  // the log has it all anyway
  // On purpose never closed, see Faults; and the folder is never given back to others while this process lives.
  if (state_->faults->log_failed) new std::tuple(state_->held, state_->database);
}

base::Result<std::shared_ptr<Store>> Store::open(const std::filesystem::path& folder, const Options& options) {
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);  // nobody reads what the engine counts for each thread
  const std::string path = folder.string();
  const bool there = std::filesystem::exists(folder / "CURRENT");
  if (!there && !options.create) return base::Status(base::Code::kNotFound, path + ": no database there");

  auto state = std::make_unique<State>();
  state->folder = folder;
  state->on_fault = options.on_fault;
  state->held = options.held;
  state->only_read = options.read_only;
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
    if (!known && !parse_family(name)) {
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
  for (const std::string& name : names) families.emplace_back(name, table_options(name, state->cache, state->forgotten));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* database = nullptr;
  rocksdb::DBOptions settings = database_options(options, state->faults);
  if (options.damaged) {
    settings.paranoid_checks = false;
    settings.skip_checking_sst_file_sizes_on_db_open = true;
  }
  std::shared_ptr<rocksdb::Env> env;
  if (!options.read_only) {
    std::shared_ptr<rocksdb::FileSystem> files = std::make_shared<PreparedLogs>(rocksdb::FileSystem::Default());
    if (there) files = state->writes = std::make_shared<HeldWrites>(files, folder);
    env = rocksdb::NewCompositeEnv(files);
    settings.env = env.get();
  }
  const rocksdb::Status opened = options.read_only ? rocksdb::DB::OpenForReadOnly(settings, path, families, &handles, &database)
                                                   : rocksdb::DB::Open(settings, path, families, &handles, &database);
  if (!opened.ok()) return to_status(opened).in(path);
  state->database.reset(database, [env](rocksdb::DB* done) { delete done; });

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
  if (!found.is_ok() && options.damaged) found = false;
  if (!found.is_ok()) return found.status();
  if (*found && (value.size() != 8 || read_u64(value) > kFormat)) {
    return base::Status(base::Code::kUnsupportedVersion,
                        fmt::format("{}: is of format {}, this release reads up to {}; open it with the release that wrote it",
                                    path, value.size() == 8 ? read_u64(value) : 0, kFormat));
  }
  if (*found && missing > 0 && !options.damaged)
    return base::Status(base::Code::kCorruption, fmt::format("{}: {} of its tables are missing", path, missing));

  found = store->live()->get(Table::kMeta, kForgottenKey, value);
  if (!found.is_ok() && options.damaged) found = false;
  if (!found.is_ok()) return found.status();
  if (*found && value.size() == 8) *at.forgotten = read_u64(value);

  // The tables each view's rows are in, and those of a rebuild that goes on. All other rows of views are nobody's: what a check left,
  // an older version, a view there is no more.
  for (const View* each : at.views) {
    at.next_generations[each->id()] = 1;
    for (const std::string& name : names) {
      const auto family = parse_family(name);
      if (!family || family->first != each->name()) continue;
      at.next_generations[each->id()] = std::max(at.next_generations[each->id()], family->second + 1);
    }
    const auto table_of = [&](uint64_t generation) {
      const auto family = by_name.find(family_name(*each, generation));
      return family == by_name.end() ? nullptr : family->second;
    };
    auto entry = store->live()->get(Table::kMeta, generation_key(*each), value);
    if (!entry.is_ok() && options.damaged) entry = false;
    if (!entry.is_ok()) return entry.status();
    if (*entry && value.size() == 16 && read_u64(value) == each->version() && table_of(read_u64(value, 8))) {
      const uint64_t generation = read_u64(value, 8);
      tables->put(*each, generation, table_of(generation));
      by_name.erase(family_name(*each, generation));
    }
    entry = store->live()->get(Table::kMeta, rebuild_key(*each), value);
    if (!entry.is_ok() && options.damaged) entry = false;
    if (!entry.is_ok()) return entry.status();
    if (*entry && value.size() == 24 && read_u64(value) == each->version() && table_of(read_u64(value, 8))) {
      const uint64_t generation = read_u64(value, 8);
      auto& [views, beside] = at.begun[read_u64(value, 16)];
      if (!beside) beside = std::make_shared<Tables>();
      views.push_back(each);
      beside->put(*each, generation, table_of(generation));
      by_name.erase(family_name(*each, generation));
    }
  }
  if (options.read_only) return store;
  std::erase_if(by_name, [](const auto& each) { return !parse_family(each.first); });
  at.nobodys = std::move(by_name);
  if (options.look_first) return store;
  if (base::Status begun = store->begin(); !begun.is_ok()) return begun;
  return store;
}

base::Status Store::begin() {
  const std::string path = state_->folder.string();
  if (state_->writes) {
    if (const rocksdb::Status released = state_->writes->release(); !released.ok()) return to_status(released).in(path);
  }
  std::error_code ignored;
  std::filesystem::remove_all(state_->folder / kSortedFolder, ignored);

  std::set<std::string> entries;
  const auto tables = state_->current();
  for (const View* each : state_->views) {
    if (tables->of(*each)) entries.insert(generation_key(*each));
  }
  for (const auto& [folded, begun] : state_->begun) {
    for (const View* each : begun.first) entries.insert(rebuild_key(*each));
  }
  const auto cut = live();
  Batch batch;
  for (const std::string_view prefix : {kGenerationKeys, kRebuildKeys}) {
    const base::Status scanned = cut->scan(Table::kMeta, prefix, {}, [&](std::string_view key, std::string_view) {
      if (!key.starts_with(prefix)) return false;
      if (!entries.contains(std::string(key))) batch.erase(*cut, Table::kMeta, key);
      return true;
    });
    if (!scanned.is_ok()) return scanned;
  }
  const auto format = cut->has(Table::kMeta, kFormatKey);
  if (!format.is_ok()) return format.status();
  if (!*format) batch.put(*cut, Table::kMeta, kFormatKey, u64_key(kFormat));
  if (!batch.empty()) {
    if (base::Status written = write(batch, true); !written.is_ok()) return written;
  }
  for (const auto& [name, handle] : std::exchange(state_->nobodys, {})) {
    if (const rocksdb::Status dropped = state_->database->DropColumnFamily(handle.get()); !dropped.ok()) return to_status(dropped).in(path);
  }
  return {};
}

base::Status Store::write(Batch& batch, bool sync) {
  if (state_->faults->stopped) return {base::Code::kUnavailable, state_->folder.string() + ": an earlier write failed"};
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);  // of this thread; nobody reads the counters of every comparison
  rocksdb::WriteOptions options;
  options.sync = sync;
  const size_t bytes = batch.rep_->batch.GetDataSize();
  const rocksdb::Status written = state_->database->Write(options, &batch.rep_->batch);
  state_->written_bytes += bytes;
  const base::Status status = to_status(written).in(state_->folder.string());
  if (!status.is_ok() && !state_->faults->stopped.exchange(true)) {  // the listener did not hear of it
    state_->faults->log_failed = true;
    state_->on_fault(status, false);
  }
  return status;
}

base::Status Store::link_into(const std::filesystem::path& folder) {
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(state_->database.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(std::filesystem::absolute(folder).string());
  return to_status(status).in(folder.string());
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
  base::Status flushed = flush();
  if (flushed.is_ok()) state_->faults->stopped = false;
  return flushed;
}

base::Status Store::flush() {
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const auto tables = state_->current();
  for (const auto& handle : tables->handles) {
    if (handle) handles.push_back(handle.get());
  }
  return to_status(state_->database->Flush({}, handles)).in(state_->folder.string());
}

std::vector<const View*> Store::stale_views() const {
  const auto tables = state_->current();
  std::vector<const View*> stale;
  for (const View* each : state_->views) {
    if (!tables->at(view_table(each->id()))) stale.push_back(each);
  }
  return stale;
}

std::shared_ptr<const Cut> Store::beside_live(std::span<const View* const> views, const Tables& beside) const {
  auto tables = std::make_shared<Tables>(*state_->current());
  for (const View* each : views) tables->put(*each, beside.generations.at(each->id()), beside.of(*each));
  return std::shared_ptr<const Cut>(new Cut(shared_from_this(), tables, false));
}

base::Result<Store::Fresh> Store::fresh_views(std::span<const View* const> views, Keep keep) {
  Tables made;
  for (const View* each : views) {
    uint64_t generation = 0;
    {
      std::lock_guard lock(state_->mutex);
      generation = state_->next_generations[each->id()]++;
    }
    const std::string name = family_name(*each, generation);
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    const rocksdb::Status created =
        state_->database->CreateColumnFamily(table_options(name, state_->cache, state_->forgotten), name, &handle);
    if (!created.ok()) return to_status(created).in(state_->folder.string());
    made.put(*each, generation, state_->hold(handle));
  }
  Fresh fresh{{views.begin(), views.end()}, 0, beside_live(views, made)};
  if (keep == Keep::kOverRestart) {
    Batch batch;
    for (const View* each : views) batch.put(*fresh.tables, Table::kMeta, rebuild_key(*each), rebuild_entry(fresh, *each));
    if (base::Status written = write(batch, false); !written.is_ok()) return written;
  }
  return fresh;
}

std::vector<Store::Fresh> Store::begun_views() const {
  std::vector<Fresh> begun;
  for (const auto& [folded, tables] : state_->begun) begun.push_back({tables.first, folded, beside_live(tables.first, *tables.second)});
  return begun;
}

/// One table file under construction.
class Store::SortedFile {
 public:
  SortedFile(const State& state, const std::string& table, rocksdb::ColumnFamilyHandle* handle, std::filesystem::path path)
      : options_(state.database->GetDBOptions(), table_options(table, state.cache, state.forgotten)), path_(std::move(path)) {
    writer_.emplace(rocksdb::EnvOptions(options_), options_, handle, /*invalidate_page_cache=*/false);
    status_ = writer_->Open(path_.string());
  }
  void add(std::string_view key, std::optional<std::string_view> row) {
    if (status_.ok()) status_ = row ? writer_->Put(slice(key), slice(*row)) : writer_->Delete(slice(key));
  }
  rocksdb::Status finish() {
    if (status_.ok()) status_ = writer_->Finish();
    return status_;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  rocksdb::Options options_;
  const std::filesystem::path path_;
  std::optional<rocksdb::SstFileWriter> writer_;
  rocksdb::Status status_;
};

base::Status Store::put_sorted(const Fresh& fresh, Keep keep, const SortedRows& rows) {
  if (state_->faults->stopped) return {base::Code::kUnavailable, state_->folder.string() + ": an earlier write failed"};
  const std::filesystem::path folder = state_->folder / kSortedFolder;
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  std::filesystem::create_directory(folder, error);
  const base::Status taken = take_sorted(fresh, keep, rows, folder);
  std::filesystem::remove_all(folder, error);
  return taken;
}

base::Status Store::take_sorted(const Fresh& fresh, Keep keep, const SortedRows& rows, const std::filesystem::path& folder) {
  rocksdb::Status status;
  std::vector<rocksdb::IngestExternalFileArg> taken;
  size_t files = 0;
  const auto next_file = [&] { return folder / fmt::format("{}.sst", files++); };
  const auto into = [&](rocksdb::ColumnFamilyHandle* table) {
    rocksdb::IngestExternalFileArg& arg = taken.emplace_back();
    arg.column_family = table;
    arg.options.move_files = true;
  };
  for (const View* each : fresh.views) {
    rocksdb::ColumnFamilyHandle* table = fresh.tables->tables_->of(*each).get();
    std::optional<SortedFile> file;
    char kind = 0;
    const auto finish = [&] {
      if (const rocksdb::Status finished = file->finish(); status.ok()) status = finished;
      taken.back().external_files.push_back(file->path().string());
      file.reset();
    };
    rows(each->id(), [&](std::string_view key, std::optional<std::string_view> row) {
      // Rows of one kind lie together, and those of later events often behind those that are there: such a file stays where it is put.
      if (file && kind != key[0]) finish();
      if (!file) {
        if (taken.empty() || taken.back().column_family != table) into(table);
        file.emplace(*state_, each->name(), table, next_file());
        kind = key[0];
      }
      file->add(key, row);
    });
    if (file) finish();
  }
  if (keep == Keep::kOverRestart) {
    std::map<std::string, std::string> folded;
    for (const View* each : fresh.views) folded.emplace(rebuild_key(*each), rebuild_entry(fresh, *each));
    rocksdb::ColumnFamilyHandle* meta = fresh.tables->tables_->at(Table::kMeta);
    into(meta);
    SortedFile file(*state_, "meta", meta, next_file());
    for (const auto& [key, entry] : folded) file.add(key, entry);
    if (const rocksdb::Status finished = file.finish(); status.ok()) status = finished;
    taken.back().external_files.push_back(file.path().string());
  }
  if (status.ok() && !taken.empty()) status = state_->database->IngestExternalFiles(taken);
  if (!status.ok()) state_->on_fault(to_status(status).in(folder.string()), is_no_space(status));
  return to_status(status).in(folder.string());
}

std::string Store::rebuild_entry(const Fresh& fresh, const View& each) {
  return encode({.version = each.version(), .number = fresh.tables->tables_->generations.at(each.id())}) + u64_key(fresh.folded);
}

base::Status Store::adopt(const Fresh& fresh, Batch& last) {
  const Tables& made = *fresh.tables->tables_;
  for (const View* each : fresh.views) {
    last.put(*fresh.tables, Table::kMeta, generation_key(*each),
             encode({.version = each->version(), .number = made.generations.at(each->id())}));
    last.erase(*fresh.tables, Table::kMeta, rebuild_key(*each));
  }
  // Earlier batches of rows were not synced; this write's sync covers every write before it.
  if (base::Status written = write(last, true); !written.is_ok()) return written;
  std::lock_guard lock(state_->mutex);
  auto tables = std::make_shared<Tables>(*state_->tables);
  for (const View* each : fresh.views) {
    if (auto old = tables->of(*each)) state_->replaced.push_back(std::move(old));
    tables->put(*each, made.generations.at(each->id()), made.of(*each));
  }
  state_->tables = std::move(tables);
  return {};
}

base::Status Store::drop_replaced() {
  std::vector<std::shared_ptr<rocksdb::ColumnFamilyHandle>> replaced;
  {
    std::lock_guard lock(state_->mutex);
    replaced.swap(state_->replaced);
  }
  // Readers that still look at the old rows keep them until they let go.
  for (const auto& table : replaced) {
    if (const rocksdb::Status dropped = state_->database->DropColumnFamily(table.get()); !dropped.ok())
      return to_status(dropped).in(state_->folder.string());
  }
  return {};
}

base::Status Store::discard(const Fresh& fresh) {
  for (const View* each : fresh.views) {
    const rocksdb::Status dropped = state_->database->DropColumnFamily(fresh.tables->tables_->of(*each).get());
    if (!dropped.ok()) return to_status(dropped).in(state_->folder.string());
  }
  return {};
}

uint64_t Store::forgotten() const { return *state_->forgotten; }
void Store::forget(uint64_t up_to) { *state_->forgotten = std::max<uint64_t>(*state_->forgotten, up_to); }

base::Status Store::purge(Table table, std::string_view from, std::string_view to, std::atomic<bool>& canceled) {
  rocksdb::CompactRangeOptions options;
  options.canceled = &canceled;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  const rocksdb::Slice begin = slice(from), end = slice(to);
  const auto tables = state_->current();
  rocksdb::Status status = state_->database->CompactRange(options, tables->at(table), &begin, to.empty() ? nullptr : &end);
  // The files that held the bytes go with the next look for obsolete ones: now, and after any other such look has ended.
  if (status.ok()) status = state_->database->DisableFileDeletions();
  if (status.ok()) {
    rocksdb::VectorLogPtr logs;
    status = state_->database->GetSortedWalFiles(logs);
    // Not by force: a checkpoint that is being made keeps its own hold on the files.
    const rocksdb::Status enabled = state_->database->EnableFileDeletions(false);
    if (status.ok()) status = enabled;
  }
  return to_status(status).in(state_->folder.string());
}

}  // namespace ledger
