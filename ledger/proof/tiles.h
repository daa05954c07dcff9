// The tree as files other people's verifiers read (c2sp.org/tlog-tiles): checkpoint, hash tiles, bundles of entries.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ledger/proof/merkle.h"

namespace ledger {

/// "007", "x001/x234/067".
std::string tile_number(uint64_t number);

/// Writes a log from its first event on.
///
/// Owns:    at most one open tile a level. Threads: one at a time.
/// Errors:  kUnavailable with the file's name; kInvalidArgument for an entry above 65535 bytes. After an error nothing is finished.
class TileWriter {
 public:
  static constexpr uint64_t kTileWidth = 256;
  explicit TileWriter(std::filesystem::path folder) : folder_(std::move(folder)) {}

  base::Status append(std::string_view event);
  /// The partial tiles, then the checkpoint. kCorruption: the events written are not those the checkpoint is of.
  base::Status finish(std::string_view checkpoint);
  uint64_t size() const { return edge_.size(); }

 private:
  base::Status write(const std::string& name, std::string_view bytes) const;

  const std::filesystem::path folder_;
  TreeEdge edge_;
  std::string bundle_;
  std::array<std::string, 8> tiles_;  // hashes of levels 0, 8, 16, ...
};

}  // namespace ledger
