// Bytes as they arrive on a connection, seen as messages: a segment table and its segments, one after the other.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

/// An input of the target rpc_transport: its first byte says behind which messages the sender waits (bit i: message i, i + 8, ...),
/// the rest are the bytes that arrive.
struct Arrival {
  uint8_t pauses = 0;
  std::vector<std::string> messages;  // the last may be cut short or no message at all

  static Arrival parse(std::string_view input);
  std::string bytes() const;
};

using Random = std::minstd_rand;

/// A message of the protocol that a client might send, with small numbers in all places: so they often meet.
std::string made_up_message(Random& random);
/// A message whose one segment is `body`.
std::string framed(std::string_view body);
/// The bytes behind the segment table; empty where there is none.
std::string_view body_of(std::string_view message);

}  // namespace fuzz
