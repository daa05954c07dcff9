// In what the instruments' scripts run: each interpreter asked once for its version, as an Environment document.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <map>
#include <string>
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

/// Owns:    the documents. Borrows launcher and timer.
/// Threads: loop thread.
/// Errors:  an interpreter that cannot be asked has a document that says why: jobs that want it start, and fail by name.
class Environments {
 public:
  Environments(ProcessLauncher& launcher, kj::Timer& timer, std::string host)
      : launcher_(launcher), timer_(timer), host_(std::move(host)) {}

  /// Asks the interpreters that are new or whose file has changed since. True when a document was added or changed.
  kj::Promise<bool> refresh(std::vector<std::string> interpreters);
  /// Canonical bytes of the Environment document, by interpreter.
  const std::map<std::string, std::string>& documents() const { return documents_; }

 private:
  kj::Promise<bool> ask(std::string interpreter);
  std::string document(const std::string& interpreter, const std::string& version) const;

  ProcessLauncher& launcher_;
  kj::Timer& timer_;
  std::string host_;
  std::map<std::string, std::string> documents_, stamps_;
};

}  // namespace daemons
