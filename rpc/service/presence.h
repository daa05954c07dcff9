// Which daemons are there, and when each last gave a sign of life. Not in the log: it is true only now.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"

namespace rpc {

/// Owns: values. Threads: loop thread only. Errors: none. Units: UTC nanoseconds.
class Presence {
 public:
  struct Entry {
    int connections = 0;
    int64_t last_seen_ns = 0;
    std::string detail;
  };

  explicit Presence(const base::Clock& clock) : clock_(clock) {}

  void connected(const std::string& name) {
    entries_[name].connections += 1;
    entries_[name].last_seen_ns = clock_.now_ns();
  }
  void disconnected(const std::string& name) { entries_[name].connections -= 1; }
  void alive(const std::string& name, std::string detail) {
    Entry& entry = entries_[name];
    entry.last_seen_ns = clock_.now_ns();
    entry.detail = std::move(detail);
  }
  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  const base::Clock& clock_;
  std::map<std::string, Entry> entries_;
};

}  // namespace rpc
