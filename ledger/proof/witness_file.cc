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
constexpr size_t kSignatureChars = 92;  // base 64 of a key's id and an Ed25519 signature

base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

/// Where the next entry begins behind `at`; an entry may have been cut short within its first four bytes.
size_t next_entry(std::string_view text, size_t at) {
  while ((at = text.find("\n-", at)) != std::string_view::npos) {
    if (is_witness_text(text.substr(++at))) return at;
  }
  return text.size();
}

/// The note of an entry; empty: the write of it did not end. It is whole with the last character of its signature: what was written behind it
/// then ends the line.
std::string whole_note(std::string_view entry) {
  const size_t line = entry.find('\n');
  if (line == std::string_view::npos) return {};
  std::string note(entry.substr(line + 1));
  const size_t signature = note.find(kSignatureStart);
  if (signature == std::string::npos) return {};
  if (note.ends_with("\n\n")) return note.substr(0, note.size() - 1);
  if (!note.ends_with('\n')) note += '\n';
  const size_t blank = note.find(' ', signature + kSignatureStart.size());
  if (blank == std::string::npos || note.size() - blank - 2 < kSignatureChars) return {};
  return note;
}

}  // namespace

std::string witness_entry(std::string_view note, int64_t time_ns) { return fmt::format("{}{}\n{}\n", kEntryStart, base::iso_time(time_ns), note); }

bool is_witness_text(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  return line.starts_with(kEntryStart) || (!line.empty() && kEntryStart.starts_with(line));
}

base::Result<std::vector<Witnessed>> parse_witness_text(std::string_view text, std::string_view name, const std::vector<NoteKey>& keys) {
  std::vector<Witnessed> entries;
  if (!text.empty() && !is_witness_text(text)) {
    return corrupt(fmt::format("{}: is no witness file: it begins with something else than \"{}\"", name, kEntryStart));
  }
  for (size_t number = 1, at = 0, end = 0; at < text.size(); ++number, at = end) {
    end = next_entry(text, at);
    std::string note = whole_note(text.substr(at, end - at));
    if (note.empty()) continue;
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
    entries.push_back({*opened, std::move(note)});
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
