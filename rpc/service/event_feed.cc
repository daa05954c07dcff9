#include "rpc/service/event_feed.h"

#include <algorithm>

#include "ledger/event_bytes.h"

namespace rpc {
namespace {

constexpr size_t kEventsATurn = 256;
constexpr size_t kBytesATurn = 256u << 10;

}  // namespace

template <typename Change>
void EventFeed::each_place(const EventFilter& filter, Change&& change) {
  const std::string subject = filter.subjects().empty() ? std::string() : filter.subjects().front();
  if (!filter.has_kinds()) return change(subject, kAnyKind);
  for (const uint16_t kind : filter.kinds()) change(subject, kind);
}

void EventFeed::join(Watcher& watcher, const EventFilter& filter, uint64_t from) {
  watchers_.emplace(&watcher, Entry{filter, from});
  with_subjects_ += !filter.subjects().empty();
  each_place(filter, [&](const std::string& subject, uint32_t kind) { places_[subject][kind].insert(&watcher); });
}

void EventFeed::leave(Watcher& watcher) {
  const auto found = watchers_.find(&watcher);
  if (found == watchers_.end()) return;
  const EventFilter& filter = found->second.filter;
  with_subjects_ -= !filter.subjects().empty();
  each_place(filter, [&](const std::string& subject, uint32_t kind) {
    const auto place = places_.find(subject);
    auto& those = place->second[kind];
    those.erase(&watcher);
    if (those.empty()) place->second.erase(kind);
    if (place->second.empty()) places_.erase(place);
  });
  watchers_.erase(found);
}

void EventFeed::committed(uint64_t head) {
  head_ = std::max(head_, head);
  if (busy_ || next_ > head_) return;
  busy_ = true;
  rest_ = kj::evalLater([this] { return hand_out_rest(); }).eagerlyEvaluate([this](kj::Exception&&) {
    give_up();
    busy_ = false;
  });
}

kj::Promise<void> EventFeed::hand_out_rest() {
  hand_out_some();
  if (next_ <= head_) return kj::evalLater([this] { return hand_out_rest(); });
  busy_ = false;
  return kj::READY_NOW;
}

void EventFeed::close() {
  rest_ = nullptr;
  snapshot_ = nullptr;
}

void EventFeed::give_up() {
  const uint64_t from = next_;
  next_ = head_ + 1;
  while (!watchers_.empty()) {
    Watcher& watcher = *watchers_.begin()->first;
    const uint64_t own = std::max(from, watchers_.begin()->second.from);
    leave(watcher);
    watcher.behind(own);
  }
}

void EventFeed::hand_out_some() {
  if (watchers_.empty()) {
    next_ = head_ + 1;
    return;
  }
  struct Wanted {
    uint64_t first = 0;
    Events events;
  };
  std::vector<kj::Array<capnp::word>> read;
  std::map<Watcher*, Wanted> wanted;
  size_t bytes = 0, seen = 0;
  base::Status status;
  const auto snapshot = snapshot_();
  uint64_t next = next_;
  // What each may see is asked anew: roles change while it watches.
  const bool needs_subjects =
      with_subjects_ > 0 || std::any_of(watchers_.begin(), watchers_.end(), [](const auto& watcher) { return !watcher.first->sight().is_everything(); });
  const auto look = [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
    ledger::StoredEvent event(words);
    const auto kind = static_cast<uint16_t>(event.get().getBody().which());
    std::vector<std::string> subjects;
    if (needs_subjects) {
      auto recorded = subjects_.of(*snapshot, event.get());
      status = recorded.status();
      if (!status.is_ok()) return false;
      subjects = std::move(*recorded);
    }
    kj::ArrayPtr<const capnp::word> kept;
    const auto offer = [&](const std::string& subject) {
      const auto place = places_.find(subject);
      if (place == places_.end()) return;
      for (const uint32_t which : {uint32_t{kind}, kAnyKind}) {
        const auto those = place->second.find(which);
        if (those == place->second.end()) continue;
        for (Watcher* watcher : those->second) {
          const Entry& entry = watchers_.at(watcher);
          if (seq < entry.from || !entry.filter.is_about(subjects)) continue;
          if (!watcher->sight().sees(event.get().getBody().which(), subjects)) continue;
          if (kept == nullptr) {
            read.push_back(kj::heapArray(words));
            kept = read.back();
            bytes += kept.size() * sizeof(capnp::word);
          }
          Wanted& its = wanted[watcher];
          if (its.events.empty()) its.first = seq;
          its.events.push_back(kept);
        }
      }
    };
    offer({});
    for (const std::string& subject : subjects) offer(subject);
    next = seq + 1;
    return ++seen < kEventsATurn && bytes < kBytesATurn;
  };
  const base::Status scanned = snapshot->events(next_, head_, look);
  if (!scanned.is_ok() || !status.is_ok()) return give_up();
  next_ = next;
  for (const auto& [watcher, its] : wanted) {
    if (watchers_.contains(watcher)) watcher->wanted(its.first, its.events, next_ - 1);
  }
}

}  // namespace rpc
