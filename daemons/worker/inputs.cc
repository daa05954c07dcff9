#include "daemons/worker/inputs.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/reduction_log.h"
#include "base/text.h"
#include "ledger/canonical.h"

namespace daemons {
namespace {

std::string changed(const PlannedInput& input, std::string_view how) {
  return fmt::format("{}: {} since it was recorded; reduce the run again once the new bytes are known", base::printable(input.path),
                     how);
}

std::string problem_of(const PlannedInput& input, const StopFlag& stop) {
  std::string path = path_bytes(input.path);
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return fmt::format("{}: the {} is not to be had: {}; bring it back and reduce the run again", base::printable(input.path), input.noun,
                       strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return changed(input, "it has become something else than a file");
  if (static_cast<uint64_t>(info.st_size) != input.size_bytes) {
    return changed(input, fmt::format("its size has changed from {} to {} bytes", input.size_bytes, info.st_size));
  }
  int64_t modified = static_cast<int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (input.modified_at != 0 && modified == input.modified_at) return "";
  auto found = hash_of_file(path, stop);
  if (!found.is_ok()) return found.status().message();
  return *found == input.sha256 ? "" : changed(input, "its bytes have changed");
}

bool is_taken(const std::string& path, const std::vector<std::string>& patterns) {
  if (patterns.empty()) return !base::is_reduction_log(path);
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0; });
}

}  // namespace

std::vector<PlannedInput> files_taken(schema::OutputManifest::Reader manifest, const std::string& directory,
                                      const std::vector<std::string>& patterns) {
  std::vector<PlannedInput> taken;
  for (auto file : manifest.getFiles()) {
    std::string path(ledger::view(file.getPath()));
    if (!stays_below(path) || !is_taken(path, patterns)) continue;
    taken.push_back({directory + "/" + path, file.getSizeBytes(), std::string(ledger::view(file.getSha256())), 0, "result's file"});
  }
  return taken;
}

std::string input_problem(const std::vector<PlannedInput>& inputs, const StopFlag& stop) {
  for (const PlannedInput& input : inputs) {
    if (std::string problem = problem_of(input, stop); !problem.empty()) return problem;
  }
  return {};
}

std::string support_file_problem(const std::vector<PlannedSupportFile>& files, const StopFlag& stop) {
  for (const PlannedSupportFile& file : files) {
    if (file.kept) continue;
    std::string problem = problem_of({file.path, file.size_bytes, file.sha256, 0, "support file"}, stop);
    if (!problem.empty()) return fmt::format("{} (variable {})", problem, base::printable(file.name));
  }
  return {};
}

}  // namespace daemons
