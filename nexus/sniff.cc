#include "nexus/sniff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "base/text.h"

namespace nexus {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n"sv;
constexpr size_t kHeadBytes = 4096;
constexpr uint8_t kNewestSuperblock = 3;  // what libhdf5 1.10 reads

Verdict disk_failed() { return Verdict::not_yet("unreadable", "the disk failed while the file was read; it is tried again"); }

/// An ISIS RAW file begins with three letters of the instrument, five digits of the run, user, title and a date DD-MON-YYYY.
bool is_isis_raw(std::string_view head) {
  if (head.size() < 80) return false;
  auto letter = [&](size_t i) { return head[i] >= 'A' && head[i] <= 'Z'; };
  auto digit = [&](size_t i) { return head[i] >= '0' && head[i] <= '9'; };
  for (size_t i = 3; i < 8; ++i) {
    if (!digit(i)) return false;
  }
  constexpr size_t kDate = 52;
  return letter(0) && (letter(1) || digit(1)) && (letter(2) || digit(2)) && head[kDate + 2] == '-' && head[kDate + 6] == '-';
}

bool is_html(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  size_t start = head.find_first_not_of(" \t\r\n");
  if (start == head.npos) return false;
  std::string text = base::ascii_lower(head.substr(start, 64));
  return text.starts_with("<!doctype html") || text.starts_with("<html");
}

bool is_text_mode_hdf5(std::string_view head) {
  constexpr std::string_view kRewritten[] = {
      "\x89HDF\n\x1a\n"sv,        // CR LF became LF
      "\x89HDF\r\r\n\x1a\r\n"sv,  // LF became CR LF
      "\x89HDF\r\x1a\r"sv,        // ... or CR
      "\x09HDF"sv,                // the high bit is gone
      "\xC2\x89HDF"sv,            // taken for Latin-1 and written as UTF-8
      "\xEF\xBF\xBDHDF"sv,        // not UTF-8, and replaced
      "?HDF\r\n\x1a\n"sv,
  };
  return std::any_of(std::begin(kRewritten), std::end(kRewritten), [&](std::string_view form) { return head.starts_with(form); });
}

bool is_damaged_signature(std::string_view head) {
  if (head.size() < kSignature.size()) return false;
  size_t equal = 0;
  for (size_t i = 0; i < kSignature.size(); ++i) equal += head[i] == kSignature[i];
  return equal >= 6;
}

Verdict name_the_kind(std::string_view head, uint64_t size_bytes) {
  if (head.starts_with("\x0e\x03\x13\x01"sv)) {
    return Verdict::refused("hdf4",
                            "it is an HDF4 file (as NeXus version 1 was written); convert it to HDF5, for example with h4toh5");
  }
  if (head.starts_with("version https://git-lfs")) {
    return Verdict::refused("git_lfs_pointer",
                            "it is a Git LFS pointer, a note of where the data are, not the data; fetch them with git lfs pull");
  }
  if (is_html(head))
    return Verdict::refused("html", "it is an HTML page, probably an error page that a download saved; fetch the file again");
  if (head.starts_with("\x1f\x8b"sv)) return Verdict::refused("gzip", "it is a gzip archive; unpack it with gunzip");
  if (head.starts_with("PK\x03\x04"sv) || head.starts_with("PK\x05\x06"sv))
    return Verdict::refused("zip", "it is a ZIP archive; unpack it with unzip");
  if (is_isis_raw(head)) {
    return Verdict::refused("isis_raw",
                            fmt::format("it is an ISIS RAW file of {}; only its NeXus twin is read", head.substr(0, 8)));
  }
  if (is_text_mode_hdf5(head)) {
    return Verdict::refused(
        "text_mode", fmt::format("it is HDF5 whose bytes a text-mode transfer changed (it begins {}); copy it again in binary mode",
                                 base::hex(head.substr(0, 8))));
  }
  if (is_damaged_signature(head)) {
    return Verdict::refused("not_hdf5", fmt::format("its HDF5 signature is damaged ({} instead of {}); copy it again",
                                                    base::hex(head.substr(0, 8)), base::hex(kSignature)));
  }
  return Verdict::refused("not_hdf5", fmt::format("it is not HDF5 ({} bytes, beginning {}); it is looked at again when it changes",
                                                  size_bytes, base::hex(head.substr(0, 8))));
}

uint64_t little_endian(std::string_view bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = width; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

Verdict truncated(uint64_t size_bytes, std::string_view stored) {
  return Verdict::not_yet(
      "truncated",
      fmt::format("the file is truncated: it has {} bytes, {}; it is looked at again when it grows", size_bytes, stored));
}

}  // namespace

std::variant<uint64_t, Verdict> find_hdf5(const InputFile& file) {
  uint64_t size_bytes = file.size_bytes();
  if (size_bytes == 0) return Verdict::not_yet("empty", "the file is empty so far; it is looked at again when it grows");
  auto head = file.read(0, kHeadBytes);
  if (!head) return disk_failed();
  if (head->starts_with(kSignature)) return uint64_t{0};
  if (head->size() < kSignature.size() && kSignature.starts_with(*head))
    return truncated(size_bytes, "not even the whole HDF5 signature");

  for (uint64_t offset = 512; offset < size_bytes && offset <= UINT64_MAX / 4; offset *= 2) {
    auto bytes = file.read(offset, kSignature.size());
    if (!bytes) return disk_failed();
    if (*bytes == kSignature) return offset;
  }
  if (head->find_first_not_of('\0') == head->npos) {
    auto data_at = file.first_nonzero();
    return Verdict::not_yet(
        "preallocated",
        fmt::format(
            "{} of its {} bytes are zero: space was reserved and the data are still to come; it is looked at again when it changes",
            data_at ? fmt::format("the first {}", *data_at) : "all", size_bytes));
  }
  return name_the_kind(*head, size_bytes);
}

std::optional<Verdict> check_superblock(const InputFile& file, uint64_t offset) {
  constexpr size_t kLongestBytes = 96;
  auto block = file.read(offset, kLongestBytes);
  if (!block) return disk_failed();
  constexpr size_t kVersionAt = 8;
  auto missing = [&] { return truncated(file.size_bytes(), "too few for an HDF5 superblock"); };
  if (block->size() <= kVersionAt) return missing();
  auto version = static_cast<uint8_t>((*block)[kVersionAt]);
  if (version > kNewestSuperblock) {
    return Verdict::refused(
        "unsupported_version",
        fmt::format("its HDF5 superblock has version {}, newer than the {} this program reads; save it with an older "
                    "format (libver) or update RunLedger",
                    version, kNewestSuperblock));
  }
  // HDF5 file format specification 3.0, II.A: where versions 0 and 1, 2 and 3 keep what we need.
  bool old = version < 2;
  size_t width_at = old ? 13 : 9;
  size_t base_at = version == 0 ? 24 : version == 1 ? 28 : 12;
  if (block->size() <= width_at) return missing();
  size_t width = static_cast<uint8_t>((*block)[width_at]);
  if (width != 2 && width != 4 && width != 8) return std::nullopt;  // left to libhdf5 to complain about
  size_t end_at = base_at + 2 * width;
  if (block->size() < end_at + width) return missing();

  constexpr size_t kFlagsAt = 11;
  if (version == 3 && (static_cast<uint8_t>((*block)[kFlagsAt]) & 1) != 0) {
    return Verdict::not_yet("unclosed_writer",
                            "it was never closed by its writer: HDF5 marks it as open for writing. If the writer is gone, "
                            "close it with h5clear -s FILE");
  }
  uint64_t base_address = little_endian(*block, base_at, width), stored_end = little_endian(*block, end_at, width);
  uint64_t end = stored_end - base_address + offset;  // a user block put before it later moves everything
  if (stored_end >= base_address && end > file.size_bytes())
    return truncated(file.size_bytes(), fmt::format("but its HDF5 superblock says {}", end));
  return std::nullopt;
}

}  // namespace nexus
