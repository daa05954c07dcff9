// New events on their way to those who wait for them.
#pragma once

#include <kj/async.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "ledger/recorded_subjects.h"
#include "rpc/service/event_filter.h"
#include "rpc/service/event_sight.h"

namespace rpc {

/// Reads each new event once and looks up who waits for such: what nobody waits for wakes nobody, and without watchers nothing is read.
///
/// Owns:    nothing of the watchers, who leave before they go.
/// Threads: loop thread only.
/// Errors:  where events cannot be read every watcher is told that it is behind, and sees for itself.
class EventFeed {
 public:
  using Events = std::vector<kj::ArrayPtr<const capnp::word>>;
  class Watcher {
   public:
    /// Its next events, the last of them or later being `to`. They last for the call.
    virtual void wanted(uint64_t first, const Events& events, uint64_t to) = 0;
    /// It gets nothing any more, has left, and lacks what comes from this event on.
    virtual void behind(uint64_t from) = 0;
    /// What may be shown to it now.
    virtual const EventSight& sight() const = 0;

   protected:
    ~Watcher() = default;
  };

  EventFeed(std::function<std::unique_ptr<ledger::Snapshot>()> snapshot, uint64_t head) : snapshot_(std::move(snapshot)), next_(head + 1) {}

  /// The first event that was not handed out. Who lacks none before it may join.
  uint64_t next() const { return next_; }
  /// From event `from` on. `filter` stays until it leaves.
  void join(Watcher& watcher, const EventFilter& filter, uint64_t from);
  void leave(Watcher& watcher);

  /// The log now ends there.
  void committed(uint64_t head);
  /// Hands out nothing any more.
  void close();

 private:
  struct Entry {
    const EventFilter& filter;
    uint64_t from;
  };
  static constexpr uint32_t kAnyKind = UINT32_MAX;
  using ByKind = std::map<uint32_t, std::set<Watcher*>>;
  template <typename Change>
  void each_place(const EventFilter& filter, Change&& change);

  kj::Promise<void> hand_out_rest();
  void hand_out_some();
  void give_up();

  std::function<std::unique_ptr<ledger::Snapshot>()> snapshot_;
  uint64_t next_;
  uint64_t head_ = 0;
  std::unordered_map<Watcher*, Entry> watchers_;
  std::unordered_map<std::string, ByKind> places_;  // by the narrowest subject, empty = any
  size_t with_subjects_ = 0;
  ledger::RecordedSubjects subjects_;
  bool busy_ = false;
  kj::Promise<void> rest_ = nullptr;
};

}  // namespace rpc
