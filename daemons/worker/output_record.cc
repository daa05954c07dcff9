#include "daemons/worker/output_record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/text.h"
#include "daemons/worker/file_bytes.h"
#include "ledger/canonical.h"

namespace daemons {
namespace {

using What = schema::OutsideFile::What;
namespace fs = std::filesystem;

constexpr size_t kMaxDeclaredRemarks = 20;

int64_t modified_ns(const struct stat& info) { return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec; }

/// nullopt: it is as it was, no file, or where one cannot look. `error`: of looking at it, 0 = `info` says how it is.
std::optional<What> what_became(const TouchedFile& file, const struct stat& info, int error) {
  if (error == ENOENT || error == ENOTDIR) return file.existed ? std::optional(What::REMOVED) : std::nullopt;
  if (error != 0 || !(S_ISREG(info.st_mode) || S_ISLNK(info.st_mode))) return std::nullopt;
  if (!file.existed) return What::CREATED;
  if (static_cast<uint64_t>(info.st_size) == file.size_bytes && modified_ns(info) == file.modified_ns) return std::nullopt;
  return What::CHANGED;
}

/// SHA-256 of a file of the size given; empty when it cannot be read, or grows while it is.
std::string hash_of_size(const std::string& path, uint64_t size_bytes) {
  OpenFile file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  if (!file.is_open() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  base::Sha256Stream hash;
  std::vector<char> buffer(256u << 10);
  for (uint64_t left = size_bytes + 1;;) {
    ssize_t size = ::read(file.get(), buffer.data(), std::min<uint64_t>(buffer.size(), left));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return {};
    if (size == 0) return left == 1 ? std::string(base::as_bytes(hash.finish())) : std::string();
    left -= static_cast<uint64_t>(size);
    if (left == 0) return {};
    hash.update(buffer.data(), static_cast<size_t>(size));
  }
}

using FilesByPath = std::map<std::string, OutputEntry*>;

/// Marks the file or the files below the folder of that name; false when there is none. "" is the whole output.
bool mark(const FilesByPath& files, const std::string& name) {
  if (auto file = files.find(name); file != files.end()) return file->second->declared = true;
  std::string folder = name.empty() ? "" : name + "/";
  auto file = files.lower_bound(folder);
  bool found = false;
  for (; file != files.end() && file->first.starts_with(folder); ++file) found = file->second->declared = true;
  return found;
}

}  // namespace

std::string OutputRecord::manifest() const {
  capnp::MallocMessageBuilder message;
  auto document = message.initRoot<schema::OutputManifest>();
  auto files = document.initFiles(listing.files.size());
  for (size_t i = 0; i < listing.files.size(); ++i) {
    files[i].setPath(base::to_utf8(listing.files[i].path));
    files[i].setSizeBytes(listing.files[i].size_bytes);
    files[i].setSha256(ledger::data(base::as_bytes(listing.files[i].sha256)));
    files[i].setDeclared(listing.files[i].declared);
  }
  auto elsewhere = document.initOutside(outside.size());
  for (size_t i = 0; i < outside.size(); ++i) {
    elsewhere[i].setPath(outside[i].path);
    elsewhere[i].setWhat(outside[i].what);
    elsewhere[i].setSizeBytes(outside[i].size_bytes);
    elsewhere[i].setSha256(ledger::data(outside[i].sha256));
  }
  auto sentences = document.initRemarks(remarks.size());
  for (size_t i = 0; i < remarks.size(); ++i) sentences.set(i, base::to_utf8(remarks[i]));
  return ledger::canonical_bytes(message.getRoot<schema::OutputManifest>().asReader());
}

std::vector<std::string> mark_declared(OutputListing& listing, const std::vector<std::string>& declared, const std::string& directory) {
  std::vector<std::string> remarks;
  size_t more = 0;
  FilesByPath files;
  for (OutputEntry& file : listing.files) files[base::to_utf8(file.path)] = &file;
  std::set<std::string> seen;
  for (const std::string& said : declared) {
    fs::path path = fs::path(said).lexically_normal();
    if (lies_in(path.string(), directory)) path = path.lexically_relative(directory);
    std::string name = path == "." ? "" : path.string();
    while (!name.empty() && name.back() == '/') name.pop_back();
    if (!seen.insert(name).second) continue;
    if (mark(files, name)) continue;
    if (remarks.size() == kMaxDeclaredRemarks) {
      ++more;
      continue;
    }
    std::string shown = base::printable(base::to_utf8(said, 300));
    remarks.push_back(path.is_absolute() ? "named as a result, but it lies outside the output directory: " + shown
                                         : "named as a result, but not made: " + shown);
  }
  if (more > 0) remarks.push_back(fmt::format("{} more were named as results and are not in the output directory", more));
  return remarks;
}

std::vector<OutsideEntry> look_outside(const std::vector<TouchedFile>& touched, const std::vector<std::string>& own_folders,
                                       uint64_t hash_bytes) {
  std::map<std::string, OutsideEntry> found;  // by path, each once
  for (const TouchedFile& file : touched) {
    std::string normal = fs::path(file.path).lexically_normal();
    if (std::any_of(own_folders.begin(), own_folders.end(), [&](const std::string& own) { return lies_in(normal, own); })) continue;
    if (found.contains(file.path)) continue;
    std::string path = path_bytes(file.path);
    struct stat info {};
    int error = lstat(path.c_str(), &info) == 0 ? 0 : errno;
    auto what = what_became(file, info, error);
    if (!what) continue;
    OutsideEntry entry{file.path, *what, 0, {}};
    if (error == 0) {
      entry.size_bytes = static_cast<uint64_t>(info.st_size);
      if (S_ISREG(info.st_mode) && entry.size_bytes <= hash_bytes) {
        entry.sha256 = hash_of_size(path, entry.size_bytes);
        hash_bytes -= entry.size_bytes;
      }
    }
    found[file.path] = std::move(entry);
  }
  std::vector<OutsideEntry> sorted;
  for (auto& [path, entry] : found) sorted.push_back(std::move(entry));
  return sorted;
}

}  // namespace daemons
