// Any bytes are an export: it is read to its end, or refused. Hashes are set right in every input, so that not all end at the first
// one.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/text.h"
#include "ledger/transfer/export_reader.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using ledger::kRecordHashBytes;
using ledger::kRecordHeadBytes;

constexpr size_t kSizesAt = 10;  // of a record's head

/// A file in memory.
class File {
 public:
  File() : fd_(memfd_create("export", MFD_CLOEXEC)) {
    if (fd_ < 0) std::abort();
  }
  ~File() { close(fd_); }
  void write(std::string_view bytes) const {
    if (ftruncate(fd_, 0) != 0 || pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  const int fd_;
};

/// An export as its first line, its whole records, and what stands behind them.
struct Parts {
  std::string header;
  std::vector<std::string> records;
  std::string rest;

  static Parts of(std::string_view bytes) {
    Parts parts;
    const size_t line = bytes.find('\n');
    if (line != std::string_view::npos) {
      parts.header = bytes.substr(0, line + 1);
      bytes.remove_prefix(line + 1);
    }
    while (bytes.size() >= kRecordHeadBytes) {
      const auto head = ledger::decode_record_head(bytes.substr(0, kRecordHeadBytes));
      const size_t size = head ? kRecordHeadBytes + head->stored_size + kRecordHashBytes : 0;
      if (!head || size > bytes.size()) break;
      parts.records.emplace_back(bytes.substr(0, size));
      bytes.remove_prefix(size);
    }
    parts.rest = bytes;
    return parts;
  }
  std::string bytes() const {
    std::string bytes = header;
    for (const std::string& record : records) bytes += record;
    return bytes + rest;
  }
};

void put(std::string& text, std::string_view label, std::string_view value) {
  const size_t at = text.find(label);
  if (at != std::string::npos && text.size() - at - label.size() >= value.size())
    text.replace(at + label.size(), value.size(), value);
}

/// The same with the right hashes, as whoever forges a file would set them: of the first line, of each record, and those of the
/// trailer.
std::string sealed(std::string_view bytes) {
  Parts parts = Parts::of(bytes);
  if (const size_t end = parts.header.rfind(" sha256="); end != std::string::npos) {
    parts.header = parts.header.substr(0, end + 8) + base::hex(base::sha256(parts.header.substr(0, end))) + '\n';
  }
  base::Sha256Stream digest;
  ledger::TreeEdge edge;
  digest.update(parts.header.data(), parts.header.size());
  for (std::string& record : parts.records) {
    const bool is_trailer = record[0] == static_cast<char>(ledger::RecordKind::kTrailer);
    if (is_trailer) {
      put(record, "\nroot ", base::hex(edge.root()));
      put(record, "\ndigest ", base::hex(digest.finish()));
    }
    const size_t hashed = record.size() - kRecordHashBytes;
    const base::Sha256 hash = base::sha256(std::string_view(record).substr(0, hashed));
    std::memcpy(record.data() + hashed, hash.data(), hash.size());
    if (is_trailer) break;
    digest.update(record.data(), record.size());
    if (record[0] == static_cast<char>(ledger::RecordKind::kEvent)) {
      edge.append(ledger::leaf_hash(std::string_view(record).substr(kRecordHeadBytes, hashed - kRecordHeadBytes)),
                  [](int, uint64_t, const base::Sha256&) {});
    }
  }
  return parts.bytes();
}

/// The record with other bytes, as it would have been written unpacked.
std::string with_bytes(const std::string& record, std::string_view bytes) {
  std::string changed = record.substr(0, kRecordHeadBytes);
  for (size_t i = 0; i < 4; ++i) {
    changed[kSizesAt + i] = changed[kSizesAt + 4 + i] = static_cast<char>(bytes.size() >> (24 - 8 * i));
  }
  changed[1] = 0;
  return changed.append(bytes).append(kRecordHashBytes, '\0');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const File file;
  file.write(sealed({reinterpret_cast<const char*>(data), size}));
  const auto summary = ledger::check_export(file.path(), [](uint64_t, uint64_t) { return true; });
  if (!summary.is_ok() && summary.status().message().empty()) std::abort();
  return 0;
}

/// Mostly what stands in one record changes, the file around it is kept whole.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  Parts parts = Parts::of({reinterpret_cast<const char*>(data), size});
  if (parts.records.empty() || random() % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string& record = parts.records[random() % parts.records.size()];
  std::string bytes = record.substr(kRecordHeadBytes, record.size() - kRecordHeadBytes - kRecordHashBytes);
  const size_t before = bytes.size();
  bytes.resize(before + 64);
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), before, bytes.size()));
  record = with_bytes(record, bytes);
  const std::string changed = parts.bytes();
  const size_t kept = std::min(changed.size(), max_size);
  std::memcpy(data, changed.data(), kept);
  return kept;
}
