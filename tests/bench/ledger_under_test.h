// The ledger as it is measured: opened, filled and warmed up.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ledger/ledger.h"
#include "tests/support/commands.h"

namespace bench {

/// What of the ledger is at work. Without `deciding` a command becomes its event unasked, so that parts can be left out alone.
struct Parts {
  bool deciding = true;
  bool views = true;
  bool tree = true;
};

std::unique_ptr<ledger::Ledger> open_ledger(const std::string& folder, Parts parts = {});
/// One that was filled before.
std::unique_ptr<ledger::Ledger> open_filled(const std::string& folder);

/// Call number `call` of a thread or client: another run of MARI each.
support::CommandMessage detect(int thread, uint64_t call);
/// Appends so many such calls as one submission, and waits.
void append(ledger::Ledger& ledger, int thread, uint64_t first_call, uint32_t calls);

/// So much that there are table files to look into, as in a ledger that has run for a while.
constexpr int kWarmUpRounds = 200;
constexpr uint32_t kWarmUpCalls = 512;
void warm_up(ledger::Ledger& ledger, int rounds);

}  // namespace bench
