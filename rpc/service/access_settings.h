// The numbers of [access] in the site file.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace rpc {

struct AccessSettings {
  bool enforced = false;                            // false: only the account that runs the ledger connects
  uint64_t login_ms = 12 * 3600'000ull;             // how long a login token lasts
  uint64_t machine_token_ms = 365 * 86'400'000ull;  // the most for a machine's
  uint64_t refresh_ms = 300'000;                    // how often the directory is read; group changes reach sessions within it
  std::set<std::string> owners = {};                // names of the accounts that are the owner: nobody else is known by them
  uint32_t member_reruns = 20;                      // waiting at once that a member asked for, of one experiment; of his campaigns in all
  uint32_t scientist_reruns = 10'000;               // in one campaign of a scientist
};

}  // namespace rpc
