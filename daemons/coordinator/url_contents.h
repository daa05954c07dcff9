// What urls of variables give, fetched for the record.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace daemons {

/// Fetches http and https within what a site allows, and remembers what it got: for kRememberedNs, or kFailureRememberedNs when it was nothing.
///
/// Owns:    what it remembers, at most kMostRemembered of them. Borrows the clock.
/// Threads: any, several at once. Blocking, for at most kLongestMs.
/// Errors:  each message begins with the url.
class UrlContents {
 public:
  static constexpr int64_t kRememberedNs = 60'000'000'000, kFailureRememberedNs = 5'000'000'000;
  static constexpr size_t kMostRemembered = 32;
  static constexpr uint64_t kLargestBytes = 16 << 20;
  static constexpr long kLongestMs = 10'000;

  using Bytes = std::shared_ptr<const std::string>;
  explicit UrlContents(const base::Clock& clock) : clock_(clock) {}

  /// kPermissionDenied: the url, or where it leads to, begins with none of `allowed`, or leaves it by "..". kInvalidArgument: too large.
  /// kUnavailable: it cannot be had now.
  base::Result<Bytes> get(const std::string& url, const std::vector<std::string>& allowed);

 private:
  struct Known {
    base::Result<Bytes> answer;
    int64_t until_ns;
  };
  const base::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

/// Whether `url` begins with one of `allowed` and stays there.
bool is_allowed_url(const std::string& url, const std::vector<std::string>& allowed);

}  // namespace daemons
