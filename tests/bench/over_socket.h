// Measurements over the Unix socket: a server and its clients in one process, a thread each.
#pragma once

#include "tests/bench/measured.h"

namespace bench {

/// Clients with one call of so many commands open each.
Measured over_socket(const std::string& folder, double seconds, int clients, uint32_t commands_a_call, int warm_up_rounds);
/// The limit of that: the call carries nothing, and its answer waits until a thread has brought one event for each waiting call to
/// disk in one synced batch of RocksDB as it comes.
Measured empty_calls_with_commits(const std::string& folder, double seconds, int clients);
/// One append after the other, `pause_us` apart; latency: append begun -> its event is with a subscriber on a connection of its
/// own.
enum class Append { kInProcess, kOverSocket };
Measured deliver(const std::string& folder, uint64_t events, int pause_us, Append append, int warm_up_rounds);
enum class Question { kStatus, kRun, kNewestRuns };  // counts by state; one run by key; the last 50 of an instrument
/// Asks a filled ledger, one call after the other.
Measured asked_over_socket(const std::string& folder, double seconds, Question question);

}  // namespace bench
