// Which views are being folded again and how far; written by the upkeep thread, read by anyone.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "ledger/fold.h"
#include "ledger/ledger.h"

namespace ledger {

/// Threads: any.
class FoldBoard {
 public:
  /// `total` 0: not begun. A view that `serves` has older rows, which are shown meanwhile.
  void set(const View& view, uint64_t folded, uint64_t total, bool serves) {
    std::lock_guard lock(mutex_);
    for (ViewProgress& each : views_) {
      if (each.view != view.name()) continue;
      each = {view.id(), view.name(), folded, total, serves};
      return;
    }
    views_.push_back({view.id(), view.name(), folded, total, serves});
  }
  void remove(const View& view) {
    std::lock_guard lock(mutex_);
    std::erase_if(views_, [&](const ViewProgress& each) { return each.view == view.name(); });
  }
  std::vector<ViewProgress> get() const {
    std::lock_guard lock(mutex_);
    return views_;
  }
  /// Why rows of `view` cannot be had; kUnavailable.
  base::Status missing(ViewId view) const {
    for (const ViewProgress& each : get()) {
      if (each.id == view) {
        return {base::Code::kUnavailable, fmt::format("view {} is folded again by this release, {} of {} events are done; try again soon",
                                                      each.view, each.folded, each.total)};
      }
    }
    return {base::Code::kUnavailable, "a view is folded again by this release; try again soon"};
  }

 private:
  mutable std::mutex mutex_;
  std::vector<ViewProgress> views_;
};

}  // namespace ledger
