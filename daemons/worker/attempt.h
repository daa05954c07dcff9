// One attempt at a job, from the lease to the ledger's word on its result.
#pragma once

#include <kj/async.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemons/worker/environments.h"
#include "daemons/worker/job_files.h"
#include "daemons/worker/output_record.h"
#include "daemons/worker/publication.h"
#include "daemons/worker/reporter.h"
#include "daemons/worker/script_report.h"
#include "daemons/worker/supervised.h"

namespace daemons {

/// What every attempt of a worker needs.
struct AttemptContext {
  rpc::Loop& loop;
  ProcessLauncher& launcher;
  schema::Runs::Client runs;
  Reporter& reporter;
  std::string scratch;     // folder for the attempts' own folders
  std::string supervisor;  // runledger-supervise
  std::string run_script;  // the worker's copy of run_script.py
  const Environments& environments;
};

/// Lays out script and support files, checks the inputs, runs the script, keeps what it printed and wrote, reports and publishes.
///
/// Owns:    its scratch folder, its staging directory until published or kept, the script's process tree. Dropping it ends the
///          tree and leaves the folders to whoever comes next.
/// Threads: loop thread; files are read and written on the pool.
/// Errors:  everything about script, input and output is reported to the ledger; run() rejects when the connection breaks.
class Attempt {
 public:
  Attempt(AttemptContext& context, AttemptPlan plan);
  ~Attempt();

  kj::Promise<void> run();
  /// Ends the script and reports nothing: the worker ends. What was accepted is still published.
  void abandon();
  /// The same because the ledger took the job away: what the script had printed until then is handed in.
  void lose();
  const AttemptPlan& plan() const { return plan_; }

 private:
  using Early = std::optional<AttemptVerdict>;  // a verdict before the script could run

  using Step = kj::Promise<Early> (Attempt::*)();
  struct Source {
    std::string name, manifest, directory;
  };

  kj::Promise<Early> take_steps(size_t index = 0);
  kj::Promise<Early> fetch_captured();
  kj::Promise<Early> fetch_sibling(size_t index);
  kj::Promise<Early> fetch_variables();
  kj::Promise<Early> make_folders();
  kj::Promise<Early> fetch_support_files();
  kj::Promise<Early> fetch_support_file(size_t index);
  kj::Promise<Early> fetch_sources();
  kj::Promise<Early> fetch_source(size_t index);
  kj::Promise<Early> prepare();
  kj::Promise<AttemptVerdict> execute();
  kj::Promise<AttemptVerdict> run_script();
  kj::Promise<SupervisedEnd> await_end();
  kj::Promise<AttemptVerdict> judge_end(SupervisedEnd end);
  kj::Promise<AttemptVerdict> judge_errors(AttemptVerdict verdict);
  Early read_sources(const std::string& document);
  Early take_source(const Source& source, const std::string& document);
  kj::Promise<void> finish(AttemptVerdict verdict);
  kj::Promise<void> succeed(AttemptVerdict verdict);
  kj::Promise<void> accepted_or_not(base::Result<bool> accepted);
  kj::Promise<void> fail(AttemptVerdict verdict);
  kj::Promise<void> taken_or_not(base::Result<bool> taken, std::string kept);
  kj::Promise<void> skip(AttemptVerdict verdict);
  kj::Promise<void> hand_in_log();
  kj::Promise<void> discard(std::string folder);
  kj::Promise<void> discard_staging();
  kj::Promise<void> clean_up();
  template <typename Take>
  kj::Promise<Early> take_blob(const std::string& sha256, std::string subject, Take take);

  AttemptContext& context_;
  AttemptPlan plan_;
  JobFolders folders_;
  CapturedFiles captured_;
  std::vector<Source> sources_;
  Printed printed_;
  ScriptReport report_;
  std::vector<std::string> remarks_;  // ours
  kj::Maybe<kj::Own<Supervised>> child_;
  bool timed_out_ = false;
  bool lost_ = false;
  StopFlag abandoned_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace daemons
