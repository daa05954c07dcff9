#include "daemons/worker/environments.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "base/version.h"
#include "ledger/canonical.h"
#include "schema/document.capnp.h"

namespace daemons {
namespace {

/// Changes when the file behind the path does.
std::string stamp_of(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return "missing";
  return fmt::format("{}:{}:{}:{}.{}", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

std::string first_line(const std::string& text) { return base::to_utf8(text.substr(0, text.find_first_of("\r\n")), 200); }

std::string version_of(const base::Result<ProgramOutput>& said) {
  if (!said.is_ok()) return "unknown: " + base::to_utf8(said.status().message(), 400);
  if (said->timed_out) return "unknown: --version did not end in time";
  if (!said->exit.clean()) return "unknown: --version " + said->exit.text();
  return first_line(said->text);
}

}  // namespace

std::vector<std::string> script_variables(const std::string& interpreter, const std::string& scratch) {
  std::string folder = std::filesystem::path(interpreter).parent_path();
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  if (!folder.empty() && folder != "/usr/bin") path = folder + ":" + path;
  std::vector<std::string> variables{"PATH=" + path,
                                     "LANG=C.UTF-8",
                                     "HOME=" + scratch + "/home",
                                     "TMPDIR=" + scratch + "/tmp",
                                     "PYTHONUNBUFFERED=1",
                                     "PYTHONDONTWRITEBYTECODE=1",
                                     "MPLBACKEND=Agg",
                                     "HDF5_USE_FILE_LOCKING=FALSE"};
  std::sort(variables.begin(), variables.end());
  return variables;
}

kj::Promise<bool> Environments::refresh(std::vector<std::string> interpreters) {
  kj::Vector<kj::Promise<bool>> asked;
  std::sort(interpreters.begin(), interpreters.end());
  interpreters.erase(std::unique(interpreters.begin(), interpreters.end()), interpreters.end());
  for (const std::string& interpreter : interpreters) {
    std::string stamp = stamp_of(interpreter);
    std::string& known = stamps_[interpreter];
    if (known == stamp) continue;
    known = stamp;
    asked.add(ask(interpreter));
  }
  return kj::joinPromises(asked.releaseAsArray()).then([](kj::Array<bool> changed) {
    return std::any_of(changed.begin(), changed.end(), [](bool one) { return one; });
  });
}

kj::Promise<bool> Environments::ask(std::string interpreter) {
  ProcessRequest request;
  request.program = interpreter;
  request.arguments = {"--version"};
  request.environment = script_variables(interpreter, "/nonexistent");
  request.error = ProcessRequest::Stream::kOutput;  // Python 2 says it there
  ProgramLimits limits{.time = 20 * kj::SECONDS, .output_bytes = 4096};
  return run_program(launcher_, timer_, std::move(request), limits).then([this, interpreter](base::Result<ProgramOutput> said) {
    std::string bytes = document(interpreter, version_of(said));
    std::string& known = documents_[interpreter];
    bool changed = known != bytes;
    known = std::move(bytes);
    return changed;
  });
}

std::string Environments::document(const std::string& interpreter, const std::string& version) const {
  utsname kernel{};
  uname(&kernel);
  capnp::MallocMessageBuilder message;
  auto environment = message.initRoot<schema::Environment>();
  environment.setHost(host_);
  environment.setKernel(fmt::format("{} {} {}", kernel.sysname, kernel.release, kernel.machine));
  environment.setInterpreterPath(interpreter);
  environment.setInterpreterVersion(version);
  environment.setRunledgerVersion(std::string(base::version()));
  std::vector<std::string> given = script_variables(interpreter, "{scratch}");
  auto variables = environment.initVariables(given.size());
  for (size_t i = 0; i < given.size(); ++i) variables.set(i, given[i]);
  environment.setWorkingDirectory("{scratch}/work");
  return ledger::canonical_bytes(environment.asReader());
}

}  // namespace daemons
