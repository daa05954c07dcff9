#include "ledger/fold_rows.h"

#include <fmt/format.h>

#include <stdexcept>

namespace ledger {
Table FoldRows::table_of(ViewId view) const {
  const Table table = view_table(view);
  if (!rows_.base().holds(table)) throw std::logic_error(fmt::format("view {} has no table; is it among the ledger's views?", static_cast<int>(view)));
  return table;
}

std::optional<std::string> FoldRows::get(ViewId view, std::string_view key) const {
  return std::optional<std::string>(rows_.get(table_of(view), key));
}
void FoldRows::scan(ViewId view, std::string_view from, const Visit& visit) const { rows_.scan(table_of(view), from, visit); }
void FoldRows::put(ViewId view, std::string_view key, std::string_view row) { rows_.set(table_of(view), key, row); }
void FoldRows::erase(ViewId view, std::string_view key) { rows_.set(table_of(view), key, std::nullopt); }

bool FoldRows::has_blob(std::string_view sha256) const { return found(rows_.base().has(Table::kBlobs, sha256)); }
std::optional<std::string> FoldRows::blob(std::string_view sha256) const {
  std::string bytes;
  if (!found(rows_.base().get(Table::kBlobs, sha256, bytes))) return std::nullopt;
  return bytes;
}

}  // namespace ledger
