// Reading an export file: docs/formats/export.md. Everything in it is checked on the way; nothing in it is believed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/transfer/export_record.h"

namespace ledger {

/// Owns:    the open file and one event with its documents.
/// Threads: one.
/// Errors:  kCorruption names file, place (byte) and what is wrong there: cut short, changed, out of order, doubled, not an event that may
///          stand there. After an error nothing more is read.
class ExportReader {
 public:
  static base::Result<std::unique_ptr<ExportReader>> open(const std::filesystem::path& path);

  const ExportHeader& header() const { return header_; }
  struct Item {
    uint64_t seq = 0;
    std::string event;               // its stored bytes
    std::vector<std::string> blobs;  // documents it names that no event before it in this file did; erased ones are absent
  };
  /// nullopt: the end, and the trailer agrees with all that was read.
  base::Result<std::optional<Item>> next();
  /// Once next() came to the end.
  const ExportTrailer& trailer() const { return trailer_; }
  /// Of the tree over all events up to the one read last.
  const TreeEdge& edge() const { return edge_; }
  /// For progress.
  uint64_t offset() const { return offset_; }
  uint64_t file_size() const { return file_size_; }

 private:
  ExportReader(std::filesystem::path path, std::ifstream file, uint64_t file_size);
  base::Status broken(std::string_view what) const;
  base::Status read(std::string& bytes, size_t size);
  base::Result<std::string> read_record(RecordHead& head);
  base::Status check_event(std::string_view bytes, const std::vector<std::string>& blobs);
  base::Status check_end(std::string_view trailer, const base::Sha256& digest);

  const std::filesystem::path path_;
  std::ifstream file_;
  const uint64_t file_size_;
  uint64_t offset_ = 0;
  uint64_t record_at_ = 0;  // where the record at hand begins
  uint64_t records_ = 0, blobs_ = 0;
  int64_t time_ns_ = INT64_MIN;
  ExportHeader header_;
  ExportTrailer trailer_;
  TreeEdge edge_;
  std::unique_ptr<base::Sha256Stream> digest_ = std::make_unique<base::Sha256Stream>();
};

/// Reads all of it. `progress` gets bytes; false ends it (kUnavailable).
struct ExportSummary {
  ExportHeader header;
  ExportTrailer trailer;
};
base::Result<ExportSummary> check_export(const std::filesystem::path& path,
                                         const std::function<bool(uint64_t done, uint64_t total)>& progress);

}  // namespace ledger
