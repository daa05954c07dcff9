// A folder that appears whole: made beside its place under another name, put there at the end.
#pragma once

#include <filesystem>
#include <memory>

#include "base/status.h"

namespace ledger {

/// Whether a ledger can be put there: nothing is there, or an empty folder. Else kAlreadyExists.
base::Status require_vacant(const std::filesystem::path& folder);
/// Gives `made` the name `folder`, durably.
base::Status put_in_place(const std::filesystem::path& made, const std::filesystem::path& folder);

/// A folder under way, for one maker at a time, of this process or another.
///
/// Owns:    the folder at path(), which goes when it was not put in place, and the lock on it. One that an ended process left is emptied.
/// Threads: one. Errors: kUnavailable where nothing else is said.
class NewFolder {
 public:
  /// kAlreadyExists: there is something at `folder`. kConflict: somebody else is making it.
  static base::Result<std::unique_ptr<NewFolder>> begin(const std::filesystem::path& folder);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  base::Status put_in_place();

 private:
  explicit NewFolder(std::filesystem::path folder);
  base::Status lock();

  const std::filesystem::path folder_, path_;
  int locked_ = -1;  // path_, opened; -1: it is somebody else's, or in place
};

}  // namespace ledger
