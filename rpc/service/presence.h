// Which daemons are there, and when each last gave a sign of life. Not in the log: it is true only now.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"

namespace rpc {

/// Remembers those that are connected, and of those that no longer are the ones seen within kKeptNs, kMaxGone at most: the names are their callers'.
///
/// Owns: values. Threads: loop thread only. Errors: none. Units: UTC nanoseconds.
class Presence {
 public:
  static constexpr int64_t kKeptNs = 24 * int64_t{3600} * 1'000'000'000;
  static constexpr size_t kMaxGone = 1000;

  struct Entry {
    int connections = 0;
    int64_t last_seen_ns = 0;
    std::string detail;
  };

  explicit Presence(const base::Clock& clock) : clock_(clock) {}

  void connected(const std::string& name);
  void disconnected(const std::string& name) { entries_[name].connections -= 1; }
  void alive(const std::string& name, std::string detail);
  const std::map<std::string, Entry>& entries();

 private:
  void drop_old();

  const base::Clock& clock_;
  std::map<std::string, Entry> entries_;
};

}  // namespace rpc
