#include "ledger/rules.h"

#include "ledger/ledger.h"

namespace ledger {

Rules standard_rules() { return {&decide, views()}; }

base::Result<std::unique_ptr<Ledger>> Ledger::open(const std::filesystem::path& folder, const Options& options,
                                                   const base::Clock& clock) {
  return open(folder, options, clock, standard_rules());
}

}  // namespace ledger
