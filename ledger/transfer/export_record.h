// The parts of an export file as bytes: header line, records, trailer. Layout: docs/formats/export.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/proof/merkle.h"

namespace ledger {

/// First line of an export: what it holds and what it continues.
struct ExportHeader {
  std::string ledger_id;  // 32 hex digits
  uint64_t from = 1;      // first event in it
  uint64_t to = 0;        // last one; from - 1: none
  TreeEdge before;        // of the tree over the events before `from`
  std::string release;    // that wrote it

  std::string line() const;
  /// `line` without its newline. kUnsupportedVersion: a later format. kCorruption: everything else that is wrong.
  static base::Result<ExportHeader> parse(std::string_view line);
};
inline constexpr size_t kMaxExportHeaderBytes = 8192;

/// Last record: what must have come before it.
struct ExportTrailer {
  uint64_t events = 0;
  uint64_t blobs = 0;
  base::Sha256 root{};     // of the tree over all events up to `to`
  base::Sha256 digest{};   // of all bytes of the file before this record
  std::string checkpoint;  // signed note over `to` and `root`; empty = none

  std::string text() const;
  static std::optional<ExportTrailer> parse(std::string_view text);
};

enum class RecordKind : char { kEvent = 'E', kBlob = 'B', kTrailer = 'T' };

/// What stands before the bytes of a record.
struct RecordHead {
  RecordKind kind = RecordKind::kEvent;
  bool packed = false;        // with zlib
  uint64_t number = 0;        // counts the records, from 1
  uint32_t size = 0;          // of the bytes it stands for
  uint32_t stored_size = 0;   // of the bytes that follow
};
inline constexpr size_t kRecordHeadBytes = 18;
inline constexpr size_t kRecordHashBytes = 32;

/// The whole record: head, bytes (packed where that makes them fewer), SHA-256 of both.
std::string encode_record(RecordKind kind, uint64_t number, std::string_view bytes);
/// nullopt: no kind of record, or sizes no record has. `head` has kRecordHeadBytes.
std::optional<RecordHead> decode_record_head(std::string_view head);
/// The bytes a record stands for; nullopt when they are not those of its head.
std::optional<std::string> unpack_record(const RecordHead& head, std::string_view stored);

}  // namespace ledger
