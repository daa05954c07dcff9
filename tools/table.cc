#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/text.h"
#include "base/time.h"

namespace tools {
namespace {

struct Span {
  uint32_t first, last;
};
// Unicode 15: combining marks and joiners that take no column.
constexpr std::array<Span, 13> kNoWidth = {{{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
                                            {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D}, {0x2060, 0x2064}, {0x20D0, 0x20FF},
                                            {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}}};
// Unicode 15, East Asian Width W and F, in whole blocks.
constexpr std::array<Span, 12> kWide = {{{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0x33FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF},
                                         {0xA000, 0xA4CF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60},
                                         {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}}};

template <size_t N>
bool holds(const std::array<Span, N>& spans, uint32_t point) {
  return std::any_of(spans.begin(), spans.end(), [&](const Span& span) { return point >= span.first && point <= span.last; });
}

struct Character {
  size_t bytes;
  size_t columns;
};

/// The character at the front of `text`, which is valid UTF-8 and not empty.
Character front(std::string_view text) {
  uint8_t lead = static_cast<uint8_t>(text[0]);
  size_t bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  bytes = std::min(bytes, text.size());
  uint32_t point = bytes == 1 ? lead : lead & (0xFFu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) point = point << 6 | (static_cast<uint8_t>(text[i]) & 0x3F);
  return {bytes, holds(kNoWidth, point) ? 0u : holds(kWide, point) ? 2u : 1u};
}

void pad(std::string& line, std::string_view cell, size_t width, Table::Align align) {
  size_t missing = width - std::min(width, display_width(cell));
  if (align == Table::Align::kRight) line.append(missing, ' ');
  line += cell;
  if (align == Table::Align::kLeft) line.append(missing, ' ');
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    Character character = front(text);
    columns += character.columns;
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::string cut_to_width(std::string_view text, size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  std::string cut;
  size_t used = 0;
  while (!text.empty()) {
    Character character = front(text);
    if (used + character.columns > columns - 1) break;
    used += character.columns;
    cut += text.substr(0, character.bytes);
    text.remove_prefix(character.bytes);
  }
  return cut + "…";
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = base::printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text(const Terminal& terminal) const {
  constexpr size_t kGap = 2, kNarrowest = 8;
  std::vector<size_t> widths;
  size_t total = 0;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = display_width(columns_[i].heading);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
    total += width + (i > 0 ? kGap : 0);
  }
  while (terminal.columns > 0 && total > terminal.columns) {
    size_t widest = columns_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].elastic && widths[i] > kNarrowest && (widest == columns_.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }

  std::string text;
  auto add_line = [&](auto cell_of) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) line.append(kGap, ' ');
      pad(line, cut_to_width(cell_of(i), widths[i]), widths[i], columns_[i].align);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    if (terminal.columns > 0) line = cut_to_width(line, terminal.columns);
    text += line + '\n';
  };
  add_line([&](size_t i) -> const std::string& { return columns_[i].heading; });
  for (const auto& row : rows_) add_line([&](size_t i) -> const std::string& { return row[i]; });
  return text;
}

std::string labelled(const std::vector<std::pair<std::string, std::string>>& lines, size_t indent) {
  size_t width = 0;
  for (const auto& line : lines) width = std::max(width, display_width(line.first));
  std::string text;
  for (const auto& [label, value] : lines) {
    std::string front_part = std::string(indent, ' ') + label + std::string(width - display_width(label) + 2, ' ');
    std::string_view rest = value;
    for (bool first = true; first || !rest.empty(); first = false) {
      size_t end = rest.find('\n');
      std::string line = (first ? front_part : std::string(indent + width + 2, ' ')) + base::printable(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
      while (!line.empty() && line.back() == ' ') line.pop_back();
      text += line + '\n';
    }
  }
  return text;
}

std::string printable_lines(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    size_t end = std::min(text.find_first_of("\n\t"), text.size());
    safe += base::printable(text.substr(0, end));
    if (end < text.size()) safe += text[end++];
    text.remove_prefix(end);
  }
  return safe;
}

std::string or_dash(std::string_view text) { return std::string(text.empty() ? "-" : text); }

std::string exact_time(int64_t time_ns, bool zoned) {
  std::string text = base::iso_time(time_ns, false);
  if (text.find('.') == std::string::npos) text += '.';
  text.resize(text.find('.') + 10, '0');
  return zoned ? text + 'Z' : text;
}

std::string human_time(int64_t time_ns) {
  if (time_ns == 0) return "-";
  time_t seconds = time_ns / 1'000'000'000;
  tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                     parts.tm_min, parts.tm_sec);
}

std::string human_duration(int64_t duration_ns) {
  if (duration_ns < 0) return "-";
  int64_t milliseconds = duration_ns / 1'000'000, seconds = milliseconds / 1000;
  if (milliseconds < 1000) return fmt::format("{} ms", milliseconds);
  if (seconds < 60) return fmt::format("{}.{} s", seconds, milliseconds / 100 % 10);
  if (seconds < 3600) return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / 86400, seconds / 3600 % 24);
}

std::string human_size(uint64_t size_bytes) {
  if (size_bytes < 1024) return fmt::format("{} B", size_bytes);
  constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double size = static_cast<double>(size_bytes) / 1024;
  size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  return fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string short_hash(std::string_view sha256) { return sha256.empty() ? "-" : base::hex(sha256.substr(0, 6)); }

}  // namespace tools
