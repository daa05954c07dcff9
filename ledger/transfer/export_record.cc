#include "ledger/transfer/export_record.h"

#include <fmt/format.h>
#include <zlib.h>

#include <charconv>
#include <cstring>

#include "base/text.h"
#include "ledger/keys.h"
#include "ledger/limits.h"

namespace ledger {
namespace {

constexpr std::string_view kMagic = "runledger-export";
constexpr uint64_t kFormat = 1;
constexpr size_t kMaxTrailerBytes = 64u << 10;

base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

/// Takes what stands before the next blank.
std::string_view take_word(std::string_view& text) {
  const size_t end = text.find(' ');
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

/// "name=value" -> value.
std::optional<std::string_view> value_of(std::string_view word, std::string_view name) {
  if (!word.starts_with(name) || word.size() <= name.size() || word[name.size()] != '=') return std::nullopt;
  return word.substr(name.size() + 1);
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<base::Sha256> hash_of(std::string_view hex) {
  const auto bytes = base::from_hex(hex);
  base::Sha256 hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::memcpy(hash.data(), bytes->data(), hash.size());
  return hash;
}

/// Hashes of the complete subtrees of a tree of `size` leaves, largest first.
std::vector<base::Sha256> peaks_of(const TreeEdge& edge) {
  std::vector<base::Sha256> peaks;
  for (int level = 63; level >= 0; --level) {
    if (edge.size() >> level & 1) peaks.push_back(edge.peak(level));
  }
  return peaks;
}

void append_u32(std::string& bytes, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xFF);
}
uint32_t read_u32(std::string_view bytes, size_t offset) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<uint8_t>(bytes[offset + i]);
  return number;
}

size_t limit_of(RecordKind kind) {
  switch (kind) {
    case RecordKind::kEvent:
      return kMaxEventBytes;
    case RecordKind::kBlob:
      return kMaxBlobBytes;
    case RecordKind::kTrailer:
      return kMaxTrailerBytes;
  }
  return 0;
}

}  // namespace

std::string ExportHeader::line() const {
  std::string peaks;
  for (const base::Sha256& peak : peaks_of(before)) peaks += (peaks.empty() ? "" : ",") + base::hex(peak);
  const std::string text = fmt::format("{} {} ledger={} from={} to={} root={} peaks={} release={}", kMagic, kFormat, ledger_id, from, to,
                                       base::hex(before.root()), peaks, release);
  return fmt::format("{} sha256={}", text, base::hex(base::sha256(text)));
}

base::Result<ExportHeader> ExportHeader::parse(std::string_view line) {
  std::string_view rest = line;
  if (take_word(rest) != kMagic) return corrupt("is no export of a ledger");
  const auto format = number_of(take_word(rest));
  if (format && *format > kFormat) {
    return base::Status(base::Code::kUnsupportedVersion, fmt::format("is an export of format {}, this release reads up to {}; read it with the release that wrote it", *format, kFormat));
  }
  const size_t end = line.rfind(" sha256=");
  if (!format || end == std::string_view::npos || hash_of(line.substr(end + 8)) != base::sha256(line.substr(0, end))) {
    return corrupt("its first line was changed, or is cut short");
  }
  ExportHeader header;
  const auto id = value_of(take_word(rest), "ledger");
  const auto from = value_of(take_word(rest), "from"), to = value_of(take_word(rest), "to");
  const auto root = value_of(take_word(rest), "root"), peaks = value_of(take_word(rest), "peaks");
  const auto release = value_of(take_word(rest), "release");
  if (!id || !from || !to || !root || !peaks || !release) return corrupt("its first line lacks a field");
  const auto first = number_of(*from), last = number_of(*to);
  if (id->size() != 32 || !base::from_hex(*id) || !first || *first == 0 || !last || *last + 1 < *first) {
    return corrupt("its first line has a field that cannot be");
  }
  header.ledger_id = *id;
  header.from = *first;
  header.to = *last;
  header.release = *release;
  std::string_view left = *peaks;
  bool whole = true;
  header.before = TreeEdge(header.from - 1, [&](int, uint64_t) {
    const auto peak = hash_of(left.substr(0, 64));
    whole = whole && peak.has_value();
    left.remove_prefix(std::min(left.size(), left.size() > 64 && left[64] == ',' ? size_t{65} : size_t{64}));
    return peak.value_or(base::Sha256{});
  });
  if (!whole || !left.empty() || hash_of(*root) != header.before.root()) return corrupt("its first line does not agree with itself about the events before it");
  return header;
}

std::string ExportTrailer::text() const {
  return fmt::format("events {}\nblobs {}\nroot {}\ndigest {}\n\n{}", events, blobs, base::hex(root), base::hex(digest), checkpoint);
}

std::optional<ExportTrailer> ExportTrailer::parse(std::string_view text) {
  const auto line = [&](std::string_view name) -> std::optional<std::string_view> {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos || !text.starts_with(name) || end < name.size()) return std::nullopt;
    const std::string_view value = text.substr(name.size(), end - name.size());
    text.remove_prefix(end + 1);
    return value;
  };
  const auto events = line("events "), blobs = line("blobs "), root = line("root "), digest = line("digest "), empty = line("");
  if (!events || !blobs || !root || !digest || !empty || !empty->empty()) return std::nullopt;
  const auto event_count = number_of(*events), blob_count = number_of(*blobs);
  const auto root_hash = hash_of(*root), digest_hash = hash_of(*digest);
  if (!event_count || !blob_count || !root_hash || !digest_hash) return std::nullopt;
  return ExportTrailer{*event_count, *blob_count, *root_hash, *digest_hash, std::string(text)};
}

std::string encode_record(RecordKind kind, uint64_t number, std::string_view bytes) {
  uLongf packed_size = compressBound(bytes.size());
  std::string packed(packed_size, '\0');
  const bool smaller = !bytes.empty() &&
                       compress2(reinterpret_cast<Bytef*>(packed.data()), &packed_size, reinterpret_cast<const Bytef*>(bytes.data()),
                                 bytes.size(), Z_BEST_SPEED) == Z_OK &&
                       packed_size < bytes.size();
  const std::string_view stored = smaller ? std::string_view(packed).substr(0, packed_size) : bytes;
  std::string record;
  record.reserve(kRecordHeadBytes + stored.size() + kRecordHashBytes);
  record += static_cast<char>(kind);
  record += static_cast<char>(smaller);
  append_u64(record, number);
  append_u32(record, static_cast<uint32_t>(bytes.size()));
  append_u32(record, static_cast<uint32_t>(stored.size()));
  record += stored;
  record += base::as_bytes(base::sha256(record));
  return record;
}

std::optional<RecordHead> decode_record_head(std::string_view head) {
  RecordHead record;
  record.kind = static_cast<RecordKind>(head[0]);
  const size_t limit = limit_of(record.kind);
  record.packed = head[1] == 1;
  record.number = read_u64(head, 2);
  record.size = read_u32(head, 10);
  record.stored_size = read_u32(head, 14);
  const bool sizes = record.size <= limit && (record.packed ? record.stored_size < record.size : record.stored_size == record.size);
  if (limit == 0 || (head[1] != 0 && head[1] != 1) || !sizes) return std::nullopt;
  return record;
}

std::optional<std::string> unpack_record(const RecordHead& head, std::string_view stored) {
  if (!head.packed) return std::string(stored);
  std::string bytes(head.size, '\0');
  uLongf size = bytes.size();
  if (uncompress(reinterpret_cast<Bytef*>(bytes.data()), &size, reinterpret_cast<const Bytef*>(stored.data()), stored.size()) != Z_OK ||
      size != bytes.size()) {
    return std::nullopt;
  }
  return bytes;
}

}  // namespace ledger
