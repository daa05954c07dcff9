#include "ledger/table_options.h"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <string>

#include "ledger/command_record.h"

namespace ledger {
namespace {

/// Leaves forgotten records out of what a compaction writes: they go without a write of their own.
class ForgottenCommands final : public rocksdb::CompactionFilterFactory {
 public:
  explicit ForgottenCommands(std::shared_ptr<const Forgotten> up_to) : up_to_(std::move(up_to)) {}
  const char* Name() const override { return "forgotten commands"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<UpTo>(*up_to_);
  }

 private:
  class UpTo final : public rocksdb::CompactionFilter {
   public:
    explicit UpTo(uint64_t up_to) : up_to_(up_to) {}
    const char* Name() const override { return "forgotten commands"; }
    bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& record, std::string*, bool*) const override {
      const auto head = answered_at({record.data(), record.size()});
      return head && *head <= up_to_;
    }

   private:
    const uint64_t up_to_;
  };
  const std::shared_ptr<const Forgotten> up_to_;
};

/// Tells which rows follow each other in a memtable, so that the next of a sequence finds its place from the one before.
class Sequences final : public rocksdb::SliceTransform {
 public:
  /// `running`: bytes at the end of a key that count up.
  explicit Sequences(size_t running) : running_(running) {}
  const char* Name() const override { return "sequences"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), std::min(kLongest, key.size() - running_)};
  }
  bool InDomain(const rocksdb::Slice& key) const override { return key.size() > running_; }

 private:
  static constexpr size_t kLongest = 24;  // names behind it (paths) have no sequence of their own
  const size_t running_;
};

}  // namespace

rocksdb::ColumnFamilyOptions table_options(std::string_view name, const std::shared_ptr<rocksdb::Cache>& cache,
                                           const std::shared_ptr<const Forgotten>& forgotten) {
  rocksdb::ColumnFamilyOptions options;
  if (name == "commands") options.compaction_filter_factory = std::make_shared<ForgottenCommands>(forgotten);
  rocksdb::BlockBasedTableOptions blocks;
  // The log is read in sequence, views row by row.
  blocks.block_size = name.starts_with(kViewPrefix) ? 4 << 10 : 16 << 10;
  blocks.block_cache = cache;
  blocks.cache_index_and_filter_blocks = true;  // or they would take memory with every event there is
  blocks.pin_l0_filter_and_index_blocks_in_cache = true;
  // In parts: a row that is looked for in a large ledger reads some KiB of them, not those of a whole file.
  blocks.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  blocks.partition_filters = true;
  blocks.format_version = 5;
  // Keys of events and of the tree only ever come behind the last one; others are looked for in vain all over the table.
  if (name != "events" && name != "tree") blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  options.compression = name == "tree" ? rocksdb::kNoCompression : rocksdb::kLZ4Compression;  // hashes do not compress
  options.write_buffer_size = 16 << 20;
  options.max_write_buffer_number = 3;
  options.max_bytes_for_level_base = 64 << 20;  // it is written anew whenever four memtables have become files
  options.level_compaction_dynamic_level_bytes = true;
  options.paranoid_file_checks = false;
  options.force_consistency_checks = true;
  // Most keys the writer asks for are new ones (a command's id, a run): a filter says so without a search.
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.02;
  // Rows mostly come in the order of runs, jobs or events, in several such sequences at a time.
  if (name != "commands" && name != "blobs") {
    options.memtable_insert_with_hint_prefix_extractor = std::make_shared<Sequences>(name == "subjects" ? 10 : 2);
  }
  return options;
}

}  // namespace ledger
