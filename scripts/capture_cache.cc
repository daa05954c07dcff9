#include "scripts/capture_cache.h"

#include <algorithm>

namespace scripts {
namespace {

bool are_as_they_were(const Places& places) {
  return std::all_of(places.begin(), places.end(), [](const auto& known) {
    const auto& [path, place] = known;
    const Place now = look_at(path.c_str());
    return now == place || (place == place.identity() && now.identity() == place);
  });
}

}  // namespace

base::Result<CaptureCache::Captured> CaptureCache::capture(const std::filesystem::path& path, schema::Contract contract) {
  const Key key(path.string(), contract);
  Kept known;
  {
    std::lock_guard lock(mutex_);
    if (auto found = kept_.find(key); found != kept_.end()) {
      found->second.used = ++uses_;
      known = found->second;
    }
  }
  if (known.captured && are_as_they_were(*known.places)) return known.captured;
  const int64_t began_ns = clock_.now_ns();
  Places places;
  auto captured = scripts::capture(path, contract, &places);
  if (!captured.is_ok()) return captured.status();
  auto shared = std::make_shared<const CapturedScript>(std::move(*captured));
  const auto is_settled = [&](const auto& looked) { return std::max(looked.second.modified_ns, looked.second.changed_ns) < began_ns - kUnsettledNs; };
  if (std::all_of(places.begin(), places.end(), is_settled)) keep(key, shared, std::move(places));
  return Captured(std::move(shared));
}

void CaptureCache::keep(const Key& key, const Captured& captured, Places places) {
  uint64_t size = captured->size_bytes();
  for (const auto& [path, place] : places) size += path.size() + sizeof place + 64;
  std::lock_guard lock(mutex_);
  if (auto former = kept_.find(key); former != kept_.end()) {
    size_bytes_ -= former->second.size_bytes;
    kept_.erase(former);
  }
  if (size > most_bytes_) return;
  while (size_bytes_ + size > most_bytes_) {
    const auto oldest = std::min_element(kept_.begin(), kept_.end(), [](const auto& left, const auto& right) { return left.second.used < right.second.used; });
    size_bytes_ -= oldest->second.size_bytes;
    kept_.erase(oldest);
  }
  kept_.emplace(key, Kept{captured, std::make_shared<const Places>(std::move(places)), size, ++uses_});
  size_bytes_ += size;
}

}  // namespace scripts
