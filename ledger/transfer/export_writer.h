// Writing an export file: docs/formats/export.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/transfer/export_record.h"

namespace ledger {

/// An export that appears whole at its path, or not at all.
///
/// Owns:    the file, written beside under PATH.part until finish(); removed when it is not finished. Documents, until their event comes.
/// Threads: one. Errors: Status; after one nothing more is taken. Never writes over a file.
class ExportWriter {
 public:
  static base::Result<std::unique_ptr<ExportWriter>> create(const std::filesystem::path& path, const ExportHeader& header);
  ~ExportWriter();
  ExportWriter(const ExportWriter&) = delete;
  ExportWriter& operator=(const ExportWriter&) = delete;

  /// A document that one of the events to come names.
  void hold(std::string bytes);
  /// The next event, after those documents held that it names.
  base::Status add(std::string_view event);
  uint64_t next() const { return edge_.size() + 1; }
  uint64_t bytes() const { return written_; }
  base::Sha256 root() const { return edge_.root(); }
  /// Trailer, sync, rename. kInternal: events are missing that the header promises.
  base::Status finish(std::string_view checkpoint);

 private:
  ExportWriter(std::filesystem::path path, int file, const ExportHeader& header);
  base::Status write(std::string_view bytes);
  base::Status write_record(RecordKind kind, std::string_view bytes);

  const std::filesystem::path path_;
  const std::filesystem::path part_;
  int file_;
  const ExportHeader header_;
  TreeEdge edge_;
  std::map<std::string, std::string> held_;
  base::Sha256Stream digest_;
  uint64_t records_ = 0, blobs_ = 0, written_ = 0;
  base::Status status_;
};

}  // namespace ledger
