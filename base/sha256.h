// SHA-256, the name of everything that is kept by content.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace base {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
/// Of one behind the other.
Sha256 sha256(std::string_view prefix, std::string_view bytes);

/// Hash of bytes that come in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void update(const void* bytes, size_t size);
  /// Ends the stream; call once.
  Sha256 finish();

 private:
  struct State;
  friend Sha256 sha256(std::string_view prefix, std::string_view bytes);
  std::unique_ptr<State> state_;
};

inline std::string_view as_bytes(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}
/// 64 lower-case hex digits.
std::string hex(const Sha256& hash);

}  // namespace base
