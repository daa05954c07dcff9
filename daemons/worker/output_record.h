// What goes on record of an attempt's output: its files, those written elsewhere, and what is odd about them.
#pragma once

#include <string>
#include <vector>

#include "daemons/worker/output_folder.h"
#include "daemons/worker/script_report.h"
#include "schema/document.capnp.h"

namespace daemons {

struct OutsideEntry {
  std::string path;
  schema::OutsideFile::What what = schema::OutsideFile::What::CREATED;
  uint64_t size_bytes = 0;
  std::string sha256;  // empty = not read
};

struct OutputRecord {
  OutputListing listing;
  std::vector<OutsideEntry> outside;  // sorted by path
  std::vector<std::string> remarks;

  /// As an OutputManifest document, canonical bytes.
  std::string manifest() const;
  bool is_empty() const { return listing.files.empty() && outside.empty() && remarks.empty(); }
};

/// Marks the files that the script named as results, or that lie in folders it named; a remark for each name that is none of them.
/// `directory`: where the script wrote them.
std::vector<std::string> mark_declared(OutputListing& listing, const std::vector<std::string>& declared, const std::string& directory);

inline constexpr uint64_t kOutsideHashBytes = 64u << 20;  // read in all

/// What became of the files the script touched, as they are now; untouched ones and those in `own_folders` are left out. Blocking.
std::vector<OutsideEntry> look_outside(const std::vector<TouchedFile>& touched, const std::vector<std::string>& own_folders,
                                       uint64_t hash_bytes = kOutsideHashBytes);

}  // namespace daemons
