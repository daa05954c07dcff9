#include "ledger/proof/tiles.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "ledger/proof/checkpoint.h"

namespace ledger {

std::string tile_number(uint64_t number) {
  std::string text = fmt::format("{:03}", number % 1000);
  for (number /= 1000; number > 0; number /= 1000) text = fmt::format("x{:03}/{}", number % 1000, text);
  return text;
}

base::Status TileWriter::write(const std::string& name, std::string_view bytes) const {
  const std::filesystem::path path = folder_ / name;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  file.close();
  if (!file) return {base::Code::kUnavailable, fmt::format("{}: cannot be written: {}", path.string(), std::strerror(errno))};
  return {};
}

base::Status TileWriter::append(std::string_view event) {
  if (event.size() > 0xFFFF) {
    return {base::Code::kInvalidArgument, fmt::format("event {} has {} bytes; an entry has at most 65535", size() + 1, event.size())};
  }
  bundle_ += static_cast<char>(event.size() >> 8);
  bundle_ += static_cast<char>(event.size() & 0xFF);
  bundle_ += event;
  edge_.append(leaf_hash(event), [this](int level, uint64_t, const base::Sha256& hash) {
    if (level % 8 == 0) tiles_[level / 8] += base::as_bytes(hash);
  });
  if (size() % kTileWidth != 0) return {};
  if (base::Status status = write("tile/entries/" + tile_number(size() / kTileWidth - 1), bundle_); !status.is_ok()) return status;
  bundle_.clear();
  uint64_t count = size();
  for (size_t level = 0; level < tiles_.size() && count > 0 && count % kTileWidth == 0; ++level, count /= kTileWidth) {
    const std::string name = fmt::format("tile/{}/{}", level, tile_number(count / kTileWidth - 1));
    if (base::Status status = write(name, tiles_[level]); !status.is_ok()) return status;
    tiles_[level].clear();
  }
  return {};
}

base::Status TileWriter::finish(std::string_view checkpoint) {
  const auto said = Checkpoint::parse(checkpoint.substr(0, checkpoint.find("\n\n") + 1));
  if (!said.is_ok()) return said.status();
  if (said->size != size() || said->root != edge_.root()) {
    return {base::Code::kCorruption,
            fmt::format("the {} events read are not those of the checkpoint, which has {}; run 'runledger verify'", size(), said->size)};
  }
  uint64_t count = size();
  if (const uint64_t width = count % kTileWidth; width > 0) {
    const std::string name = fmt::format("tile/entries/{}.p/{}", tile_number(count / kTileWidth), width);
    if (base::Status status = write(name, bundle_); !status.is_ok()) return status;
  }
  for (size_t level = 0; level < tiles_.size(); ++level, count /= kTileWidth) {
    const uint64_t width = count % kTileWidth;
    if (width == 0) continue;
    const std::string name = fmt::format("tile/{}/{}.p/{}", level, tile_number(count / kTileWidth), width);
    if (base::Status status = write(name, tiles_[level]); !status.is_ok()) return status;
  }
  return write("checkpoint", checkpoint);
}

}  // namespace ledger
