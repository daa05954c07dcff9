// In what the instruments' scripts run: each interpreter asked for its version, again when its file changes, as an Environment document.
#pragma once

#include <kj/async.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemons/process/process.h"
#include "rpc/loop.h"

namespace daemons {

/// Variables a script's process gets, and no others. {scratch} stands for the attempt's own folder.
///   PATH                      the interpreter's folder, then the system's
///   HOME, TMPDIR              of the attempt
///   PYTHONUNBUFFERED          prints are in the log when they are made
///   PYTHONDONTWRITEBYTECODE   no __pycache__ in the archive
///   MPLBACKEND                no display
///   HDF5_USE_FILE_LOCKING     FALSE: a script that reads a raw file neither locks out its writer nor fails on file systems
///                             without locks
std::vector<std::string> script_variables(const std::string& interpreter, const std::string& scratch);

/// The folders an interpreter without one of its own is looked for in; the last in every script's PATH.
inline constexpr std::string_view kSystemPath = "/usr/local/bin:/usr/bin:/bin";
/// The file that runs as `interpreter`: the first of that name on `path` that can be run. As it is when it names a folder, or when
/// there is none. Blocking.
std::string resolved_interpreter(const std::string& interpreter, std::string_view path = kSystemPath);

/// Owns:    the documents. Borrows loop and launcher.
/// Threads: loop thread; files are looked at on the pool.
/// Errors:  an interpreter that cannot be asked has a document that says why: jobs that want it start, and fail by name.
class Environments final : private kj::TaskSet::ErrorHandler {
 public:
  /// `runner_package`: folder of Python modules each interpreter compiles for the jobs to come. `changed`: a document was added or
  /// made anew.
  Environments(rpc::Loop& loop, ProcessLauncher& launcher, std::string host, std::string runner_package, std::function<void()> changed)
      : loop_(loop),
        launcher_(launcher),
        host_(std::move(host)),
        runner_package_(std::move(runner_package)),
        changed_(std::move(changed)),
        tasks_(*this) {}

  /// Asks the interpreters that are new or whose file has changed since. Waits for their answers, but not for one that takes long: its
  /// document comes when it comes.
  kj::Promise<void> refresh(std::vector<std::string> interpreters);
  /// Canonical bytes of the Environment document, by interpreter.
  const std::map<std::string, std::string>& documents() const { return documents_; }
  /// False from when another file stands where the interpreter was until that has been asked.
  kj::Promise<bool> is_current(const std::string& interpreter) const;

 private:
  struct Sight {
    std::string file, stamp;
  };

  void taskFailed(kj::Exception&& exception) override;
  kj::Promise<void> look(std::string interpreter);
  kj::Promise<void> ask(std::string interpreter, std::string file);
  kj::Promise<void> compile_runner(const std::string& interpreter, const std::string& file);
  std::string document(const std::string& interpreter, const std::string& file, const std::string& version) const;

  rpc::Loop& loop_;
  ProcessLauncher& launcher_;
  std::string host_, runner_package_;
  std::function<void()> changed_;
  std::map<std::string, std::string> documents_, stamps_;  // by interpreter as it is configured
  std::set<std::string> looking_;                          // at most one look at each: it may wait for a file server
  kj::TaskSet tasks_;                                      // last: its tasks use all of the above
};

}  // namespace daemons
