#include "rpc/service/presence.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace rpc {

void Presence::connected(const std::string& name) {
  drop_old();
  Entry& entry = entries_[name];
  entry.connections += 1;
  entry.last_seen_ns = clock_.now_ns();
}

void Presence::alive(const std::string& name, std::string detail) {
  Entry& entry = entries_[name];
  entry.last_seen_ns = clock_.now_ns();
  entry.detail = std::move(detail);
}

const std::map<std::string, Presence::Entry>& Presence::entries() {
  drop_old();
  return entries_;
}

void Presence::drop_old() {
  const int64_t kept_since = clock_.now_ns() - kKeptNs;
  std::erase_if(entries_, [&](const auto& each) { return each.second.connections == 0 && each.second.last_seen_ns < kept_since; });
  if (entries_.size() <= kMaxGone) return;
  std::vector<std::map<std::string, Entry>::iterator> gone;
  for (auto each = entries_.begin(); each != entries_.end(); ++each) {
    if (each->second.connections == 0) gone.push_back(each);
  }
  if (gone.size() <= kMaxGone) return;
  std::sort(gone.begin(), gone.end(), [](auto one, auto other) { return one->second.last_seen_ns > other->second.last_seen_ns; });
  for (size_t i = kMaxGone; i < gone.size(); ++i) entries_.erase(gone[i]);
}

}  // namespace rpc
