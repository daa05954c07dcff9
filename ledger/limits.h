// The ledger's limits, each with its unit; checked when written, and again where a reader could be hurt.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ledger {

inline constexpr size_t kMaxEventBytes = (64u << 10) - 8;  // canonical bytes of one event: words whose length 16 bits can say
inline constexpr size_t kMaxBlobBytes = 64u << 20;   // one document or text
inline constexpr size_t kMaxCommandIdBytes = 128;
inline constexpr size_t kMaxDaemonNameBytes = 128;   // of a position's owner
inline constexpr size_t kMaxSubjectTextBytes = 256;  // longer names are indexed under their SHA-256
inline constexpr size_t kMaxGroupCommands = 1024;    // decided and synced together
inline constexpr size_t kMaxGroupBytes = 8u << 20;   // of commands in one group; a larger single command goes alone
inline constexpr int kHeadBehindMs = 100;            // HEAD is written at most this long after a commit, plus one sync

}  // namespace ledger
