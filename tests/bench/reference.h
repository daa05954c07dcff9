// The reference loops: the least that what the ledger does could cost on the same machine. RocksDB as it comes, but where said
// otherwise.
#pragma once

#include "tests/bench/measured.h"

namespace bench {

/// Synced batches of that many events from so many threads. With one thread, 1 event is L1 and 64 are L64.
Measured raw(const std::string& folder, double seconds, int threads, int events_a_batch);
/// So many events that stay in memory and in the write-ahead log, and kill -9. Does not return.
[[noreturn]] void raw_killed(const std::string& folder, uint64_t events);
Measured raw_open(const std::string& folder);
/// Reads every stored event of a ledger's database, as bytes: one iterator, checksums checked, 4 MiB read ahead.
Measured raw_scan(const std::string& ledger);
/// `pause_us` apart a synced put, then a write to a socketpair whose other end a thread waits for. Latency: put begun -> read.
Measured raw_deliver(const std::string& folder, uint64_t events, int pause_us);

}  // namespace bench
