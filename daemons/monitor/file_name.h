// What a file's name says: whether it is looked at, and the number of its run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace daemons {

/// Names an instrument's raw files have.
///
/// Owns:    the patterns. Threads: any, immutable. Errors: none; a pattern that is no pattern matches itself.
class NameFilter {
 public:
  /// Shell patterns, matched against the whole name without regard to case. None = no file.
  explicit NameFilter(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {}
  /// False for hidden files and for what editors, transfers and NFS leave beside the real ones, whatever the patterns say.
  bool accepts(std::string_view name) const;

 private:
  std::vector<std::string> patterns_;
};

/// What the ledger takes: numbers that every JSON reader keeps exactly.
inline constexpr uint64_t kLargestRunNumber = (1ull << 53) - 1;

/// The run number in a file's name.
///
/// Owns:    the compiled expression. Threads: any, immutable. Errors: make() says what is wrong with the expression.
class RunNumberRule {
 public:
  /// `pattern`: ECMAScript regular expression with one group, searched in the name; empty = the last digits of the stem.
  static base::Result<RunNumberRule> make(const std::string& pattern);
  RunNumberRule();  // the last digits of the stem
  /// nullopt: the name has none, or 0, or more than kLargestRunNumber.
  std::optional<uint64_t> number_in(std::string_view name) const;

 private:
  struct Expression;
  std::shared_ptr<const Expression> expression_;
};

/// The name without its data extensions ("HYSA_2678.nxs.h5" is "HYSA_2678") and without "_event" or "_histo".
std::string_view run_stem(std::string_view name);

/// Names of an instrument that differ only in case, blanks and punctuation are the same.
bool same_instrument_name(std::string_view one, std::string_view other);

}  // namespace daemons
