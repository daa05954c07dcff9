#include "ledger/fold_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <vector>

#include "ledger/overlay.h"

namespace ledger {
namespace {

constexpr size_t kBytesARow = 96;  // what a row takes besides its key and bytes
constexpr uint64_t kPlace = 0xFFFFFFFF;  // the half of a slot that says where

bool found(const base::Result<bool>& result) {
  if (!result.is_ok()) throw StoreFault{result.status()};
  return *result;
}

}  // namespace

size_t FoldRows::Kind::find(std::string_view key) const {
  if (slots.empty()) return rows.size();
  const uint64_t hash = std::hash<std::string_view>()(key);
  for (size_t at = hash & (slots.size() - 1); slots[at] != 0; at = (at + 1) & (slots.size() - 1)) {
    const size_t place = (slots[at] & kPlace) - 1;
    if ((slots[at] | kPlace) == (hash | kPlace) && rows[place].key == key) return place;
  }
  return rows.size();
}

void FoldRows::Kind::enter(uint64_t hash, size_t place) {
  size_t at = hash & (slots.size() - 1);
  while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
  slots[at] = (hash & ~kPlace) | (place + 1);
}

FoldRows::Row& FoldRows::Kind::add(std::string_view key) {
  if (slots.size() < 2 * (rows.size() + 1)) {
    slots.assign(std::max<size_t>(64, 2 * slots.size()), 0);
    for (size_t place = 0; place < rows.size(); ++place) enter(std::hash<std::string_view>()(rows[place].key), place);
  }
  enter(std::hash<std::string_view>()(key), rows.size());
  if (is_ordered) order.emplace(key, rows.size());
  return rows.emplace_back(Row{key, std::nullopt});
}

void FoldRows::begin(std::shared_ptr<const Cut> base) {
  base_ = std::move(base);
  for (Kinds& kinds : views_) {
    for (auto& kind : kinds) kind.reset();
  }
  memory_.release();
  bytes_ = 0;
}

FoldRows::Kind& FoldRows::kind_of(ViewId view, std::string_view key) const {
  const auto index = static_cast<size_t>(view);
  if (index >= views_.size()) throw std::logic_error(fmt::format("view {} is beyond the {} there can be", index, views_.size()));
  auto& kind = views_[index][key.empty() ? 0 : static_cast<uint8_t>(key[0])];
  if (kind) return *kind;
  if (!base_->holds(view_table(view))) throw std::logic_error(fmt::format("view {} has no table; is it among the ledger's views?", index));
  kind = std::make_unique<Kind>();
  return *kind;
}

std::string_view FoldRows::keep(std::string_view bytes) const {
  if (bytes.empty()) return {};
  auto* kept = static_cast<char*>(memory_.allocate(bytes.size(), 1));
  std::memcpy(kept, bytes.data(), bytes.size());
  bytes_ += bytes.size();
  return {kept, bytes.size()};
}

FoldRows::Row& FoldRows::add(Kind& kind, std::string_view key) const {
  bytes_ += kBytesARow;
  return kind.add(keep(key));
}

std::optional<std::string> FoldRows::get(ViewId view, std::string_view key) const {
  Kind& kind = kind_of(view, key);
  if (const size_t place = kind.find(key); place < kind.rows.size()) {
    const Row& row = kind.rows[place];
    return row.bytes ? std::optional(std::string(*row.bytes)) : std::nullopt;
  }
  std::string stored;
  const bool is_there = found(base_->get(view_table(view), key, stored));
  Row& row = add(kind, key);
  row.is_new = !is_there;
  if (!is_there) return std::nullopt;
  row.bytes = keep(stored);
  return stored;
}

void FoldRows::scan(ViewId view, std::string_view from, const Visit& visit) const {
  Kind& kind = kind_of(view, from);
  if (!kind.is_ordered) {
    kind.is_ordered = true;
    for (size_t place = 0; place < kind.rows.size(); ++place) kind.order.emplace(kind.rows[place].key, place);
  }
  auto known = kind.order.lower_bound(from);
  bool more = true;
  const auto visit_known = [&] {
    const Row& row = kind.rows[known->second];
    ++known;
    if (row.bytes) more = visit(row.key, *row.bytes);
  };
  std::string to;
  if (!from.empty() && from[0] != '\xff') to = static_cast<char>(from[0] + 1);
  const base::Status status = base_->scan(view_table(view), from, to, [&](std::string_view key, std::string_view bytes) {
    while (more && known != kind.order.end() && known->first < key) visit_known();
    if (!more) return false;
    if (known != kind.order.end() && known->first == key) {
      visit_known();
    } else {
      more = visit(key, bytes);
    }
    return more;
  });
  if (!status.is_ok()) throw StoreFault{status};
  while (more && known != kind.order.end()) visit_known();
}

bool FoldRows::has_blob(std::string_view sha256) const { return found(base_->has(ledger::Table::kBlobs, sha256)); }
std::optional<std::string> FoldRows::blob(std::string_view sha256) const {
  std::string bytes;
  if (!found(base_->get(ledger::Table::kBlobs, sha256, bytes))) return std::nullopt;
  return bytes;
}

void FoldRows::write(ViewId view, std::string_view key, std::optional<std::string_view> bytes) {
  Kind& kind = kind_of(view, key);
  const size_t place = kind.find(key);
  Row& row = place < kind.rows.size() ? kind.rows[place] : add(kind, key);
  row.changed = true;
  if (bytes && row.bytes && bytes->size() <= row.bytes->size()) {
    std::copy(bytes->begin(), bytes->end(), const_cast<char*>(row.bytes->data()));
    row.bytes = row.bytes->substr(0, bytes->size());
  } else {
    row.bytes = bytes ? std::optional(keep(*bytes)) : std::nullopt;
  }
}
void FoldRows::put(ViewId view, std::string_view key, std::string_view row) { write(view, key, row); }
void FoldRows::erase(ViewId view, std::string_view key) { write(view, key, std::nullopt); }

void FoldRows::each_changed(ViewId view, const Store::VisitRow& visit) const {
  std::vector<const Row*> changed;
  for (const auto& kind : views_.at(static_cast<size_t>(view))) {
    if (!kind) continue;
    changed.clear();
    for (const Row& row : kind->rows) {
      if (row.changed && (row.bytes || !row.is_new)) changed.push_back(&row);
    }
    const auto before = [](const Row* a, const Row* b) { return a->key < b->key; };
    if (!std::is_sorted(changed.begin(), changed.end(), before)) std::sort(changed.begin(), changed.end(), before);
    for (const Row* row : changed) visit(row->key, row->bytes);
  }
}

}  // namespace ledger
