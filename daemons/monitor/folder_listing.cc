#include "daemons/monitor/folder_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/text.h"
#include "daemons/monitor/stat_stamp.h"

namespace daemons {
namespace {

// f_type of file systems whose changes may be made by other machines (statfs(2), and the systems' own headers).
constexpr std::array<uint32_t, 14> kNetworkFileSystems = {
    0x6969 /* nfs */,        0xFF534D42 /* cifs */, 0xFE534D42 /* smb2 */, 0x517B /* smb */,      0x65735546 /* fuse */,
    0x5346414F /* afs */,    0x6B414653 /* kafs */, 0x0BD00BD0 /* lustre */, 0x47504653 /* gpfs */, 0x00C36400 /* ceph */,
    0x01021997 /* 9p */,     0x7461636F /* ocfs2 */, 0x01161970 /* gfs2 */, 0x19830326 /* beegfs */};

bool is_network(int folder) {
  struct statfs status {};
  if (fstatfs(folder, &status) != 0) return false;
  auto type = static_cast<uint32_t>(status.f_type);
  return std::find(kNetworkFileSystems.begin(), kNetworkFileSystems.end(), type) != kNetworkFileSystems.end();
}

FolderState state_of(const struct stat& status) {
  return FolderState{.device = status.st_dev, .inode = status.st_ino, .modified_ns = nanoseconds(status.st_mtim)};
}

void take_entry(int folder, const dirent& entry, const NameFilter& filter, FolderListing& listing) {
  std::string name = entry.d_name;
  if (name.front() == '.') return;
  bool may_be_folder = entry.d_type == DT_DIR || entry.d_type == DT_UNKNOWN;
  bool accepted = filter.accepts(name);
  if (!may_be_folder && !accepted) return;

  struct stat here {};
  if (fstatat(folder, name.c_str(), &here, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISDIR(here.st_mode)) {
    listing.folders.push_back(std::move(name));
    return;
  }
  if (!accepted) return;
  struct stat target = here;
  if (S_ISLNK(here.st_mode) && (fstatat(folder, name.c_str(), &target, 0) != 0 || S_ISDIR(target.st_mode))) return;
  listing.files.emplace_back(std::move(name), stamp_of(target, S_ISLNK(here.st_mode)));
}

}  // namespace

FolderListing list_folder(const std::string& folder, const NameFilter& filter) {
  FolderListing listing;
  int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(descriptor < 0 ? nullptr : fdopendir(descriptor), closedir);
  if (!stream) {
    listing.missing = errno == ENOENT || errno == ENOTDIR;
    listing.failure = strerror(errno);
    if (descriptor >= 0) close(descriptor);
    return listing;
  }
  struct stat status {};
  if (fstat(descriptor, &status) == 0) listing.state = state_of(status);
  listing.network = is_network(descriptor);
  while (true) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (!entry) break;
    take_entry(descriptor, *entry, filter, listing);
  }
  if (errno != 0) listing.failure = strerror(errno);
  return listing;
}

std::vector<FolderState> folder_states(const std::vector<std::string>& folders) {
  std::vector<FolderState> states;
  states.reserve(folders.size());
  for (const std::string& folder : folders) {
    struct stat status {};
    states.push_back(stat(folder.c_str(), &status) == 0 ? state_of(status) : FolderState{});
  }
  return states;
}

std::string shown(const std::string& path) { return base::printable(base::to_utf8(path, 400)); }

}  // namespace daemons
