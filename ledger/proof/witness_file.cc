#include "ledger/proof/witness_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/time.h"

namespace ledger {
namespace {

constexpr std::string_view kEntryStart = "--- ";
constexpr std::string_view kSignatureStart = "\n\n\xE2\x80\x94 ";

base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

}  // namespace

std::string witness_entry(std::string_view note, int64_t time_ns) { return fmt::format("{}{}\n{}\n", kEntryStart, base::iso_time(time_ns), note); }

bool is_witness_text(std::string_view text) { return text.starts_with(kEntryStart); }

base::Result<std::vector<Witnessed>> parse_witness_text(std::string_view text, std::string_view name, const std::vector<NoteKey>& keys) {
  std::vector<Witnessed> entries;
  const std::string next_entry = "\n" + std::string(kEntryStart);
  size_t at = is_witness_text(text) ? 0 : text.find(next_entry);
  if (at != 0 && !text.empty()) return corrupt(fmt::format("{}: is no witness file: it begins with something else than \"{}\"", name, kEntryStart));
  for (size_t number = 1; at < text.size(); ++number) {
    size_t end = text.find(next_entry, at);
    end = end == std::string_view::npos ? text.size() : end + 1;
    const std::string_view entry = text.substr(at, end - at);
    at = end;
    const size_t line = entry.find('\n');
    std::string_view note = line == std::string_view::npos ? std::string_view() : entry.substr(line + 1);
    if (note.size() > 1 && note.ends_with("\n\n")) note.remove_suffix(1);
    const size_t signature = note.find(kSignatureStart);
    if (signature == std::string_view::npos || note.back() != '\n') continue;  // the write of it did not end
    auto opened = Checkpoint::open(note, keys);
    const std::string which = fmt::format("{}: checkpoint {}", name, number);
    if (!opened.is_ok() && opened.status().code() == base::Code::kPermissionDenied) {
      std::string names;
      for (const NoteKey& key : keys) names += (names.empty() ? "" : " or ") + key.line();
      return base::Status(base::Code::kPermissionDenied,
                          fmt::format("{} was signed by another key than {}; find out whose ledger wrote it", which, names));
    }
    if (!opened.is_ok()) return corrupt(fmt::format("{}: {}", which, opened.status().message()));
    const auto is_of = [&](const NoteKey& key) { return key.name == opened->origin; };
    if (std::none_of(keys.begin(), keys.end(), is_of)) return corrupt(fmt::format("{} is of {}, not of {}", which, opened->origin, keys.front().name));
    for (const StatedLoss& loss : opened->losses) {
      for (Witnessed& earlier : entries) {
        if (!earlier.lost && loss.covers(earlier.checkpoint.size)) earlier.lost = loss;
      }
    }
    if (const Witnessed* last = last_standing(entries); last && opened->size < last->checkpoint.size) {
      return corrupt(fmt::format("{} has {} events, the one before {}, and no loss is stated", which, opened->size, last->checkpoint.size));
    }
    entries.push_back({*opened, std::string(note)});
  }
  return entries;
}

base::Result<std::vector<Witnessed>> read_witness_file(const std::filesystem::path& path, const NoteKey& key) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    if (error) return base::Status(base::Code::kUnavailable, fmt::format("{}: {}", path.string(), error.message()));
    return std::vector<Witnessed>();
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  if (!file) return base::Status(base::Code::kUnavailable, fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  return parse_witness_text(all.str(), path.string(), {key});
}

const Witnessed* last_standing(const std::vector<Witnessed>& entries) {
  const auto last = std::find_if(entries.rbegin(), entries.rend(), [](const Witnessed& entry) { return !entry.lost; });
  return last == entries.rend() ? nullptr : &*last;
}

}  // namespace ledger
