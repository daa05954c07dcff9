#include "daemons/worker/flat_links.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "daemons/worker/file_bytes.h"
#include "daemons/worker/output_folder.h"

namespace daemons {
namespace {

/// nullopt with errno: there is nothing (ENOENT), or no link (EINVAL).
std::optional<std::string> link_target(int folder, const std::string& name) {
  char target[PATH_MAX];
  ssize_t size = readlinkat(folder, name.c_str(), target, sizeof target);
  if (size < 0 || size == static_cast<ssize_t>(sizeof target)) return std::nullopt;
  return std::string(target, static_cast<size_t>(size));
}

/// The folder below `root` in which a relative path's last part lies, made where `make` says so. No link is followed on the way.
OpenFile folder_of(const std::string& root, const std::string& path, bool make) {
  OpenFile folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (size_t begin = 0, slash; folder.is_open() && (slash = path.find('/', begin)) != path.npos; begin = slash + 1) {
    std::string name = path.substr(begin, slash - begin);
    if (make) mkdirat(folder.get(), name.c_str(), 0777);
    OpenFile below(openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    folder = std::move(below);
  }
  return folder;
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class FlatFolder {
 public:
  FlatFolder(const std::string& root, uint16_t version, const VersionFolders& versions)
      : root_(root), version_(version), versions_(versions) {}

  /// Why the name does not lead to this version's file; empty = it does, or to a newer one.
  std::string link(const std::string& path) {
    OpenFile folder = folder_of(root_, path, true);
    if (!folder.is_open()) return strerror(errno);
    std::string name = last_part(path), wanted = versions_.at(version_) + "/" + path;
    if (symlinkat(wanted.c_str(), folder.get(), name.c_str()) == 0) return {};
    if (errno != EEXIST) return strerror(errno);
    auto present = link_target(folder.get(), name);
    if (present && *present == wanted) return {};
    auto owner = present ? version_of(*present) : std::nullopt;
    if (!owner) return "something else has this name";
    if (*owner > version_) return {};
    std::string fresh = fmt::format(".{}.v{}.{}", name, version_, getpid());
    unlinkat(folder.get(), fresh.c_str(), 0);
    if (symlinkat(wanted.c_str(), folder.get(), fresh.c_str()) != 0) return strerror(errno);
    if (renameat(folder.get(), fresh.c_str(), folder.get(), name.c_str()) == 0) return {};
    int error = errno;
    unlinkat(folder.get(), fresh.c_str(), 0);
    return strerror(error);
  }

  /// Takes away a link to exactly this file of an earlier version.
  void unlink(const std::string& path, const std::string& target) {
    OpenFile folder = folder_of(root_, path, false);
    if (!folder.is_open() || link_target(folder.get(), last_part(path)) != target) return;
    unlinkat(folder.get(), last_part(path).c_str(), 0);
  }

 private:
  std::optional<uint16_t> version_of(const std::string& target) const {
    for (const auto& [version, directory] : versions_) {
      if (lies_in(target, directory)) return version;
    }
    return std::nullopt;
  }

  const std::string& root_;
  uint16_t version_;
  const VersionFolders& versions_;
};

}  // namespace

std::vector<std::string> refresh_flat_links(const std::string& folder, uint16_t version, const VersionFolders& versions) {
  auto own = versions.find(version);
  if (own == versions.end()) return {fmt::format("version {} is not among the run's versions", version)};
  if (base::Status made = make_folders(folder); !made.is_ok()) return {made.message()};
  std::vector<std::string> problems;
  FlatFolder flat(folder, version, versions);
  std::vector<std::string> names = names_below(own->second);
  for (const std::string& name : names) {
    std::string problem = flat.link(name);
    if (!problem.empty()) problems.push_back(fmt::format("{}/{}: {}", base::to_utf8(folder), base::to_utf8(name), problem));
  }
  for (auto former = versions.begin(); former != own; ++former) {
    for (const std::string& name : names_below(former->second)) {
      if (!std::binary_search(names.begin(), names.end(), name)) flat.unlink(name, former->second + "/" + name);
    }
  }
  return problems;
}

}  // namespace daemons
