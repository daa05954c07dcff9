// Results that are not what would be made today, and why: the record held against the record.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ledger/rows.h"
#include "schema/row.capnp.h"

namespace ledger {

/// One thing that would be chosen differently now.
struct StaleReason {
  enum class Kind { kScript, kScriptFile, kVariable, kSupportFile };  // as schema::StaleReason has them
  Kind kind;
  std::string name;      // of the file captured with the script, the variable, the support file's path; empty = the script itself
  std::string was, now;  // JSON value, or hash in hex; empty = there was, there is none
  uint64_t event = 0;    // that brought what is chosen now; 0 = none did
};

/// What became of a run's result.
struct StaleResult {
  uint64_t job = 0;  // 0 = no version succeeded
  uint16_t version = 0;
  std::vector<StaleReason> why;  // the script, the files with it, variables, support files; empty = it is what would be made now
  bool is_stale() const { return !why.empty(); }
};

/// Compares results with what is chosen now: the script last registered, the settings as they are, the support files last seen.
///
/// A value given with a request stays given and is not compared, nor are variables while nobody can say which the script has. A support file that
/// cannot be read now counts as it was; one whose variable differs is said by the variable alone.
///
/// Owns:    what is the same for all runs of an instrument, and the documents read last. Borrows the rows.
/// Threads: one at a time. Errors: of documents that are no longer stored nothing is said.
class StaleLook {
 public:
  explicit StaleLook(const RowReader& rows);
  ~StaleLook();
  StaleResult look(schema::RunRow::Reader run);

 private:
  class Present;
  Present& present(std::string_view instrument);

  const RowReader& rows_;
  std::vector<std::pair<std::string, std::unique_ptr<Present>>> instruments_;  // the one asked for last is the first
};

}  // namespace ledger
