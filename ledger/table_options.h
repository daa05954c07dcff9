// How the engine keeps each table: its blocks, filters and memtables. What and why: docs/formats/event_log.md, docs/adr/0007-rows-by-group.md.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace ledger {

inline constexpr std::string_view kViewPrefix = "view_";  // of a view's table: "view_runs.3"

/// Up to which event records of commands are forgotten.
using Forgotten = std::atomic<uint64_t>;

/// Of the table with this name. `forgotten`: records of commands that compactions leave out.
rocksdb::ColumnFamilyOptions table_options(std::string_view name, const std::shared_ptr<rocksdb::Cache>& cache,
                                           const std::shared_ptr<const Forgotten>& forgotten);

}  // namespace ledger
