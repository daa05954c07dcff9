#include "ledger/view_check.h"

#include <fmt/format.h>

#include <optional>

#include "base/text.h"
#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/log_state.h"
#include "ledger/memory_rows.h"
#include "ledger/overlay.h"

namespace ledger {
namespace {

constexpr uint64_t kEventsPerBatch = 1024;

using VisitEvent = std::function<base::Status(uint64_t seq, schema::Event::Reader event)>;

/// Events from..to in order; ends at the first that is missing, unreadable or not taken.
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

MemoryRows::ReadBlob blobs_of(const Cut& cut) {
  return [&cut](std::string_view sha256) -> std::optional<std::string> {
    std::string bytes;
    const auto found = cut.get(Table::kBlobs, sha256, bytes);
    if (!found.is_ok()) throw StoreFault{found.status()};
    if (!*found) return std::nullopt;
    return bytes;
  };
}

std::string differs(const View& view, std::string_view key, std::string_view how, std::optional<uint64_t> seq) {
  std::string text = fmt::format("view {}, row {} ({}): {}", view.name(), base::printable(base::to_utf8(key)), base::hex(key), how);
  if (seq) text += fmt::format("; event {} wrote it last", *seq);
  return text + "; rebuild the views";
}

base::Status check_view(const Cut& cut, uint64_t head, const View& view) {
  MemoryRows folded(blobs_of(cut));
  if (head > 0) {
    const base::Status status = each_event(cut, 1, head, [&](uint64_t seq, schema::Event::Reader event) {
      folded.at(seq);
      view.fold(event, folded);
      return base::Status::ok();
    });
    if (!status.is_ok()) return status.in(fmt::format("view {}", view.name()));
  }
  std::string difference;
  auto row = folded.table(view.id()).begin();
  const auto end = folded.table(view.id()).end();
  const auto lacks_stored = [&] {
    for (; row != end && !row->second.bytes; ++row) {
    }
    return row;
  };
  const base::Status scanned = cut.scan(view_table(view.id()), {}, {}, [&](std::string_view key, std::string_view bytes) {
    lacks_stored();
    if (row == end || key < row->first) {
      const auto erased = folded.table(view.id()).find(key);
      difference = differs(view, key, "is stored, but the log does not lead to it",
                           erased == end ? std::nullopt : std::optional(erased->second.seq));
    } else if (row->first < key) {
      difference = differs(view, row->first, "follows from the log, but is not stored", row->second.seq);
    } else if (*row->second.bytes != bytes) {
      const auto [folded_at, stored_at] =
          std::mismatch(row->second.bytes->begin(), row->second.bytes->end(), bytes.begin(), bytes.end());
      difference = differs(view, key,
                           fmt::format("{} bytes are stored, the log leads to {}, different from byte {} on", bytes.size(),
                                       row->second.bytes->size(), folded_at - row->second.bytes->begin()),
                           row->second.seq);
    } else {
      ++row;
    }
    return difference.empty();
  });
  if (!scanned.is_ok()) return scanned.in(fmt::format("view {}", view.name()));
  if (difference.empty() && lacks_stored() != end) {
    difference = differs(view, row->first, "follows from the log, but is not stored", row->second.seq);
  }
  if (!difference.empty()) return {base::Code::kCorruption, difference};
  return {};
}

}  // namespace

base::Status rebuild_views(Store& store, uint64_t head, std::span<const View* const> views) {
  auto fresh = store.fresh_views(views);
  if (!fresh.is_ok()) return fresh.status();
  const auto log = store.cut();
  Store::Batch batch;
  Overlay rows;
  for (uint64_t from = 1; from <= head; from += kEventsPerBatch) {
    rows.begin(*fresh);
    const base::Status folded =
        each_event(*log, from, std::min(head, from + kEventsPerBatch - 1), [&](uint64_t, schema::Event::Reader event) {
          for (const View* view : views) view->fold(event, rows);
          rows.mark();
          return base::Status::ok();
        });
    if (!folded.is_ok()) return folded;
    batch.clear();
    rows.emit(batch);
    if (base::Status written = store.write(batch, false); !written.is_ok()) return written;
  }
  return store.adopt(*fresh, views);
}

base::Status check_views(const Cut& cut, uint64_t head, std::span<const View* const> views) {
  for (const View* view : views) {
    if (base::Status status = check_view(cut, head, *view); !status.is_ok()) return status;
  }
  return {};
}

}  // namespace ledger
