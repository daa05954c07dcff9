#include "ledger/view_fold.h"

#include "ledger/log_scan.h"

namespace ledger {

base::Status fold_events(Store::Fresh& fresh, const Cut& log, uint64_t to, FoldRows& rows) {
  if (fresh.folded >= to) return {};
  const base::Status folded = each_event(log, fresh.folded + 1, to, [&](uint64_t, schema::Event::Reader event) {
    for (const View* view : fresh.views) view->fold(event, rows);
    return base::Status::ok();
  });
  if (folded.is_ok()) fresh.folded = to;
  return folded;
}

base::Status write_rows(Store& store, const Store::Fresh& fresh, Store::Keep keep, FoldRows& rows) {
  const base::Status written =
      store.put_sorted(fresh, keep, [&](ViewId view, const Store::VisitRow& visit) { rows.each_changed(view, visit); });
  if (written.is_ok()) rows.begin(fresh.tables);
  return written;
}

}  // namespace ledger
