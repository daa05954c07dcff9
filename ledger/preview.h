// What a change of variables would do, before anybody makes it. Pure: everything it needs is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ledger/keep_going.h"
#include "ledger/rows.h"
#include "schema/row.capnp.h"

namespace ledger {

struct ChangedValue {
  uint64_t run_number;
  std::string name;
  std::string before, after;  // JSON; empty = none
};

struct VariablesPreview {
  std::vector<ChangedValue> changes;  // runs on record that would get another value if they were reduced afresh now; as many as were to be kept
  uint64_t change_count = 0;          // all of them
  uint64_t considered = 0;            // runs in the scope whose file was not refused
  std::vector<std::string> coming;    // a sentence for each variable: which coming runs get what
  std::vector<std::string> problems;  // why deciding refuses the change; empty = it does not
};

/// Asks the deciding function itself, then looks up every run in the scope with and without the change, from the marks of the runs: a
/// million takes a second or two, and no memory. For the pool.
VariablesPreview preview(const RowReader& rows, schema::VariablesSet::Reader change, size_t keep_changes = 1000,
                         const KeepGoing& keep_going = {});

}  // namespace ledger
