// Starting programs from the loop, and hearing what becomes of them.
#pragma once

#include <kj/async-io.h>
#include <kj/async.h>
#include <kj/timer.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "rpc/loop.h"

namespace daemons {

/// How a process ended.
struct ProcessExit {
  int wait_status = 0;  // as waitpid gives it
  bool exited() const;
  int exit_code() const;  // only when exited()
  int signal() const;     // only when not exited()
  bool clean() const { return exited() && exit_code() == 0; }
  /// "ended with status 3", "was killed by signal 9 (Killed)".
  std::string text() const;
};

struct ProcessRequest {
  std::string program = {};                   // path; without a slash it is looked for in our PATH
  std::vector<std::string> arguments = {};    // after the program's own name
  std::vector<std::string> environment = {};  // NAME=VALUE; the child sees these and no others
  std::string working_directory = {};         // empty = ours

  enum class Stream { kNull, kInherit, kPipe, kOutput /* where standard output goes; for error only */ };
  Stream input = Stream::kNull;
  Stream output = Stream::kPipe;
  Stream error = Stream::kInherit;
  unsigned extra_outputs = 0;  // pipes from the child at its descriptors 3, 4, ...
  /// What dropping the Process does to a child that still runs: SIGKILL to its session's group, or no more than closing its
  /// input, for programs that end by themselves then and must not be killed.
  bool kill_when_dropped = true;
};

/// A child process: its own session and group, no descriptor of ours but those asked for, all signals at their defaults.
///
/// Owns:    our ends of the pipes. Dropping it closes them; the child is reaped in the background.
/// Threads: loop thread only.
/// Errors:  reading a pipe rejects only on faults of the system; a child that is gone is the end of the stream.
class Process {
 public:
  virtual ~Process() = default;
  virtual int id() const = 0;
  /// May be asked for any number of times, also after the end.
  virtual kj::Promise<ProcessExit> exit() = 0;
  /// The child's descriptor 1, 2, or 3 and up; it must be a pipe.
  virtual kj::AsyncInputStream& output(int descriptor) = 0;
  /// The child's standard input; it must be a pipe.
  virtual kj::AsyncOutputStream& input() = 0;
  virtual void close_input() = 0;
  /// Sends a signal to the child's process group. Nothing happens after its end.
  virtual void kill(int signal) = 0;
};

/// Starts processes; a simulation puts its own in place.
class ProcessLauncher {
 public:
  virtual ~ProcessLauncher() = default;
  /// kNotFound, kPermissionDenied, kUnavailable (no processes, descriptors or memory left), kInternal; the message names the
  /// program.
  virtual base::Result<kj::Own<Process>> start(const ProcessRequest& request) = 0;
};

/// Real ones. Must outlive its processes, and the loop must outlive it.
std::unique_ptr<ProcessLauncher> make_process_launcher(rpc::Loop& loop);

/// What a program that was run to its end said.
struct ProgramOutput {
  ProcessExit exit;
  std::string text;        // standard output, as far as kept
  std::string errors;      // standard error, as far as kept, unless it went where the output goes
  bool cut = false;        // more came than was kept
  bool timed_out = false;  // it was killed for taking too long
};
struct ProgramLimits {
  kj::Duration time = 30 * kj::SECONDS;
  size_t output_bytes = 1u << 20;  // of each stream; more is read and dropped
};

/// Runs a program to its end and keeps what it prints. `request.output` and `.error` are set to pipes (error kOutput stays);
/// whatever the program leaves holding the pipes is not waited for.
kj::Promise<base::Result<ProgramOutput>> run_program(ProcessLauncher& launcher, kj::Timer& timer, ProcessRequest request,
                                                     ProgramLimits limits = {});

}  // namespace daemons
