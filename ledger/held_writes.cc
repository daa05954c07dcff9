#include "ledger/held_writes.h"

#include <memory>
#include <utility>

namespace ledger {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr const char* kCurrent = "CURRENT";  // names the rest: with it the database is another

std::string file_of(const std::string& name) { return name.substr(name.rfind('/') + 1); }

/// Some file systems sync a rename by the file's new name, which has not got it yet.
class HeldDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  HeldDirectory(std::unique_ptr<rocksdb::FSDirectory>&& below, const std::atomic<bool>& holding)
      : FSDirectoryWrapper(std::move(below)), holding_(holding) {}
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug, const rocksdb::DirFsyncOptions& what) override {
    if (holding_ && what.reason == rocksdb::DirFsyncOptions::kFileRenamed) return IOStatus::OK();  // release() renames, and syncs
    return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, what);
  }

 private:
  const std::atomic<bool>& holding_;
};

}  // namespace

HeldWrites::HeldWrites(const std::shared_ptr<rocksdb::FileSystem>& below, std::filesystem::path folder)
    : FileSystemWrapper(below), folder_(std::move(folder)) {}

HeldWrites::~HeldWrites() { remove_folder(); }

void HeldWrites::remove_folder() {
  std::error_code ignored;
  if (std::exchange(has_folder_, false)) std::filesystem::remove_all(folder_ / kFolder, ignored);
}

std::string HeldWrites::apart(const std::string& name) const { return folder_ / kFolder / file_of(name); }

template <typename Do>
IOStatus HeldWrites::at_its_place(const std::string& name, const Do& act) {
  if (!holding_) return act(name);
  std::lock_guard lock(mutex_);
  return act(holding_ && made_.contains(file_of(name)) ? apart(name) : name);
}

template <typename Make>
IOStatus HeldWrites::make(const std::string& name, const Make& act) {
  if (!holding_) return act(name);
  std::lock_guard lock(mutex_);
  if (!holding_) return act(name);
  if (!has_folder_) {
    std::error_code error;
    std::filesystem::remove_all(folder_ / kFolder, error);  // what a kill left
    if (!error) std::filesystem::create_directory(folder_ / kFolder, error);
    if (error) return IOStatus::IOError((folder_ / kFolder).string(), error.message());
    has_folder_ = true;
  }
  IOStatus made = act(apart(name));
  if (made.ok()) {
    made_.insert(file_of(name));
    removed_.erase(file_of(name));
  }
  return made;
}

IOStatus HeldWrites::release() {
  std::lock_guard lock(mutex_);
  if (!holding_) return IOStatus::OK();
  std::unique_ptr<rocksdb::FSDirectory> directory;
  IOStatus done = target()->NewDirectory(folder_, {}, &directory, nullptr);
  const auto place = [&](const std::string& name) {
    if (done.ok()) done = target()->RenameFile(apart(name), folder_ / name, {}, nullptr);
    return done.ok();
  };
  const bool another = made_.erase(kCurrent) > 0;
  while (!made_.empty() && place(*made_.begin())) made_.erase(made_.begin());
  if (done.ok()) done = directory->Fsync({}, nullptr);
  if (another && !place(kCurrent)) made_.insert(kCurrent);
  if (!done.ok()) return done;
  done = directory->Fsync({}, nullptr);
  holding_ = false;  // not before: the engine may now remove what the CURRENT before this one names
  if (!done.ok()) return done;
  for (const std::string& name : removed_) target()->DeleteFile(folder_ / name, {}, nullptr).PermitUncheckedError();  // the engine finds it again
  remove_folder();
  return done;
}

IOStatus HeldWrites::NewWritableFile(const std::string& name, const FileOptions& options, std::unique_ptr<File>* file, IODebugContext* debug) {
  return make(name, [&](const std::string& place) { return target()->NewWritableFile(place, options, file, debug); });
}

/// The engine cuts off what it allocated ahead in a log it has read; that log is about to go.
IOStatus HeldWrites::ReopenWritableFile(const std::string& name, const FileOptions& options, std::unique_ptr<File>* file, IODebugContext* debug) {
  if (holding_) return IOStatus::NotSupported(name);
  return target()->ReopenWritableFile(name, options, file, debug);
}

IOStatus HeldWrites::NewSequentialFile(const std::string& name, const FileOptions& options, std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                       IODebugContext* debug) {
  return at_its_place(name, [&](const std::string& place) { return target()->NewSequentialFile(place, options, file, debug); });
}

IOStatus HeldWrites::NewRandomAccessFile(const std::string& name, const FileOptions& options,
                                         std::unique_ptr<rocksdb::FSRandomAccessFile>* file, IODebugContext* debug) {
  return at_its_place(name, [&](const std::string& place) { return target()->NewRandomAccessFile(place, options, file, debug); });
}

IOStatus HeldWrites::FileExists(const std::string& name, const IOOptions& options, IODebugContext* debug) {
  return at_its_place(name, [&](const std::string& place) { return target()->FileExists(place, options, debug); });
}

IOStatus HeldWrites::GetFileSize(const std::string& name, const IOOptions& options, uint64_t* size, IODebugContext* debug) {
  return at_its_place(name, [&](const std::string& place) { return target()->GetFileSize(place, options, size, debug); });
}

IOStatus HeldWrites::GetFileModificationTime(const std::string& name, const IOOptions& options, uint64_t* time, IODebugContext* debug) {
  return at_its_place(name, [&](const std::string& place) { return target()->GetFileModificationTime(place, options, time, debug); });
}

IOStatus HeldWrites::GetChildren(const std::string& folder, const IOOptions& options, std::vector<std::string>* names, IODebugContext* debug) {
  if (!holding_) return target()->GetChildren(folder, options, names, debug);
  std::lock_guard lock(mutex_);
  IOStatus listed = target()->GetChildren(folder, options, names, debug);
  std::error_code error;
  if (!listed.ok() || !holding_ || !std::filesystem::equivalent(folder, folder_, error)) return listed;
  std::set<std::string> all(names->begin(), names->end());
  all.insert(made_.begin(), made_.end());
  names->assign(all.begin(), all.end());
  return listed;
}

IOStatus HeldWrites::DeleteFile(const std::string& name, const IOOptions& options, IODebugContext* debug) {
  if (!holding_) return target()->DeleteFile(name, options, debug);
  std::lock_guard lock(mutex_);
  if (!holding_) return target()->DeleteFile(name, options, debug);
  removed_.insert(file_of(name));
  return made_.erase(file_of(name)) > 0 ? target()->DeleteFile(apart(name), options, debug) : IOStatus::OK();
}

IOStatus HeldWrites::RenameFile(const std::string& from, const std::string& to, const IOOptions& options, IODebugContext* debug) {
  if (!holding_) return target()->RenameFile(from, to, options, debug);
  std::lock_guard lock(mutex_);
  if (!holding_) return target()->RenameFile(from, to, options, debug);
  if (!made_.contains(file_of(from))) return IOStatus::NotSupported(from);
  IOStatus renamed = target()->RenameFile(apart(from), apart(to), options, debug);
  if (renamed.ok()) {
    made_.erase(file_of(from));
    made_.insert(file_of(to));
    removed_.erase(file_of(to));
  }
  return renamed;
}

IOStatus HeldWrites::NewDirectory(const std::string& name, const IOOptions& options, std::unique_ptr<rocksdb::FSDirectory>* directory,
                                  IODebugContext* debug) {
  IOStatus opened = target()->NewDirectory(name, options, directory, debug);
  if (opened.ok()) *directory = std::make_unique<HeldDirectory>(std::move(*directory), holding_);
  return opened;
}

IOStatus HeldWrites::ReuseWritableFile(const std::string& name, const std::string& old_name, const FileOptions& options,
                                       std::unique_ptr<File>* file, IODebugContext* debug) {
  if (holding_) return IOStatus::NotSupported(name);
  return target()->ReuseWritableFile(name, old_name, options, file, debug);
}

IOStatus HeldWrites::NewRandomRWFile(const std::string& name, const FileOptions& options, std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                     IODebugContext* debug) {
  if (holding_) return IOStatus::NotSupported(name);
  return target()->NewRandomRWFile(name, options, file, debug);
}

IOStatus HeldWrites::LinkFile(const std::string& from, const std::string& to, const IOOptions& options, IODebugContext* debug) {
  if (holding_) return IOStatus::NotSupported(to);
  return target()->LinkFile(from, to, options, debug);
}

IOStatus HeldWrites::DeleteDir(const std::string& name, const IOOptions& options, IODebugContext* debug) {
  if (holding_) return IOStatus::NotSupported(name);
  return target()->DeleteDir(name, options, debug);
}

IOStatus HeldWrites::Truncate(const std::string& name, size_t size, const IOOptions& options, IODebugContext* debug) {
  if (holding_) return IOStatus::NotSupported(name);
  return target()->Truncate(name, size, options, debug);
}

/// The lock is one of the file, whatever its name becomes.
IOStatus HeldWrites::LockFile(const std::string& name, const IOOptions& options, rocksdb::FileLock** lock, IODebugContext* debug) {
  const auto act = [&](const std::string& place) { return target()->LockFile(place, options, lock, debug); };
  return target()->FileExists(name, options, debug).ok() ? act(name) : make(name, act);
}

}  // namespace ledger
