#include "ledger/view_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "ledger/log_scan.h"
#include "ledger/view_fold.h"

namespace ledger {
namespace {

base::Status stopped() { return {base::Code::kUnavailable, "the ledger is closing; check again after the next start"}; }

struct Difference {
  std::string key;
  std::optional<std::string> stored, folded;
};

/// Rows of one table, one after the other, a page at a time.
class Walk {
 public:
  Walk(const Cut& cut, Table table) : cut_(cut), table_(table) {}
  /// The next row, or nullptr at the end.
  base::Result<const std::pair<std::string, std::string>*> next() {
    if (at_ == page_.size()) {
      const std::string from = page_.empty() ? std::string() : page_.back().first + '\0';
      if (!page_.empty() && page_.size() < kRowsAPage) return nullptr;
      page_.clear();
      at_ = 0;
      const base::Status scanned = cut_.sweep(table_, from, {}, [&](std::string_view key, std::string_view row) {
        page_.emplace_back(key, row);
        return page_.size() < kRowsAPage;
      });
      if (!scanned.is_ok()) return scanned;
      if (page_.empty()) return nullptr;
    }
    return &page_[at_++];
  }

 private:
  static constexpr size_t kRowsAPage = 256;
  const Cut& cut_;
  const Table table_;
  std::vector<std::pair<std::string, std::string>> page_;
  size_t at_ = 0;
};

/// The first row, in key order, that is not the same in both.
base::Result<std::optional<Difference>> first_difference(const Cut& stored_cut, const Cut& folded_cut, const View& view) {
  Walk stored_rows(stored_cut, view_table(view.id())), folded_rows(folded_cut, view_table(view.id()));
  for (;;) {
    auto stored = stored_rows.next(), folded = folded_rows.next();
    if (!stored.is_ok()) return stored.status();
    if (!folded.is_ok()) return folded.status();
    if (!*stored && !*folded) return std::optional<Difference>();
    if (*stored && *folded && **stored == **folded) continue;
    const bool has_stored = *stored && (!*folded || (*stored)->first <= (*folded)->first);
    const bool has_folded = *folded && (!*stored || (*folded)->first <= (*stored)->first);
    Difference difference{has_stored ? (*stored)->first : (*folded)->first, std::nullopt, std::nullopt};
    if (has_stored) difference.stored = (*stored)->second;
    if (has_folded) difference.folded = (*folded)->second;
    return std::optional(std::move(difference));
  }
}

/// Rows of a fold, with an eye on one of them.
class WatchedRows final : public Rows {
 public:
  WatchedRows(FoldRows& rows, const std::string& key, RowHistory& history) : rows_(rows), key_(key), history_(history) {}
  void at(uint64_t seq) { seq_ = seq; }

  std::optional<std::string> get(ViewId view, std::string_view key) const override { return rows_.get(view, key); }
  void scan(ViewId view, std::string_view from, const Visit& visit) const override { rows_.scan(view, from, visit); }
  bool has_blob(std::string_view sha256) const override { return rows_.has_blob(sha256); }
  std::optional<std::string> blob(std::string_view sha256) const override { return rows_.blob(sha256); }
  void put(ViewId view, std::string_view key, std::string_view row) override {
    rows_.put(view, key, row);
    if (key == key_) history_.add(seq_, std::string(row));
  }
  void erase(ViewId view, std::string_view key) override {
    rows_.erase(view, key);
    if (key == key_) history_.add(seq_, std::nullopt);
  }

 private:
  FoldRows& rows_;
  const std::string& key_;
  RowHistory& history_;
  uint64_t seq_ = 0;
};

/// Tables that go when this goes.
class Scratch {
 public:
  static base::Result<Scratch> make(Store& store, std::span<const View* const> views) {
    auto fresh = store.fresh_views(views, Store::Keep::kNot);
    if (!fresh.is_ok()) return fresh.status();
    return Scratch(store, std::move(*fresh));
  }
  Scratch(Scratch&& other) : store_(std::exchange(other.store_, nullptr)), fresh(std::move(other.fresh)) {}
  ~Scratch() {
    if (store_) (void)store_->discard(fresh).is_ok();  // what stays goes at the next start
  }

 private:
  Scratch(Store& store, Store::Fresh tables) : store_(&store), fresh(std::move(tables)) {}
  Store* store_;

 public:
  Store::Fresh fresh;
};

base::Result<std::string> explain(Store& store, const Cut& cut, uint64_t head, const View& view, const Difference& difference,
                                  const Patience& patience) {
  RowHistory history(difference.stored, difference.folded);
  const std::array<const View*, 1> views{&view};
  auto scratch = Scratch::make(store, views);
  if (!scratch.is_ok()) return scratch.status();
  FoldRows rows;
  rows.begin(scratch->fresh.tables);
  WatchedRows watched(rows, difference.key, history);
  for (uint64_t from = 1; from <= head; from += kEventsAFold) {
    if (!patience.go_on(fmt::format("looking for the event in view {}", view.name()), from - 1, head)) return stopped();
    const base::Status folded = each_event(cut, from, std::min(head, from + kEventsAFold - 1), [&](uint64_t seq, schema::Event::Reader event) {
      watched.at(seq);
      view.fold(event, watched);
      return base::Status::ok();
    });
    if (!folded.is_ok()) return folded;
    if (rows.bytes() < kRowBytesAWrite) continue;
    if (base::Status written = write_rows(store, scratch->fresh, Store::Keep::kNot, rows); !written.is_ok()) return written;
  }

  const uint64_t event = history.first_difference();
  std::string text =
      fmt::format("view {}, row {} ({}): ", view.name(), base::printable(base::to_utf8(difference.key)), base::hex(difference.key));
  if (!difference.folded && event == 0) return text + "is stored, but no event writes it; rebuild the view";
  if (!difference.stored) {
    text += "follows from the log, but is not stored";
  } else if (!difference.folded) {
    text += "is stored, but the log erases it";
  } else {
    const auto at = std::mismatch(difference.stored->begin(), difference.stored->end(), difference.folded->begin(), difference.folded->end());
    text += fmt::format("{} bytes are stored, the log leads to {}, different from byte {} on", difference.stored->size(),
                        difference.folded->size(), at.first - difference.stored->begin());
  }
  return text + fmt::format("; event {} is the first that makes a difference; rebuild the view", event);
}

}  // namespace

RowHistory::RowHistory(std::optional<std::string> stored, std::optional<std::string> folded)
    : stored_(std::move(stored)), folded_(std::move(folded)), is_stored_(!stored_), was_stored_(!stored_) {
  if (stored_ && folded_) {
    const auto at = std::mismatch(stored_->begin(), stored_->end(), folded_->begin(), folded_->end());
    differs_at_ = static_cast<size_t>(at.first - stored_->begin());
  }
}

bool RowHistory::has_folded_byte(const std::optional<std::string>& row) const {
  if (!row || !folded_) return !row && !folded_;
  const bool inside = differs_at_ < row->size(), folded_inside = differs_at_ < folded_->size();
  return inside == folded_inside && (!inside || (*row)[differs_at_] == (*folded_)[differs_at_]);
}

void RowHistory::add(uint64_t seq, const std::optional<std::string>& row) {
  if (row == stored_) {
    is_stored_ = was_stored_ = true;
  } else if (std::exchange(is_stored_, false)) {
    lacking_ = seq;
  }
  if (!has_folded_byte(row)) {
    parted_ = 0;
  } else if (parted_ == 0) {
    parted_ = seq;
  }
}

base::Result<std::vector<std::string>> check_views(Store& store, const Cut& cut, uint64_t head, std::span<const View* const> views,
                                                   const Patience& patience) {
  auto scratch = Scratch::make(store, views);
  if (!scratch.is_ok()) return scratch.status();
  FoldRows rows;
  rows.begin(scratch->fresh.tables);
  while (scratch->fresh.folded < head) {
    if (!patience.go_on("folding", scratch->fresh.folded, head)) return stopped();
    const uint64_t to = std::min(head, scratch->fresh.folded + kEventsAFold);
    if (base::Status folded = fold_events(scratch->fresh, cut, to, rows); !folded.is_ok()) return folded;
    if (rows.bytes() < kRowBytesAWrite && to < head) continue;
    if (base::Status written = write_rows(store, scratch->fresh, Store::Keep::kNot, rows); !written.is_ok()) return written;
  }
  std::vector<std::string> findings;
  uint64_t done = 0;
  for (const View* view : views) {
    if (!patience.go_on(fmt::format("comparing view {}", view->name()), done++, views.size())) return stopped();
    auto difference = first_difference(cut, *scratch->fresh.tables, *view);
    if (!difference.is_ok()) return difference.status().in(fmt::format("view {}", view->name()));
    if (!*difference) continue;
    auto finding = explain(store, cut, head, *view, **difference, patience);
    if (!finding.is_ok()) return finding.status().in(fmt::format("view {}", view->name()));
    findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace ledger
