// Pages of rows of which a caller sees some.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "ledger/view_rows.h"

namespace rpc {

/// Rows from `after` on, each with the `after` that begins with it, until `visit` returns false. `list(limit, after)` answers a ledger::Page.
template <typename List, typename Visit>
void each_row(const List& list, std::string_view after, const Visit& visit) {
  std::string from(after);
  do {
    auto page = list(1, from);
    for (auto& row : page.rows) {
      if (!visit(std::move(row), from)) return;
    }
    from = page.next;
  } while (!from.empty());
}

/// The first `limit` rows that are seen. The page's end names a row that is seen, or nothing: it tells nothing of the others.
template <typename T, typename List, typename Sees>
ledger::Page<T> seen_page(const List& list, const Sees& sees, size_t limit, std::string_view after) {
  ledger::Page<T> seen;
  each_row(list, after, [&](ledger::Row<T> row, const std::string& at) {
    if (!sees(row.get())) return true;
    if (seen.rows.size() == limit) {
      seen.next = at;
      return false;
    }
    seen.rows.push_back(std::move(row));
    return true;
  });
  return seen;
}

}  // namespace rpc
