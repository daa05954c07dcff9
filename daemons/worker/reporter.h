// Telling the ledger what became of an attempt, with ids that derive from its fence: told twice, it counts once.
#pragma once

#include <kj/async.h>

#include <string>

#include "daemons/port.h"
#include "daemons/worker/output_record.h"
#include "daemons/worker/plan.h"

namespace daemons {

/// What an attempt wrote, as it is reported.
struct ReportedOutputs {
  std::string manifest;  // OutputManifest document; empty = nothing was listed
  uint32_t files = 0;    // without those in reduction_log/, which only the manifest has
  uint64_t total_bytes = 0;
  std::string directory;
  uint32_t outside = 0, remarks = 0;

  static ReportedOutputs of(const OutputRecord& record, const std::string& directory);
};

/// Owns:    the capability, and commands on their way. Borrows the timer.
/// Threads: loop thread.
/// Errors:  promises reject when the connection breaks; what the ledger refuses is a Status.
class Reporter {
 public:
  Reporter(kj::Timer& timer, schema::DaemonPort::Client port) : port_(port), submitter_(timer, kj::mv(port)) {}

  /// True: the ledger took it and the attempt is ours to publish. False: somebody else owns the job by now.
  kj::Promise<base::Result<bool>> succeeded(const AttemptPlan& plan, const ReportedOutputs& outputs, const std::string& message,
                                            const std::string& log);
  /// True: taken. False: somebody else owns the job by now. `word` ends the command's id: another one is another try.
  kj::Promise<base::Result<bool>> failed(const AttemptPlan& plan, const AttemptVerdict& verdict, const ReportedOutputs& outputs,
                                         const std::string& log, std::string_view word = "fail");
  kj::Promise<base::Result<bool>> skipped(const AttemptPlan& plan, const std::string& text, const std::string& log);
  kj::Promise<base::Status> published(uint64_t job, uint16_t attempt, uint64_t fence);

  /// How the ledger sees an attempt; kNotFound when it has no such attempt.
  kj::Promise<base::Result<schema::AttemptRow::Outcome>> standing(uint64_t job, uint64_t fence);
  kj::Promise<CommandAnswer> submit(Command command) { return submitter_.submit(std::move(command)); }
  schema::DaemonPort::Client port() { return port_; }

 private:
  kj::Promise<base::Result<bool>> send(Command command, uint64_t job, uint64_t fence, schema::AttemptRow::Outcome wanted);

  schema::DaemonPort::Client port_;
  Submitter submitter_;
};

}  // namespace daemons
