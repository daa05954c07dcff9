// What the fakes are made of: messages under construction, and their bytes.
#pragma once

#include <capnp/message.h>

#include <memory>
#include <string>
#include <string_view>

namespace fake {

/// A row or event under construction.
template <typename T>
class Message {
 public:
  Message() : message_(std::make_unique<capnp::MallocMessageBuilder>()), root_(message_->initRoot<T>()) {}
  typename T::Builder get() { return root_; }
  typename T::Reader read() const { return root_.asReader(); }

 private:
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
  typename T::Builder root_;
};

inline capnp::Data::Reader as_data(std::string_view bytes) { return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()}; }
inline std::string bytes(capnp::Data::Reader data) { return {reinterpret_cast<const char*>(data.begin()), data.size()}; }
/// Canonical bytes, as the ledger stores them.
template <typename Reader>
std::string canonical(Reader reader) {
  auto words = capnp::canonicalize(reader);
  auto raw = words.asBytes();
  return {reinterpret_cast<const char*>(raw.begin()), raw.size()};
}

constexpr int64_t kNoon = 1'793'534'400'000'000'000;  // 2026-11-01T12:00:00Z
constexpr int64_t kSecond = 1'000'000'000;

}  // namespace fake
