// Rows in memory: what a fold needs where nothing is stored.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "ledger/rows.h"

namespace ledger {

/// Rows of any view, each with the event that wrote it last.
///
/// Owns:    the rows. Borrows `blobs`, whose documents a fold may read.
/// Threads: one at a time.
class MemoryRows final : public Rows {
 public:
  struct Row {
    std::optional<std::string> bytes;  // nullopt = erased
    uint64_t seq = 0;
  };
  using Table = std::map<std::string, Row, std::less<>>;
  using ReadBlob = std::function<std::optional<std::string>(std::string_view sha256)>;

  explicit MemoryRows(ReadBlob blobs) : blobs_(std::move(blobs)) {}
  /// The event that writes from here on.
  void at(uint64_t seq) { seq_ = seq; }
  const Table& table(ViewId view) const { return tables_[slot(view)]; }

  std::optional<std::string> get(ViewId view, std::string_view key) const override {
    const Table& rows = table(view);
    const auto row = rows.find(key);
    return row == rows.end() ? std::nullopt : row->second.bytes;
  }
  void scan(ViewId view, std::string_view from, const Visit& visit) const override {
    const Table& rows = table(view);
    for (auto row = rows.lower_bound(from); row != rows.end(); ++row) {
      if (row->second.bytes && !visit(row->first, *row->second.bytes)) return;
    }
  }
  bool has_blob(std::string_view sha256) const override { return blob(sha256).has_value(); }
  std::optional<std::string> blob(std::string_view sha256) const override { return blobs_(sha256); }
  void put(ViewId view, std::string_view key, std::string_view row) override {
    tables_[slot(view)].insert_or_assign(std::string(key), Row{std::string(row), seq_});
  }
  void erase(ViewId view, std::string_view key) override {
    Table& rows = tables_[slot(view)];
    if (const auto row = rows.find(key); row != rows.end()) row->second = {std::nullopt, seq_};
  }

 private:
  static constexpr size_t kViews = 32;
  static size_t slot(ViewId view) { return static_cast<size_t>(view) % kViews; }
  const ReadBlob blobs_;
  std::array<Table, kViews> tables_;
  uint64_t seq_ = 0;
};

}  // namespace ledger
