#include "daemons/worker/runner_copy.h"

#include <fmt/format.h>

#include <filesystem>

namespace daemons {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPackage = "runledger_runner";

}  // namespace

std::string runner_package(const std::string& run_script) { return fs::path(run_script).parent_path() / kPackage; }

base::Result<std::string> copy_runner(const std::string& run_script, const std::string& folder) {
  fs::path copy = fs::path(folder) / fs::path(run_script).filename();
  try {
    fs::create_directories(runner_package(copy));
    fs::copy_file(run_script, copy, fs::copy_options::overwrite_existing);
    for (const auto& entry : fs::directory_iterator(runner_package(run_script))) {
      if (entry.path().extension() != ".py") continue;
      fs::copy_file(entry.path(), fs::path(runner_package(copy)) / entry.path().filename(), fs::copy_options::overwrite_existing);
    }
  } catch (const fs::filesystem_error& error) {
    return base::Status(base::Code::kUnavailable,
                        fmt::format("{}: the script runner could not be copied to {}: {}; install runledger anew, or make room there",
                                    run_script, folder, error.code().message()));
  }
  return copy.string();
}

}  // namespace daemons
