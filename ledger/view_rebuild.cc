#include "ledger/view_rebuild.h"

#include <algorithm>
#include <limits>

#include "ledger/view_fold.h"

namespace ledger {
namespace {

constexpr uint64_t kEventsAtTheEnd = 128;  // as many are folded while the writer waits

}  // namespace

base::Result<bool> rebuild_views(Store& store, Store::Fresh fresh, Writer& writer, FoldBoard& board, const Patience& patience) {
  FoldRows rows;
  rows.begin(fresh.tables);
  uint64_t written = fresh.folded;
  const auto write = [&] {
    if (write_rows(store, fresh, Store::Keep::kOverRestart, rows).is_ok()) written = fresh.folded;
  };
  // Each round folds what was appended during the one before it. When that no longer gets less, the writer waits for the rest.
  for (uint64_t left_before = std::numeric_limits<uint64_t>::max();;) {
    const Published now = writer.published();
    const uint64_t left = now.head - std::min(now.head, written);
    if (left <= kEventsAtTheEnd || left >= left_before) break;
    left_before = left;
    while (written < now.head) {
      for (const View* view : fresh.views) board.set(*view, fresh.folded, now.head, now.cut->holds(view_table(view->id())));
      if (!patience.go_on("folding", fresh.folded, now.head)) {
        if (fresh.folded > written) write();
        return false;
      }
      if (fresh.folded < now.head && rows.bytes() < kRowBytesAWrite) {
        const base::Status folded = fold_events(fresh, *now.cut, std::min(now.head, fresh.folded + kEventsAFold), rows);
        if (!folded.is_ok()) return folded;
      }
      // What cannot be written is tried again once there is room, unless the ledger stays read-only.
      if (rows.bytes() >= kRowBytesAWrite || fresh.folded >= now.head) write();
    }
  }
  Store::Batch batch;
  for (;;) {
    if (!patience.go_on("folding", fresh.folded, writer.published().head)) return false;
    base::Status folded;
    const base::Status swapped = writer.between_groups([&](uint64_t head) -> base::Status {
      Store::Fresh last = fresh;
      rows.begin(fresh.tables);
      if (folded = fold_events(last, *store.live(), head, rows); !folded.is_ok()) return folded;
      batch.clear();
      for (const View* view : fresh.views) {
        rows.each_changed(view->id(), [&](std::string_view key, std::optional<std::string_view> row) {
          if (row) {
            batch.put(*fresh.tables, view_table(view->id()), key, *row);
          } else {
            batch.erase(*fresh.tables, view_table(view->id()), key);
          }
        });
      }
      return store.adopt(last, batch);
    });
    if (!folded.is_ok()) return folded;
    if (swapped.code() == base::Code::kUnavailable) continue;  // the storage takes no writes: that is waited for, or the end
    if (!swapped.is_ok()) return swapped;
    for (const View* view : fresh.views) board.remove(*view);
    store.drop_replaced().ignore();  // what stays goes at the next start
    return true;
  }
}

}  // namespace ledger
