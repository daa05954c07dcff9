// What an event on record is about: the subjects under which the index has it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger/ledger.h"

namespace ledger {

/// Says it of one event after the other, without looking through the index.
///
/// Owns:    what jobs and campaigns met lately are about.
/// Threads: one at a time.
/// Errors:  kCorruption where an event cannot be read; those of the snapshot.
class RecordedSubjects {
 public:
  /// Sorted, no key twice.
  base::Result<std::vector<std::string>> of(const Snapshot& snapshot, schema::Event::Reader event);

 private:
  using Keys = std::vector<std::string>;
  Keys link(const Snapshot& snapshot, std::string_view subject, uint64_t before);

  std::unordered_map<std::string, Keys> jobs_;
  base::Status status_;
};

}  // namespace ledger
