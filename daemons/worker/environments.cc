#include "daemons/worker/environments.h"

#include <fmt/format.h>
#include <kj/vector.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "base/version.h"
#include "ledger/canonical.h"
#include "schema/document.capnp.h"

namespace daemons {
namespace {

constexpr auto kLongestWait = 10 * kj::SECONDS;  // for the answer of an interpreter

/// Changes when another file stands behind the path, or the same one was written.
std::string stamp_of(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return path + " missing";
  return fmt::format("{} {}:{}:{}:{}.{}", path, info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
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
  std::string path(kSystemPath);
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

std::string resolved_interpreter(const std::string& interpreter, std::string_view path) {
  if (interpreter.find('/') != interpreter.npos) return interpreter;
  while (!path.empty()) {
    size_t end = std::min(path.find(':'), path.size());
    std::string file = fmt::format("{}/{}", path.substr(0, end), interpreter);
    struct stat info {};
    if (stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(file.c_str(), X_OK) == 0) return file;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return interpreter;
}

kj::Promise<bool> Environments::is_current(const std::string& interpreter) const {
  auto known = stamps_.find(interpreter);
  if (known == stamps_.end() || !documents_.contains(interpreter)) return false;
  return loop_.on_pool([interpreter, stamp = known->second] { return stamp == stamp_of(resolved_interpreter(interpreter)); });
}

kj::Promise<void> Environments::refresh(std::vector<std::string> interpreters) {
  kj::Vector<kj::Promise<void>> answers;
  for (std::string& interpreter : interpreters) {
    if (!looking_.insert(interpreter).second) continue;
    auto answered = kj::newPromiseAndFulfiller<void>();
    answers.add(kj::mv(answered.promise));
    auto done = kj::defer([this, interpreter] { looking_.erase(interpreter); });
    auto trouble = [interpreter](kj::Exception&& why) {
      spdlog::error("{} could not be asked: {}", base::printable(interpreter), base::printable(why.getDescription().cStr()));
    };
    tasks_.add(look(interpreter).catch_(trouble).attach(kj::mv(done)).then([fulfiller = kj::mv(answered.fulfiller)]() mutable {
      fulfiller->fulfill();
    }));
  }
  if (answers.empty()) return kj::READY_NOW;
  return kj::joinPromises(answers.releaseAsArray()).exclusiveJoin(loop_.timer().afterDelay(kLongestWait));
}

void Environments::taskFailed(kj::Exception&& exception) {
  spdlog::error("asking an interpreter: {}", base::printable(exception.getDescription().cStr()));
}

kj::Promise<void> Environments::look(std::string interpreter) {
  auto see = [interpreter]() -> Sight {
    std::string file = resolved_interpreter(interpreter);
    std::string stamp = stamp_of(file);
    return {std::move(file), std::move(stamp)};
  };
  return loop_.on_pool(see).then([this, interpreter](Sight sight) -> kj::Promise<void> {
    std::string& known = stamps_[interpreter];
    if (known == sight.stamp) return kj::READY_NOW;
    known = sight.stamp;
    documents_.erase(interpreter);  // no job is started with the old one while the new one is asked
    return ask(interpreter, sight.file);
  });
}

kj::Promise<void> Environments::ask(std::string interpreter, std::string file) {
  ProcessRequest request;
  request.program = file;
  request.arguments = {"--version"};
  request.environment = script_variables(interpreter, "/nonexistent");
  request.error = ProcessRequest::Stream::kOutput;  // Python 2 says it there
  ProgramLimits limits{.time = 20 * kj::SECONDS, .output_bytes = 4096};
  auto answer = run_program(launcher_, loop_.timer(), std::move(request), limits);
  auto compiled = compile_runner(interpreter, file);
  return answer.then([compiled = kj::mv(compiled)](base::Result<ProgramOutput> said) mutable {
    return compiled.then([said = std::move(said)]() mutable { return std::move(said); });
  }).then([this, interpreter, file](base::Result<ProgramOutput> said) {
    documents_[interpreter] = document(interpreter, file, version_of(said));
    if (changed_) changed_();
  });
}

/// Whatever comes of it: what is not compiled now is compiled by each job for itself.
kj::Promise<void> Environments::compile_runner(const std::string& interpreter, const std::string& file) {
  ProcessRequest request;
  request.program = file;
  request.arguments = {"-m", "compileall", "-q", runner_package_};
  request.environment = script_variables(interpreter, "/nonexistent");
  request.error = ProcessRequest::Stream::kOutput;
  return run_program(launcher_, loop_.timer(), std::move(request), {.time = 20 * kj::SECONDS, .output_bytes = 4096}).ignoreResult();
}

std::string Environments::document(const std::string& interpreter, const std::string& file, const std::string& version) const {
  utsname kernel{};
  uname(&kernel);
  capnp::MallocMessageBuilder message;
  auto environment = message.initRoot<schema::Environment>();
  environment.setHost(host_);
  environment.setKernel(fmt::format("{} {} {}", kernel.sysname, kernel.release, kernel.machine));
  environment.setInterpreterPath(file);
  environment.setInterpreterVersion(version);
  environment.setRunledgerVersion(std::string(base::version()));
  std::vector<std::string> given = script_variables(interpreter, "{scratch}");
  auto variables = environment.initVariables(given.size());
  for (size_t i = 0; i < given.size(); ++i) variables.set(i, given[i]);
  environment.setWorkingDirectory("{scratch}/work; of sns scripts {output}");
  return ledger::canonical_bytes(environment.asReader());
}

}  // namespace daemons
