#include "ledger/same_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ledger {
namespace {

using Json = nlohmann::json;
constexpr int kMostDepth = 64;  // of brackets; values that are set have less (ledger/decide/limits.h)

bool is_flat_enough(std::string_view text) {
  int depth = 0, most = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') most = std::max(most, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return most <= kMostDepth;
}

bool same(const Json& one, const Json& other) {
  if (one.is_number() && other.is_number() && one.is_number_float() != other.is_number_float()) return false;
  if (one.type() == other.type() && one.is_structured()) {
    if (one.size() != other.size()) return false;
    if (one.is_array()) return std::equal(one.begin(), one.end(), other.begin(), same);
    return std::equal(one.items().begin(), one.items().end(), other.items().begin(),
                      [](const auto& left, const auto& right) { return left.key() == right.key() && same(left.value(), right.value()); });
  }
  return one == other;
}

}  // namespace

bool same_json(std::string_view one, std::string_view other) {
  if (one == other) return true;
  if (!is_flat_enough(one) || !is_flat_enough(other)) return false;
  const Json left = Json::parse(one, nullptr, false), right = Json::parse(other, nullptr, false);
  return !left.is_discarded() && !right.is_discarded() && same(left, right);
}

}  // namespace ledger
