// In what the instruments' scripts run: each interpreter asked for its version, again when its file changes, as an Environment document.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemons/process/process.h"

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
/// there is none.
std::string resolved_interpreter(const std::string& interpreter, std::string_view path = kSystemPath);

/// Owns:    the documents. Borrows launcher and timer.
/// Threads: loop thread.
/// Errors:  an interpreter that cannot be asked has a document that says why: jobs that want it start, and fail by name.
class Environments {
 public:
  /// `runner_package`: folder of Python modules each interpreter compiles for the jobs to come.
  Environments(ProcessLauncher& launcher, kj::Timer& timer, std::string host, std::string runner_package)
      : launcher_(launcher), timer_(timer), host_(std::move(host)), runner_package_(std::move(runner_package)) {}

  /// Asks the interpreters that are new or whose file has changed since. True when a document was added or made anew.
  kj::Promise<bool> refresh(std::vector<std::string> interpreters);
  /// Canonical bytes of the Environment document, by interpreter.
  const std::map<std::string, std::string>& documents() const { return documents_; }
  /// False from when another file stands where the interpreter was until that has been asked.
  bool is_current(const std::string& interpreter) const;

 private:
  kj::Promise<bool> ask(std::string interpreter, std::string file);
  kj::Promise<void> compile_runner(const std::string& interpreter, const std::string& file);
  std::string document(const std::string& interpreter, const std::string& file, const std::string& version) const;

  ProcessLauncher& launcher_;
  kj::Timer& timer_;
  std::string host_, runner_package_;
  std::map<std::string, std::string> documents_, stamps_;  // by interpreter as it is configured
};

}  // namespace daemons
