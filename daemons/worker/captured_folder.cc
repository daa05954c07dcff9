#include "daemons/worker/captured_folder.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/text.h"
#include "daemons/worker/file_bytes.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;
namespace fs = std::filesystem;

/// Folders below the captured one that hold captured files; first "", itself.
std::set<std::string> captured_subfolders(const AttemptPlan& plan) {
  std::set<std::string> folders{""};
  for (const AttemptPlan::Sibling& sibling : plan.siblings) {
    for (size_t slash = sibling.name.find('/'); slash != std::string::npos; slash = sibling.name.find('/', slash + 1)) {
      folders.insert(sibling.name.substr(0, slash));
    }
  }
  return folders;
}

/// False when `original` cannot be listed.
bool link_entries(const std::string& copies, const std::string& original, NeighbourLinks& links) {
  DIR* listing = opendir(original.c_str());
  if (listing == nullptr) return false;
  while (dirent* entry = readdir(listing)) {
    std::string name = entry->d_name;
    // Bytecode of the originals must not be taken for that of the copies.
    if (name == "." || name == ".." || name == "__pycache__") continue;
    std::string link = copies + "/" + name;
    struct stat info {};
    if (lstat(link.c_str(), &info) == 0) continue;  // captured
    if (links.made == kMaxNeighbourLinks) {
      links.cut = true;
      break;
    }
    links.made += symlink((original + "/" + name).c_str(), link.c_str()) == 0;
  }
  closedir(listing);
  return true;
}

}  // namespace

Status write_captured(const std::string& folder, const AttemptPlan& plan, const CapturedFiles& files) {
  std::string name = fs::path(plan.script_path).filename();
  if (!is_plain_name(name)) {
    return {Code::kInvalidArgument, fmt::format("{}: is no name for a script", base::printable(plan.script_path))};
  }
  if (Status written = write_file(folder + "/" + name, files.script); !written.is_ok()) return written;
  for (size_t i = 0; i < plan.siblings.size(); ++i) {
    const std::string& sibling = plan.siblings[i].name;
    if (!stays_below(sibling) || sibling == name) {
      return {Code::kInvalidArgument, fmt::format("{}: is no name for a file beside {}", base::printable(sibling), name)};
    }
    std::string copy = folder + "/" + sibling;
    std::error_code error;
    fs::create_directories(fs::path(copy).parent_path(), error);
    if (error) return {Code::kUnavailable, fmt::format("{}: its folder cannot be made: {}", base::to_utf8(copy), error.message())};
    if (Status written = write_file(copy, files.siblings[i]); !written.is_ok()) return written;
  }
  return {};
}

NeighbourLinks link_neighbours(const std::string& folder, const AttemptPlan& plan) {
  NeighbourLinks links;
  std::string original = path_bytes(fs::path(plan.script_path).parent_path());
  for (const std::string& below : captured_subfolders(plan)) {
    std::string slash = below.empty() ? "" : "/" + below;
    bool listed = link_entries(folder + slash, original + slash, links);
    if (below.empty() && !listed) break;
    links.readable = true;
  }
  return links;
}

std::string script_problem(const std::string& folder, const AttemptPlan& plan) {
  auto problem_of_copy = [&](const std::string& name, const std::string& sha256) -> std::string {
    auto found = hash_of_file(folder + "/" + name);
    if (!found.is_ok()) return found.status().message();
    if (*found == sha256) return {};
    return fmt::format("{}/{}: is not the bytes recorded any more; something else writes into the worker's scratch folder, the script was not run",
                       folder, name);
  };
  if (std::string problem = problem_of_copy(fs::path(plan.script_path).filename(), plan.script_sha256); !problem.empty()) return problem;
  for (const AttemptPlan::Sibling& sibling : plan.siblings) {
    if (std::string problem = problem_of_copy(sibling.name, sibling.sha256); !problem.empty()) return problem;
  }
  return {};
}

}  // namespace daemons
