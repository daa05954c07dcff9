// Captured scripts that are kept for as long as their folders stay as they were.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/status.h"
#include "base/time.h"
#include "scripts/capture.h"

namespace scripts {

/// Asked again for a script, it looks at each place that was looked at before, one stat each, and reads only when one of them has changed.
///
/// A file that changed within kUnsettledNs before it was read may change again without its times showing it: such a script is read again.
///
/// Owns:    what it keeps, up to `most_bytes`; what was not asked for the longest goes first. Borrows the clock.
/// Threads: any, several at once. Blocking: call it on the pool.
/// Errors:  those of capture(); nothing is kept of them.
class CaptureCache {
 public:
  static constexpr int64_t kUnsettledNs = 2'000'000'000;
  explicit CaptureCache(const base::Clock& clock, uint64_t most_bytes = 64 << 20) : clock_(clock), most_bytes_(most_bytes) {}

  using Captured = std::shared_ptr<const CapturedScript>;
  base::Result<Captured> capture(const std::filesystem::path& path, schema::Contract contract);

 private:
  struct Kept {
    Captured captured;
    std::shared_ptr<const Places> places;
    uint64_t size_bytes = 0;
    uint64_t used = 0;  // larger is later
  };
  using Key = std::pair<std::string, schema::Contract>;

  void keep(const Key& key, const Captured& captured, Places places);

  const base::Clock& clock_;
  const uint64_t most_bytes_;
  std::mutex mutex_;  // of all below; never held while the disk is asked
  std::map<Key, Kept> kept_;
  uint64_t size_bytes_ = 0;
  uint64_t uses_ = 0;
};

}  // namespace scripts
