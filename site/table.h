// One table of site.toml, read key by key. Internal to site/.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "site/site.h"

namespace site {

using base::Code;
using base::Status;

inline constexpr uint64_t kMaxWaitMs = 100 * 365 * uint64_t{86'400'000};  // a timer counts nanoseconds

/// One table of the file, read key by key; remembers the first mistake and which keys were asked for.
class Table {
 public:
  Table(const toml::table& table, std::string name, std::filesystem::path folder)
      : table_(table), name_(std::move(name)), folder_(std::move(folder)) {}

  std::string text(std::string_view key, std::optional<std::string> otherwise) {
    const toml::node* node = find(key);
    if (!node) return take_default(key, std::move(otherwise));
    if (auto value = node->value_exact<std::string>(); value && !value->empty()) return *value;
    fail(node, key, "a text in quotes that is not empty");
    return {};
  }

  std::vector<std::string> texts(std::string_view key, std::optional<std::vector<std::string>> otherwise) {
    const toml::node* node = find(key);
    if (!node) return take_default(key, std::move(otherwise));
    std::vector<std::string> values;
    if (const toml::array* array = node->as_array(); array && !array->empty()) {
      for (const toml::node& item : *array) {
        auto value = item.value_exact<std::string>();
        if (!value || value->empty()) break;
        values.push_back(*value);
      }
      if (values.size() == array->size()) return values;
    }
    fail(node, key, "a list of texts, [\"...\"]");
    return {};
  }

  /// [] where the list may be empty, as it is.
  std::vector<std::string> no_texts(std::string_view key) {
    find(key);
    return {};
  }

  uint64_t duration_ms(std::string_view key, uint64_t otherwise) {
    const uint64_t ms = with_unit(key, otherwise, parse_duration_ms, "a duration such as \"60m\" or \"250ms\"");
    if (ms > kMaxWaitMs) fail(table_.get(key), key, "a duration of at most 100y");
    return ms;
  }
  /// How old something has to be: may be longer than anybody can wait.
  uint64_t age_ms(std::string_view key) { return with_unit(key, 0, parse_duration_ms, "an age such as \"90d\" or \"2y\""); }
  uint64_t size_bytes(std::string_view key, uint64_t otherwise) {
    return with_unit(key, otherwise, parse_size_bytes, "a size such as \"8GiB\"");
  }

  uint64_t count(std::string_view key, uint64_t otherwise, uint64_t most) {
    const toml::node* node = find(key);
    if (!node) return otherwise;
    if (auto value = node->value_exact<int64_t>(); value && *value >= 0 && static_cast<uint64_t>(*value) <= most) return static_cast<uint64_t>(*value);
    fail(node, key, fmt::format("a number from 0 to {}", most));
    return 0;
  }

  bool yes(std::string_view key, bool otherwise) {
    const toml::node* node = find(key);
    if (!node) return otherwise;
    if (auto value = node->value_exact<bool>()) return *value;
    fail(node, key, "true or false");
    return otherwise;
  }

  /// Absolute; empty when it is not there.
  std::string file(std::string_view key) {
    const std::string path = text(key, "");
    return path.empty() ? path : absolute(path);
  }

  /// [name.key]; null when it is not there.
  const toml::table* table(std::string_view key) {
    const toml::node* node = find(key);
    if (node && !node->is_table()) fail(node, key, "a table of its own");
    return node ? node->as_table() : nullptr;
  }
  /// [[name.key]]
  std::vector<const toml::table*> tables(std::string_view key) {
    const toml::node* node = find(key);
    std::vector<const toml::table*> found;
    if (!node) return found;
    if (!node->is_array_of_tables()) {
      fail(node, key, "tables of its own, each under a line in double brackets");
      return found;
    }
    for (const toml::node& item : *node->as_array()) found.push_back(item.as_table());
    return found;
  }

  std::string one_of(std::string_view key, std::optional<std::string> otherwise, const std::vector<std::string>& words) {
    std::string value = text(key, std::move(otherwise));
    if (problem_.is_ok() && std::find(words.begin(), words.end(), value) == words.end()) {
      fail(find(key), key, fmt::format("one of {} (it says \"{}\")", fmt::join(words, ", "), value));
    }
    return value;
  }

  /// "unix:PATH" with an absolute path.
  std::string address(std::string_view key, const std::string& text) {
    if (text.starts_with("unix:") && text.size() > 5) return "unix:" + absolute(text.substr(5));
    fail(table_.get(key), key, fmt::format("\"unix:PATH\" (it has \"{}\")", text));
    return {};
  }
  /// The same, or "tls:HOST:PORT".
  std::string any_address(std::string_view key, const std::string& text) {
    static const std::regex kTls("tls:(\\[[0-9A-Fa-f:.]+\\]|[^\\[\\]:]+):[0-9]{1,5}");
    if (std::regex_match(text, kTls)) return text;
    if (text.starts_with("unix:")) return address(key, text);
    fail(table_.get(key), key, fmt::format("\"unix:PATH\" or \"tls:HOST:PORT\" (it has \"{}\")", text));
    return {};
  }

  std::string absolute(const std::string& path) const { return (folder_ / path).lexically_normal().string(); }

  void fail(const toml::node* node, std::string_view key, std::string_view wanted) {
    if (!problem_.is_ok()) return;
    std::string line = node ? fmt::format("line {}: ", node->source().begin.line) : "";
    problem_ = Status(Code::kInvalidArgument, fmt::format("{}{}: {} must be {}", line, name_, key, wanted));
  }

  /// Whatever fail() was told.
  Status first_problem() const { return problem_; }
  /// kOk, or the first mistake; a key nobody asked for is one.
  Status finish() {
    for (const auto& [key, node] : table_) {
      if (!problem_.is_ok()) break;
      if (!asked_.contains(std::string(key.str()))) {
        problem_ = Status(Code::kInvalidArgument, fmt::format("line {}: {} has no setting \"{}\"; it knows {}", node.source().begin.line,
                                                              name_, key.str(), fmt::join(asked_, ", ")));
      }
    }
    return problem_;
  }

 private:
  const toml::node* find(std::string_view key) {
    asked_.insert(std::string(key));
    return table_.get(key);
  }
  template <typename T>
  T take_default(std::string_view key, std::optional<T> otherwise) {
    if (otherwise) return *std::move(otherwise);
    if (problem_.is_ok()) problem_ = Status(Code::kInvalidArgument, fmt::format("{}: {} is missing", name_, key));
    return {};
  }
  uint64_t with_unit(std::string_view key, uint64_t otherwise, std::optional<uint64_t> (*parse)(std::string_view), std::string_view wanted) {
    const toml::node* node = find(key);
    if (!node) return otherwise;
    if (auto value = node->value_exact<std::string>()) {
      if (auto number = parse(*value)) return *number;
    }
    fail(node, key, wanted);
    return 0;
  }

  const toml::table& table_;
  std::string name_;
  std::filesystem::path folder_;
  std::set<std::string> asked_;
  Status problem_;
};

/// Reads the [[instrument]] tables, with the stages in them. [trials] must be read before.
Status read_instruments(const toml::array& source, const std::filesystem::path& folder, Site& site);

/// Reads [access]. The instruments must be read before: scientists are of one of them.
Status read_access(const toml::table& source, const std::filesystem::path& folder, Site& site);

}  // namespace site
