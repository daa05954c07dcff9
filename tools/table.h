// Text for people: tables, pairs of label and value, times and sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tools {

/// Where results go: `columns` is 0 unless it is a terminal.
struct Terminal {
  size_t columns = 0;
  bool is_tty = false;
};

/// Terminal columns a UTF-8 text takes: 2 for wide characters, 0 for combining ones.
size_t display_width(std::string_view text);
/// `text` cut to at most `columns`, ending in "…" when something is missing.
std::string cut_to_width(std::string_view text, size_t columns);

/// Rows under a heading, as wide as they need to be; on a terminal the elastic columns give way, then lines are cut.
///
/// Owns:    its cells, made printable: no title can steer a terminal.
/// Threads: one at a time. Errors: none. Units: widths are terminal columns.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
    bool elastic = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell a column.
  void add(std::vector<std::string> cells);
  bool is_empty() const { return rows_.empty(); }
  std::string text(const Terminal& terminal) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "label   value" lines; a value of several lines is indented. Values are made printable, line by line.
std::string labelled(const std::vector<std::pair<std::string, std::string>>& lines, size_t indent = 0);

/// The text, "-" for none.
std::string or_dash(std::string_view text);
/// Text whose line ends and tabs stay, everything else that could steer a terminal is written out.
std::string printable_lines(std::string_view text);

/// "2026-11-01T12:00:05.000000000Z": always nine digits, so that times sort as text. `zoned` false leaves the Z away.
std::string exact_time(int64_t time_ns, bool zoned = true);
/// "2026-11-01 12:00:05" in the local time zone; "-" for 0.
std::string human_time(int64_t time_ns);
/// "350 ms", "4.2 s", "3 min 20 s", "2 h 05 min", "3 d 4 h".
std::string human_duration(int64_t duration_ns);
/// "12 B", "3.4 KiB", "1.2 GiB".
std::string human_size(uint64_t size_bytes);
/// The first 12 hex digits of a hash in bytes; "-" when there is none.
std::string short_hash(std::string_view sha256);

}  // namespace tools
