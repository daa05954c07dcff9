// A script's own variables, read by its own interpreter in a child.
#pragma once

#include <kj/async.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "daemons/process/process.h"
#include "rpc/loop.h"
#include "scripts/capture.h"

namespace daemons {

struct ScriptDefaults {
  std::string document;  // canonical VariableSet; empty when the script has no variables, or they could not be read
  std::string problem;   // why not, for people; empty when they could
  bool passing = false;  // the problem was ours, or the interpreter's: the next reading may go well
};

/// Child processes that read variables (docs/contracts/runner.md); remembers what it has read, by content and interpreter.
///
/// Owns:    the cache. Borrows loop and launcher. Threads: loop thread. Errors: in ScriptDefaults::problem, never a rejected promise.
class ScriptDefaultsReader {
 public:
  ScriptDefaultsReader(rpc::Loop& loop, ProcessLauncher& launcher, std::filesystem::path run_script, std::filesystem::path scratch)
      : loop_(loop), launcher_(launcher), run_script_(std::move(run_script)), scratch_(std::move(scratch)) {}
  /// `script_path`: where the captured script was read. `again`: also when these bytes had a problem before; else that is answered until they
  /// change.
  kj::Promise<ScriptDefaults> read(std::string interpreter, schema::Contract contract, std::filesystem::path script_path,
                                   std::shared_ptr<const scripts::CapturedScript> captured, bool again = false);

 private:
  rpc::Loop& loop_;
  ProcessLauncher& launcher_;
  std::filesystem::path run_script_;
  std::filesystem::path scratch_;
  std::map<std::string, ScriptDefaults> known_;
  uint64_t next_folder_ = 0;
};

/// run_script.py's answer (JSON) as a VariableSet document.
ScriptDefaults parse_defaults(const std::string& json);

}  // namespace daemons
