// Lets the engine open a database for writing while every file of it stays as it is, until somebody has looked at what it holds.
// Why: docs/adr/0008-one-replay.md.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>

namespace ledger {

/// The file system below the engine, but until release() what it makes lies in a folder of its own inside the database's, and what it
/// removes stays. Without a release nothing has happened: that folder goes, here or, after a kill, the next time one is needed.
///
/// Owns:    that folder until release(). Only for one database, all in one folder; a file that was there can only be removed, not changed.
/// Threads: any, as the engine calls.
/// Errors:  those of the file system; kNotSupported for what an opening does not need.
class HeldWrites final : public rocksdb::FileSystemWrapper {
 public:
  static constexpr const char* kFolder = "opening";

  HeldWrites(const std::shared_ptr<rocksdb::FileSystem>& below, std::filesystem::path folder);
  ~HeldWrites() override;
  const char* Name() const override { return "HeldWrites"; }

  /// What was made gets its place, CURRENT last, durably; then what was removed goes. After an error either nothing has happened, or
  /// all but the removals.
  rocksdb::IOStatus release();

  using File = rocksdb::FSWritableFile;
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options, std::unique_ptr<File>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options, std::unique_ptr<File>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& name, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& folder, const rocksdb::IOOptions& options, std::vector<std::string>* names,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& name, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileModificationTime(const std::string& name, const rocksdb::IOOptions& options, uint64_t* time,
                                            rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Truncate(const std::string& name, size_t size, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options, std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReuseWritableFile(const std::string& name, const std::string& old_name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<File>* file, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& name, const rocksdb::FileOptions& options, std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& name, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LockFile(const std::string& name, const rocksdb::IOOptions& options, rocksdb::FileLock** lock,
                             rocksdb::IODebugContext* debug) override;

 private:
  template <typename Do>
  rocksdb::IOStatus at_its_place(const std::string& name, const Do& act);
  template <typename Make>
  rocksdb::IOStatus make(const std::string& name, const Make& act);
  std::string apart(const std::string& name) const;
  void remove_folder();

  const std::filesystem::path folder_;
  std::atomic<bool> holding_{true};  // set under mutex_
  std::mutex mutex_;                 // while holding: so that no file gets its place between its name and its use
  std::set<std::string> made_;       // guarded by mutex_, as all below; names without folder
  std::set<std::string> removed_;
  bool has_folder_ = false;
};

}  // namespace ledger
