#include "ledger/changed_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <stdexcept>

namespace ledger {
namespace {

constexpr size_t kFewestSlots = 64;
constexpr size_t kBytesARow = 96;        // what a row takes besides its key and bytes
constexpr uint64_t kPlace = 0xFFFFFFFF;  // the half of a slot that says where

uint64_t hash_of(std::string_view key) { return std::hash<std::string_view>()(key); }

}  // namespace

void ChangedRows::Kind::clear() {
  slots.assign(std::max(kFewestSlots, std::bit_ceil(2 * rows.size())), 0);
  rows.clear();
  order.clear();
  is_ordered = false;
}

size_t ChangedRows::Kind::find(std::string_view key, uint64_t hash) const {
  for (size_t at = hash & (slots.size() - 1); slots[at] != 0; at = (at + 1) & (slots.size() - 1)) {
    const size_t place = (slots[at] & kPlace) - 1;
    if ((slots[at] | kPlace) == (hash | kPlace) && rows[place].key == key) return place;
  }
  return rows.size();
}

void ChangedRows::Kind::enter(uint64_t hash, size_t place) {
  size_t at = hash & (slots.size() - 1);
  while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
  slots[at] = (hash & ~kPlace) | (place + 1);
}

ChangedRows::Row& ChangedRows::Kind::add(std::string_view key, uint64_t hash) {
  if (slots.size() < 2 * (rows.size() + 1)) {
    slots.assign(2 * slots.size(), 0);
    for (size_t place = 0; place < rows.size(); ++place) enter(hash_of(rows[place].key), place);
  }
  enter(hash, rows.size());
  if (is_ordered) order.emplace(key, rows.size());
  return rows.emplace_back(Row{.key = key});
}

void ChangedRows::begin(std::shared_ptr<const Cut> base) {
  base_ = std::move(base);
  for (Kinds& kinds : tables_) {
    for (const char letter : kinds.letters) kinds.by_letter[static_cast<uint8_t>(letter)]->clear();
  }
  memory_.release();
  bytes_ = 0;
}

ChangedRows::Kind& ChangedRows::kind_of(Table table, std::string_view key) const {
  Kinds& kinds = tables_.at(static_cast<size_t>(table));
  const char letter = key.empty() ? '\0' : key[0];
  auto& kind = kinds.by_letter[static_cast<uint8_t>(letter)];
  if (kind) return *kind;
  kind = std::make_unique<Kind>();
  kind->clear();
  kinds.letters += letter;
  std::sort(kinds.letters.begin(), kinds.letters.end(), [](char a, char b) { return static_cast<uint8_t>(a) < static_cast<uint8_t>(b); });
  return *kind;
}

std::string_view ChangedRows::keep(std::string_view bytes) const {
  if (bytes.empty()) return {};
  auto* kept = static_cast<char*>(memory_.allocate(bytes.size(), 1));
  std::memcpy(kept, bytes.data(), bytes.size());
  bytes_ += bytes.size();
  return {kept, bytes.size()};
}

size_t ChangedRows::place_of(Kind& kind, std::string_view key, uint64_t hash) const {
  const size_t place = kind.find(key, hash);
  if (place == kind.rows.size()) {
    kind.add(keep(key), hash);
    bytes_ += kBytesARow;
  }
  return place;
}

std::optional<std::string_view> ChangedRows::get(Table table, std::string_view key) const {
  Kind& kind = kind_of(table, key);
  const uint64_t hash = hash_of(key);
  if (const size_t place = kind.find(key, hash); place < kind.rows.size() && kind.rows[place].known) return kind.rows[place].bytes;
  std::string stored;
  const bool is_there = found(base_->get(table, key, stored));
  Row& row = kind.rows[place_of(kind, key, hash)];
  row.known = true;
  row.is_new = !is_there;
  if (is_there) row.bytes = keep(stored);
  return row.bytes;
}

void ChangedRows::scan(Table table, std::string_view from, const Cut::Visit& visit) const {
  if (from.empty()) throw std::logic_error("a scan begins with the letter of its rows");
  Kind& kind = kind_of(table, from);
  if (!kind.is_ordered) {
    kind.is_ordered = true;
    for (size_t place = 0; place < kind.rows.size(); ++place) kind.order.emplace(kind.rows[place].key, place);
  }
  auto at = kind.order.lower_bound(from);
  bool more = true;
  const auto next_known = [&] {
    while (at != kind.order.end() && !kind.rows[at->second].known) ++at;
    return at != kind.order.end();
  };
  const auto visit_known = [&] {
    const Row& row = kind.rows[at->second];
    ++at;
    if (row.bytes) more = visit(row.key, *row.bytes);
  };
  std::string to;
  if (from[0] != '\xff') to = static_cast<char>(from[0] + 1);
  const base::Status status = base_->scan(table, from, to, [&](std::string_view key, std::string_view bytes) {
    while (more && next_known() && at->first < key) visit_known();
    if (!more) return false;
    if (next_known() && at->first == key) {
      visit_known();
    } else {
      more = visit(key, bytes);
    }
    return more;
  });
  if (!status.is_ok()) throw StoreFault{status};
  while (more && next_known()) visit_known();
}

void ChangedRows::write(Row& row, std::optional<std::string_view> bytes) {
  row.known = row.changed = true;
  if (bytes && row.bytes && bytes->size() <= row.bytes->size()) {
    std::copy(bytes->begin(), bytes->end(), const_cast<char*>(row.bytes->data()));
    row.bytes = row.bytes->substr(0, bytes->size());
  } else {
    row.bytes = bytes ? std::optional(keep(*bytes)) : std::nullopt;
  }
}

void ChangedRows::set(Table table, std::string_view key, std::optional<std::string_view> bytes) {
  Kind& kind = kind_of(table, key);
  write(kind.rows[place_of(kind, key, hash_of(key))], bytes);
}

ChangedRows::Before ChangedRows::change(Table table, std::string_view key, std::optional<std::string_view> bytes) {
  Kind& kind = kind_of(table, key);
  const size_t place = place_of(kind, key, hash_of(key));
  Row& row = kind.rows[place];
  Before before{&kind, place, row.changed, row.known, std::optional<std::string>(row.bytes)};
  write(row, bytes);
  return before;
}

void ChangedRows::restore(Before&& before) {
  Row& row = before.kind->rows[before.place];
  write(row, before.bytes);
  row.changed = before.changed;
  row.known = before.known;
}

void ChangedRows::each_changed(Table table, const Store::VisitRow& visit) const {
  const Kinds& kinds = tables_.at(static_cast<size_t>(table));
  std::vector<const Row*> changed;
  for (const char letter : kinds.letters) {
    const std::vector<Row>& rows = kinds.by_letter[static_cast<uint8_t>(letter)]->rows;
    changed.clear();
    changed.reserve(rows.size());
    for (const Row& row : rows) {
      if (row.changed && (row.bytes || !row.is_new)) changed.push_back(&row);
    }
    const auto before = [](const Row* a, const Row* b) { return a->key < b->key; };
    if (!std::is_sorted(changed.begin(), changed.end(), before)) std::sort(changed.begin(), changed.end(), before);
    for (const Row* row : changed) visit(row->key, row->bytes);
  }
}

void ChangedRows::each_changed(const std::function<void(Table, std::string_view, std::optional<std::string_view>)>& visit) const {
  for (size_t i = 0; i < kTables; ++i) {
    if (tables_[i].letters.empty()) continue;
    const auto table = static_cast<Table>(i);
    each_changed(table, [&](std::string_view key, std::optional<std::string_view> row) { visit(table, key, row); });
  }
}

}  // namespace ledger
