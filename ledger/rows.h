// The rows of the views, as deciding and folding see them: plain keys and values, whatever store lies below.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ledger {

/// One view, one column family. The number is part of the ledger's `meta`; never renumber.
enum class ViewId : uint16_t {
  kRuns = 1,
  kFiles = 2,
  kJobs = 3,
  kQueue = 4,
  kInstruments = 5,  // with their scripts
  kVariables = 6,
  kExperiments = 7,
  kWorkers = 8,
  kAccess = 9,  // roles and tokens
  kCampaigns = 10,
  kStages = 11,  // rules and results
  kSupportFiles = 12,
};

/// Reads rows; deciding gets no more than this.
///
/// Owns:    nothing a caller sees; returned strings are copies.
/// Threads: as the implementation says; the ledger's own belongs to the writer thread.
/// Errors:  an unreadable store stops the ledger before a caller sees wrong rows.
class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual std::optional<std::string> get(ViewId view, std::string_view key) const = 0;
  /// Rows with key >= from and its first letter, in key order, until `visit` returns false. `from` is not empty; rows of other letters may follow or not.
  using Visit = std::function<bool(std::string_view key, std::string_view row)>;
  virtual void scan(ViewId view, std::string_view from, const Visit& visit) const = 0;
  /// True when the blob is stored (or is, earlier in this batch).
  virtual bool has_blob(std::string_view sha256) const = 0;
  virtual std::optional<std::string> blob(std::string_view sha256) const = 0;
};

/// Reads and writes rows; a view gets it restricted to its own ViewId by convention: a view's fold reads and writes no other view.
class Rows : public RowReader {
 public:
  virtual void put(ViewId view, std::string_view key, std::string_view row) = 0;
  virtual void erase(ViewId view, std::string_view key) = 0;
};

}  // namespace ledger
