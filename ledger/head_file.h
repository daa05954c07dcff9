// HEAD: how much the ledger has promised, kept beside the database, which alone could lose it silently.
// Slot layout: docs/formats/event_log.md. Why: docs/adr/0001-one-writer.md.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/proof/merkle.h"

namespace ledger {

/// The promise: ledger `id` held `size` events under `root` at `time_ns` (of its last event).
struct HeadSlot {
  uint64_t number = 0;  // counts the slots written
  std::string id;       // 32 hex digits
  uint64_t size = 0;
  base::Sha256 root{};
  int64_t time_ns = 0;
};

inline constexpr size_t kHeadSlotBytes = 512;
inline constexpr size_t kHeadSlots = 64;

std::array<char, kHeadSlotBytes> encode_head_slot(const HeadSlot& slot);
/// nullopt unless the slot is whole.
std::optional<HeadSlot> decode_head_slot(std::string_view bytes);

/// The newest whole slot. kNotFound: no such file. kCorruption: a file without one.
base::Result<HeadSlot> read_head_file(const std::filesystem::path& path);

/// Makes the file (preallocated, synced, with its directory entry) with one slot. It must not be there.
base::Status create_head_file(const std::filesystem::path& path, const HeadSlot& first);

/// Keeps HEAD at most kHeadBehindMs plus one sync behind what was published, off the path of the answers.
///
/// Owns:    the file, its own thread. Threads: publish() from one thread.
/// Errors:  a failed write is told to `on_fault` once, on the own thread; nothing is written after it.
class HeadFile {
 public:
  using OnFault = std::function<void(base::Status)>;
  /// Makes the file (preallocated, synced, with its directory entry) if it is not there, with one slot that says `first`.
  static base::Result<std::unique_ptr<HeadFile>> open(const std::filesystem::path& path, const HeadSlot& first, OnFault on_fault);
  /// Writes what was published last.
  ~HeadFile();
  HeadFile(const HeadFile&) = delete;
  HeadFile& operator=(const HeadFile&) = delete;

  void publish(const TreeEdge& edge, int64_t time_ns);
  /// Puts the file under another name, durably; what is there under it is replaced.
  base::Status rename(const std::filesystem::path& path);

 private:
  HeadFile(std::filesystem::path path, int file, HeadSlot last, OnFault on_fault);
  void run();

  const int file_;
  const OnFault on_fault_;
  HeadSlot slot_;  // own thread only

  std::mutex mutex_;
  std::condition_variable wake_;
  std::filesystem::path path_;  // guarded by mutex_, as all below
  TreeEdge edge_;
  int64_t time_ns_ = 0;
  bool pending_ = false;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace ledger
