// One small field of an HDF5 file, whatever shape and type its writer gave it. For the .cc files of this folder only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nexus/hdf5_handles.h"

namespace nexus {

inline constexpr size_t kFieldTextBytes = 256;         // of a field's text that is kept
inline constexpr size_t kTitleTextBytes = 1024;        // ... of a title's
inline constexpr hsize_t kStoredBytesMost = 64 << 20;  // a metadata field above this is not read
inline constexpr hsize_t kElementsMost = 16;

/// UTF-8 of at most `limit` bytes; a byte that is not UTF-8, and NUL, as \xHH.
std::string display(std::string_view bytes, size_t limit);

/// What a field holds. Only kText, kInteger and kReal are values; else `trouble` says why there is none, as the end of a sentence
/// that begins with the field's path: "is a group".
struct Value {
  enum class Kind { kAbsent, kText, kInteger, kReal, kUnusable };
  Kind kind = Kind::kAbsent;
  std::string path;        // where it was found, ready to show
  std::string text;        // kText: the bytes up to the string's end
  std::string stored;      // the whole as stored: text as bytes, numbers as decimal text
  bool negative = false;   // kInteger
  uint64_t magnitude = 0;  // kInteger
  double real = 0;         // kReal; also set for kInteger
  std::string unit;        // attribute `units`, ready to show
  std::string trouble;
};

/// Owns:    nothing; the file id must outlive it.
/// Threads: one at a time.
/// Errors:  in Value::trouble. Never leaves the file: external links, external storage and virtual datasets are not followed.
class FieldReader {
 public:
  explicit FieldReader(hid_t file) : file_(file) {}

  /// Opens the object at `path`, absolute or below `from`, following at most a few soft links inside the file. An empty id and no
  /// trouble: there is none.
  struct Found {
    Hid object;
    std::string trouble;
  };
  Found find(hid_t from, std::string_view path) const;
  /// The field at `name` below `group`, which lies at `group_path`.
  Value read(hid_t group, std::string_view group_path, std::string_view name) const;

 private:
  hid_t file_;
};

/// A text attribute: scalar or one element, fixed or variable length. nullopt: absent, no text, or larger than 64 KiB.
std::optional<std::string> text_attribute(hid_t object, const char* name);
/// "FILE : PATH" of an external link.
std::string external_target(hid_t group, const char* link, size_t value_bytes);
/// Name of the first file of a dataset whose data are stored outside.
std::string external_file(hid_t creation_list);

}  // namespace nexus
