#include "ledger/view_rebuild.h"

#include <algorithm>
#include <limits>

#include "ledger/view_fold.h"

namespace ledger {
namespace {

constexpr uint64_t kEventsAtTheEnd = 128;  // as many are folded while the writer waits

}  // namespace

base::Status rebuild_views(Store& store, Store::Fresh fresh, Writer& writer, FoldBoard& board, const Patience& patience) {
  const base::Status stopped(base::Code::kUnavailable, "the ledger is closing; the rebuild goes on at the next start");
  Overlay rows;
  Store::Batch batch;
  // Each round folds what was appended during the one before it. When that no longer gets less, the writer waits for the rest.
  for (uint64_t left_before = std::numeric_limits<uint64_t>::max();;) {
    const Published now = writer.published();
    const uint64_t left = now.head - std::min(now.head, fresh.folded);
    if (left <= kEventsAtTheEnd || left >= left_before) break;
    left_before = left;
    while (fresh.folded < now.head) {
      for (const View* view : fresh.views) board.set(*view, fresh.folded, now.head, now.cut->holds(view_table(view->id())));
      if (!patience.go_on("folding", fresh.folded, now.head)) return stopped;
      Store::Fresh next = fresh;
      const base::Status folded = fold_into(next, *now.cut, std::min(now.head, fresh.folded + kEventsAFold), rows, batch);
      if (!folded.is_ok()) return folded;
      store.put_folded(batch, next);
      if (!store.write(batch, false).is_ok()) continue;  // once there is room again, unless the ledger stays read-only
      fresh = std::move(next);
    }
  }
  for (;;) {
    if (!patience.go_on("folding", fresh.folded, writer.published().head)) return stopped;
    const base::Status swapped = writer.between_groups([&](uint64_t head) -> base::Status {
      Store::Fresh last = fresh;
      if (base::Status folded = fold_into(last, *store.live(), head, rows, batch); !folded.is_ok()) return folded;
      return store.adopt(last, batch);
    });
    if (swapped.code() == base::Code::kUnavailable) continue;
    if (!swapped.is_ok()) return swapped;
    for (const View* view : fresh.views) board.remove(*view);
    return store.drop_replaced();
  }
}

}  // namespace ledger
