// A program under runledger-supervise: whatever it starts ends with it.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <optional>
#include <string>

#include "daemons/process/process.h"
#include "daemons/worker/printed.h"

namespace daemons {

struct SupervisedProgram {
  std::string supervisor;  // path of runledger-supervise
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string working_directory;
  uint64_t memory_limit_bytes = 0;  // 0 = none; of each process, not of their sum
  bool streams_apart = false;       // standard output and error come through pipes of their own
};

/// How it ended.
struct SupervisedEnd {
  enum class How { kExited, kSignaled, kNotStarted, kSupervisorLost };
  How how = How::kSupervisorLost;
  int number = 0;  // exit status, signal or errno
  uint64_t max_resident_bytes = 0;
  uint64_t user_ms = 0, system_ms = 0;
  unsigned left_behind = 0;  // processes the program left, killed by the supervisor

  /// As waitpid would give it; 0 if it never ran.
  int wait_status() const;
  /// From the supervisor's status line; nullopt if it is none.
  static std::optional<SupervisedEnd> parse(const std::string& line);
};

/// Owns:    the supervisor's process; dropping this ends the whole tree, a moment later.
/// Threads: loop thread. Borrows printed and timer.
/// Errors:  start() says why the supervisor could not be started; a program that could not be is an end like others.
class Supervised {
 public:
  static base::Result<kj::Own<Supervised>> start(ProcessLauncher& launcher, kj::Timer& timer, const SupervisedProgram& program,
                                                 Printed& printed);
  /// After everything the program printed has been read. Any number of times.
  kj::Promise<SupervisedEnd> end() { return end_.addBranch(); }
  /// Kills the program and all it started; end() tells when that is done.
  void kill_tree();

  Supervised(kj::Own<Process> process, kj::Timer& timer, Printed& printed, bool streams_apart);  // for start()

 private:
  struct Stream {
    int descriptor = -1;
    LogCapture* own = nullptr;  // beside what goes to printed_.all; nullptr = nowhere
    kj::Array<kj::byte> chunk;
  };

  kj::Promise<void> read_all();
  kj::Promise<void> read(Stream& stream);
  kj::Promise<SupervisedEnd> watch();

  kj::Own<Process> process_;
  kj::Timer& timer_;
  Printed& printed_;
  Stream output_, errors_;  // errors_ is not read where the two share a pipe
  std::string status_;
  kj::ForkedPromise<void> reading_;
  kj::ForkedPromise<SupervisedEnd> end_;
  kj::Promise<void> last_resort_ = nullptr;
};

}  // namespace daemons
