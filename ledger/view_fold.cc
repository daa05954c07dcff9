#include "ledger/view_fold.h"

#include <fmt/format.h>

#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/log_state.h"

namespace ledger {

base::Status each_event(const Cut& cut, uint64_t from, uint64_t to, const VisitEvent& visit) {
  uint64_t expected = from;
  base::Status status;
  const base::Status scanned =
      cut.scan(Table::kEvents, u64_key(from), u64_key(to + 1), [&](std::string_view key, std::string_view bytes) {
        if (key != u64_key(expected)) return false;
        const auto words = as_words(bytes);
        try {
          StoredEvent event(words);
          status = visit(expected, event.get());
        } catch (const StoreFault& fault) {
          status = fault.status;
        } catch (const kj::Exception& error) {
          status = {base::Code::kInternal, fmt::format("event {} cannot be folded: {}", expected, error.getDescription().cStr())};
        } catch (const std::exception& error) {
          status = {base::Code::kInternal, fmt::format("event {} cannot be folded: {}", expected, error.what())};
        }
        expected += 1;
        return status.is_ok();
      });
  if (!scanned.is_ok()) return scanned;
  if (!status.is_ok()) return status;
  if (expected <= to)
    return {base::Code::kCorruption, fmt::format("event {} is missing from the log; restore the ledger from a copy", expected)};
  return {};
}

base::Status fold_into(Store::Fresh& fresh, const Cut& log, uint64_t to, Overlay& rows, Store::Batch& batch) {
  rows.begin(fresh.tables);
  batch.clear();
  if (fresh.folded < to) {
    const base::Status folded = each_event(log, fresh.folded + 1, to, [&](uint64_t, schema::Event::Reader event) {
      for (const View* view : fresh.views) view->fold(event, rows);
      rows.mark();
      return base::Status::ok();
    });
    if (!folded.is_ok()) return folded;
  }
  rows.emit(batch);
  fresh.folded = std::max(fresh.folded, to);
  return {};
}

}  // namespace ledger
