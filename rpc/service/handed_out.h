// The documents a session has been told of: it may read those, and no others, by their hash.
#pragma once

#include <capnp/dynamic.h>

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>

namespace rpc {

/// Owns: hashes, at most kMost; the oldest are forgotten first. Threads: loop thread only. Errors: none.
class HandedOut {
 public:
  static constexpr size_t kMost = 100'000;
  /// Every SHA-256 in an answer, wherever it stands.
  void note(capnp::DynamicStruct::Reader answer);
  void note(std::string_view sha256);
  bool has(std::string_view sha256) const { return known_.contains(std::string(sha256)); }

 private:
  void note_value(capnp::DynamicValue::Reader value);

  std::unordered_set<std::string> known_;
  std::deque<std::string> order_;
};

}  // namespace rpc
