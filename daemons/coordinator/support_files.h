// Support files: the files that the values of variables name. What counts as one: docs/reducing.md, "Support files".
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "base/time.h"
#include "daemons/coordinator/url_contents.h"
#include "schema/event.capnp.h"
#include "scripts/place.h"

namespace daemons {

/// A file's content, by name.
struct FileContent {
  base::Sha256 sha256{};
  uint64_t size_bytes = 0;
  bool kept = false;                         // small enough for the ledger to keep
  std::shared_ptr<const std::string> bytes;  // null: not kept, or not needed
};

/// Contents of files, read again only where a stat shows another file or another time.
///
/// Owns:    what it remembers, at most kMostRemembered; no bytes. Borrows the clock.
/// Threads: any, several at once. Blocking: call it on the pool.
/// Errors:  as scripts::read_file; each message begins with the path.
class FileContents {
 public:
  static constexpr uint64_t kLargestKeptBytes = 16 << 20;
  static constexpr size_t kMostRemembered = 10'000;
  explicit FileContents(const base::Clock& clock) : clock_(clock) {}
  /// `with_bytes`: read it in any case, for its bytes.
  base::Result<FileContent> get(const std::string& path, bool with_bytes = false);

 private:
  struct Known {
    scripts::Place place;
    FileContent content;
  };
  const base::Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Known> known_;
};

/// What the variables of a run name. A content on record is read by whoever sees the job. So what a member of an experiment names, who may see
/// less than we can read, is recorded by its hash alone; and a file that only its owner may read is no support file.
struct SupportQuestion {
  std::string variables;  // VariableSet document; empty = none
  std::string script_folder;
  std::vector<std::string> raw_paths;  // of the run: no support files
  std::vector<std::string> urls;       // what a url must begin with
  uint64_t trusted_request = 0;        // values given with this event may put contents on record, those of others only below the script's folder
};
struct NamedFile {
  schema::Variable::Group group;
  std::string variable;
  std::string path;  // or url
  FileContent content;
};
struct NamedFiles {
  std::vector<NamedFile> files;
  std::vector<std::string> missing;  // one sentence for each that is named and cannot be had
};

/// Blocking: call it on the pool.
NamedFiles find_named_files(const SupportQuestion& question, FileContents& files, UrlContents& urls);

}  // namespace daemons
