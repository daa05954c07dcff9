#include "daemons/worker/extra_copies.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <spdlog/spdlog.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/text.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;
namespace fs = std::filesystem;

constexpr size_t kListBytes = 1u << 20;

std::string list_path(const std::string& staging) { return staging + ".copies"; }
std::string hidden_copy(const std::string& directory, const std::string& staging) {
  return fs::path(directory) / (fs::path(staging).filename().string() + ".copy");
}
std::string version_folder(const std::string& directory, const std::string& final) { return fs::path(directory) / fs::path(final).filename(); }

/// The directories that hold hidden copies, each ended by a NUL.
std::vector<std::string> listed_directories(const std::string& staging) {
  std::vector<std::string> directories;
  std::string text = read_small_file(list_path(staging), kListBytes).value_or("");
  for (size_t end; (end = text.find('\0')) != text.npos; text.erase(0, end + 1)) {
    if (text[0] == '/') directories.push_back(text.substr(0, end));
  }
  return directories;
}

Status copy_file(const std::string& from, const std::string& to, const StopFlag& stop) {
  OpenFile source(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!source.is_open()) return file_trouble(from, "cannot be read");
  OpenFile target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!target.is_open()) return file_trouble(to, "cannot be made");
  std::vector<char> buffer(1u << 20);
  for (;;) {
    if (stop && *stop) return {Code::kUnavailable, to + ": stopped"};
    ssize_t size = ::read(source.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return file_trouble(from, "cannot be read");
    if (size == 0) break;
    for (ssize_t written = 0; written < size;) {
      ssize_t step = ::write(target.get(), buffer.data() + written, static_cast<size_t>(size - written));
      if (step < 0 && errno != EINTR) return file_trouble(to, "cannot be written");
      written += std::max<ssize_t>(step, 0);
    }
  }
  return fsync(target.get()) == 0 ? Status() : file_trouble(to, "cannot be synced to disk");
}

Status copy_output(const std::string& staging, const OutputListing& listing, const std::string& hidden, const StopFlag& stop) {
  if (Status made = make_folders(fs::path(hidden).parent_path()); !made.is_ok()) return made;
  if (Status removed = remove_folder(hidden); !removed.is_ok()) return removed;
  if (Status made = make_folders(hidden); !made.is_ok()) return made;
  for (const OutputEntry& file : listing.files) {
    fs::path to = fs::path(hidden) / file.path;
    if (Status made = make_folders(to.parent_path()); !made.is_ok()) return made;
    if (Status copied = copy_file(fs::path(staging) / file.path, to, stop); !copied.is_ok()) return copied;
  }
  return {};
}

bool same_file(const std::string& one, const std::string& other) {
  struct stat left {}, right {};
  if (lstat(one.c_str(), &left) != 0 || lstat(other.c_str(), &right) != 0) return false;
  if (!S_ISREG(left.st_mode) || !S_ISREG(right.st_mode) || left.st_size != right.st_size) return false;
  auto first = hash_of_file(one), second = hash_of_file(other);
  return first.is_ok() && second.is_ok() && *first == *second;
}

/// Whether `name` can go into `directory` without passing through anything but folders and without replacing other bytes.
bool fits(const std::string& hidden, const std::string& directory, const std::string& name) {
  struct stat info {};
  for (size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
    std::string folder = directory + "/" + name.substr(0, slash);
    if (lstat(folder.c_str(), &info) != 0) return errno == ENOENT;
    if (!S_ISDIR(info.st_mode)) return false;
  }
  std::string there = directory + "/" + name;
  if (lstat(there.c_str(), &info) != 0) return errno == ENOENT;
  return same_file(hidden + "/" + name, there);
}

/// The first name under which the directory holds something else; empty = none.
std::string clash(const std::string& hidden, const std::string& directory) {
  for (const std::string& name : names_below(hidden)) {
    struct stat info {};
    // One that is gone was moved by somebody who finishes the same publication.
    if (!fits(hidden, directory, name) && lstat((hidden + "/" + name).c_str(), &info) == 0) return name;
  }
  return {};
}

/// False with errno when `to` is there, or cannot be made.
bool move_new(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  if (link(from.c_str(), to.c_str()) != 0) return false;
  unlink(from.c_str());
  return true;
}

Status move_files(const std::string& hidden, const std::string& directory) {
  for (const std::string& name : names_below(hidden)) {
    std::string from = hidden + "/" + name, to = directory + "/" + name;
    if (Status made = make_folders(fs::path(to).parent_path()); !made.is_ok()) return made;
    if (move_new(from, to)) continue;
    int error = errno;
    struct stat info {};
    if (lstat(from.c_str(), &info) != 0) continue;  // moved by somebody else
    errno = error;
    if (error != EEXIST || !same_file(from, to)) return file_trouble(to, "a copy of the output could not be put there");
  }
  return {};
}

Status finish_copy(const std::string& hidden, const std::string& directory, const std::string& final) {
  if (folder_state(hidden) == FolderState::kMissing) return {};
  if (clash(hidden, directory).empty()) {
    Status moved = move_files(hidden, directory);
    return moved.is_ok() ? remove_folder(hidden) : moved;
  }
  Status published = publish_folder(hidden, version_folder(directory, final));
  return folder_state(hidden) == FolderState::kMissing ? Status() : published;
}

/// Why no copy may be made there; empty = it may.
std::string objection(const AttemptPlan& plan, const std::string& directory, std::set<std::string>& seen) {
  std::error_code error;
  std::string real = fs::weakly_canonical(directory, error);
  if (error) return error.message();
  std::string output = fs::weakly_canonical(plan.output_directory, error), staging = fs::weakly_canonical(plan.staging(), error);
  if (lies_in(real, output) || lies_in(real, staging)) return "it lies in the output directory itself";
  if (!seen.insert(real).second) return "it was named before";
  if (plan.kind == schema::JobKind::TRIAL) return "a trial writes nowhere else";
  return {};
}

std::string prepare_copy(const AttemptPlan& plan, const OutputListing& listing, const std::string& directory, const StopFlag& stop) {
  std::string hidden = hidden_copy(directory, plan.staging());
  auto not_made = [&](const std::string& why) {
    remove_folder(hidden).ignore();
    return fmt::format("the script named {}, but the output is not copied there: {}", base::to_utf8(directory), why);
  };
  if (Status copied = copy_output(plan.staging(), listing, hidden, stop); !copied.is_ok()) return not_made(copied.message());
  std::string other = clash(hidden, directory);
  if (other.empty()) return fmt::format("the script named {}: the output is copied there", base::to_utf8(directory));
  std::string apart = version_folder(directory, plan.output_directory);
  if (apart == plan.output_directory || folder_state(apart) != FolderState::kMissing) {
    return not_made(fmt::format("it holds another {}, and {} is there already", base::to_utf8(other), base::to_utf8(apart)));
  }
  return fmt::format("the script named {}, which holds another {}: the output is copied to {}", base::to_utf8(directory),
                     base::to_utf8(other), base::to_utf8(apart));
}

}  // namespace

std::vector<std::string> prepare_copies(const AttemptPlan& plan, const OutputListing& listing, const std::vector<std::string>& directories,
                                        const StopFlag& stop) {
  std::vector<std::string> remarks, wanted;
  std::set<std::string> seen;
  std::string list;
  for (const std::string& said : directories) {
    std::string directory = fs::path(path_bytes(said)).lexically_normal();
    while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
    if (std::string why = objection(plan, directory, seen); !why.empty()) {
      remarks.push_back(fmt::format("the script named {}, but the output is not copied there: {}", base::to_utf8(directory), why));
      continue;
    }
    wanted.push_back(directory);
    list += directory + '\0';
  }
  if (wanted.empty()) return remarks;
  if (Status written = write_file(list_path(plan.staging()), list); !written.is_ok()) {
    remarks.push_back("the output is not copied anywhere: " + written.message());
    return remarks;
  }
  for (const std::string& directory : wanted) remarks.push_back(prepare_copy(plan, listing, directory, stop));
  return remarks;
}

void finish_copies(const std::string& staging, const std::string& final) {
  for (const std::string& directory : listed_directories(staging)) {
    std::string hidden = hidden_copy(directory, staging);
    Status finished = finish_copy(hidden, directory, final);
    if (finished.is_ok()) continue;
    spdlog::warn("{}: its copy stays in {}: {}", base::printable(base::to_utf8(final)), base::printable(base::to_utf8(hidden)),
                 base::printable(finished.message()));
  }
  unlink(list_path(staging).c_str());
}

void drop_copies(const std::string& staging) {
  for (const std::string& directory : listed_directories(staging)) remove_folder(hidden_copy(directory, staging)).ignore();
  unlink(list_path(staging).c_str());
}

Status drop_staging(const std::string& staging) {
  drop_copies(staging);
  return remove_folder(staging);
}

}  // namespace daemons
