// Rows in memory, for tests of deciding and folding.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/sha256.h"
#include "ledger/fold.h"
#include "ledger/rows.h"

namespace support {

class MemoryRows final : public ledger::Rows {
 public:
  using Tables = std::map<ledger::ViewId, std::map<std::string, std::string, std::less<>>>;

  std::optional<std::string> get(ledger::ViewId view, std::string_view key) const override {
    auto table = tables_.find(view);
    if (table == tables_.end()) return std::nullopt;
    auto row = table->second.find(key);
    if (row == table->second.end()) return std::nullopt;
    return row->second;
  }
  void scan(ledger::ViewId view, std::string_view from, const Visit& visit) const override {
    auto table = tables_.find(view);
    if (table == tables_.end()) return;
    for (auto row = table->second.lower_bound(from); row != table->second.end(); ++row) {
      if (!visit(row->first, row->second)) return;
    }
  }
  bool has_blob(std::string_view sha256) const override { return blobs_.contains(sha256); }
  std::optional<std::string> blob(std::string_view sha256) const override {
    auto found = blobs_.find(sha256);
    return found == blobs_.end() ? std::nullopt : std::optional(found->second);
  }
  void put(ledger::ViewId view, std::string_view key, std::string_view row) override { tables_[view][std::string(key)] = row; }
  void erase(ledger::ViewId view, std::string_view key) override { tables_[view].erase(std::string(key)); }

  void put_blob(std::string_view bytes) { blobs_.emplace(base::as_bytes(base::sha256(bytes)), bytes); }
  const Tables& tables() const { return tables_; }

 private:
  Tables tables_;
  std::map<std::string, std::string, std::less<>> blobs_;
};

/// Rows as one view may use them: touching another view's throws.
class OwnRows final : public ledger::Rows {
 public:
  OwnRows(ledger::Rows& rows, ledger::ViewId own) : rows_(rows), own_(own) {}
  std::optional<std::string> get(ledger::ViewId view, std::string_view key) const override {
    return check(view), rows_.get(view, key);
  }
  void scan(ledger::ViewId view, std::string_view from, const Visit& visit) const override {
    check(view), rows_.scan(view, from, visit);
  }
  bool has_blob(std::string_view) const override { throw std::logic_error("a view looks at blobs"); }
  std::optional<std::string> blob(std::string_view) const override { throw std::logic_error("a view looks at blobs"); }
  void put(ledger::ViewId view, std::string_view key, std::string_view row) override { check(view), rows_.put(view, key, row); }
  void erase(ledger::ViewId view, std::string_view key) override { check(view), rows_.erase(view, key); }

 private:
  void check(ledger::ViewId view) const {
    if (view != own_) throw std::logic_error("a view touches the rows of another");
  }
  ledger::Rows& rows_;
  const ledger::ViewId own_;
};

}  // namespace support
