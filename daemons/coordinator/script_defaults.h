// A script's own variables, read by running its reduce_vars.py in its own interpreter.
#pragma once

#include <kj/async.h>

#include <filesystem>
#include <map>
#include <string>

#include "base/status.h"
#include "daemons/coordinator/script_capture.h"
#include "daemons/process/process.h"
#include "rpc/loop.h"

namespace daemons {

struct ScriptDefaults {
  std::string document;  // canonical VariableSet; empty when they could not be read
  std::string problem;   // why, for people; empty when they could
  bool passing = false;  // the problem was ours, or the interpreter's: the next reading may go well
};

/// Child processes that read variables; remembers what it has read, by content and interpreter.
///
/// Owns:    the cache. Borrows loop and launcher. Threads: loop thread. Errors: in ScriptDefaults::problem, never a rejected promise.
class ScriptDefaultsReader {
 public:
  ScriptDefaultsReader(rpc::Loop& loop, ProcessLauncher& launcher, std::filesystem::path run_script, std::filesystem::path scratch)
      : loop_(loop), launcher_(launcher), run_script_(std::move(run_script)), scratch_(std::move(scratch)) {}
  /// `again`: also when these bytes had a problem before; else that is answered until they change.
  kj::Promise<ScriptDefaults> read(std::string interpreter, std::filesystem::path script_path, CapturedFile variables, bool again = false);

 private:
  rpc::Loop& loop_;
  ProcessLauncher& launcher_;
  std::filesystem::path run_script_;
  std::filesystem::path scratch_;
  std::map<std::string, ScriptDefaults> known_;
  uint64_t next_file_ = 0;
};

/// run_script.py's answer (JSON) as a VariableSet document.
ScriptDefaults parse_defaults(const std::string& json);

}  // namespace daemons
