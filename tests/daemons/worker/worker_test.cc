// workerd's work against a ledger in memory, with real processes and the real run_script.py.
#include "daemons/worker/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "daemons/worker/output_folder.h"
#include "daemons/worker/publication.h"
#include "tests/daemons/worker/worker_case.h"

namespace {

using Body = schema::Command::Body;
using schema::FailureKind;
using support::FakeLedger;
using support::kCopy;
using testing::HasSubstr;
using testing::Not;
using Outcome = schema::AttemptRow::Outcome;
namespace fs = std::filesystem;

class WorkerTest : public support::WorkerCase {};

TEST_F(WorkerTest, SuccessAppearsWholeWithItsManifestAndLog) {
  auto attempt = reduce(kCopy);
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(read(output / "MAR28001.nxs"), "raw bytes");
  EXPECT_EQ(read(output / "plots/one.txt"), "1");
  EXPECT_EQ(log_of(attempt), "reducing MAR28001.nxs\n");
  EXPECT_EQ(std::string(attempt.getMessage().cStr()), "fine");
  EXPECT_EQ(attempt.getOutputs().getFiles(), 2u);
  EXPECT_EQ(attempt.getOutputs().getTotalBytes(), 10u);
  ledger::Row<schema::OutputManifest> manifest(ledger.blob(attempt.getOutputs().getManifest()));
  ASSERT_EQ(manifest.get().getFiles().size(), 3u);
  EXPECT_EQ(std::string(manifest.get().getFiles()[1].getPath().cStr()), "plots/one.txt");
  EXPECT_EQ(std::string(manifest.get().getFiles()[2].getPath().cStr()), "reduction_log/RB_unknown_Run_28001_Script.out");
  EXPECT_EQ(read(output / "reduction_log/RB_unknown_Run_28001_Script.out"), "reducing MAR28001.nxs\n");
  EXPECT_EQ(ledger::view(manifest.get().getFiles()[0].getSha256()), base::as_bytes(base::sha256("raw bytes")));
  EXPECT_EQ(around_output(), std::vector<std::string>{"run-version-1"});
  expect_nothing_left();
}

TEST_F(WorkerTest, SuccessIsReportedBeforeItIsPublished) {
  bool there_when_accepted = true, there_when_published = false;
  ledger.before = [&](schema::Command::Reader command) {
    if (command.getBody().isSucceedAttempt()) there_when_accepted = fs::exists(output);
    if (command.getBody().isPublishJob()) there_when_published = fs::exists(output);
  };
  reduce(kCopy);
  EXPECT_FALSE(there_when_accepted);
  EXPECT_TRUE(there_when_published);
}

TEST_F(WorkerTest, CommandIdsDeriveFromTheFence) {
  auto attempt = reduce(kCopy);
  std::string fence = std::to_string(attempt.getFence());
  EXPECT_EQ(ledger.told(Body::SUCCEED_ATTEMPT)->getId(), "workerd/" + fence + "/succeed");
  EXPECT_EQ(ledger.told(Body::PUBLISH_JOB)->getId(), "workerd/" + fence + "/publish");
  EXPECT_EQ(ledger.told(Body::SUCCEED_ATTEMPT)->getCause(), attempt.getFence());
}

TEST_F(WorkerTest, VariablesAndSiblingsReachTheScript) {
  uint64_t job = queue("import reduce_vars as web_var\ndef main(input_file, output_dir):\n    print(web_var.standard_vars)\n",
                       [&](schema::JobQueued::Builder queued) {
                         auto sibling = queued.initSiblings(1)[0];
                         sibling.setName("reduce_vars.py");
                         sibling.setSha256(ledger::data(ledger.store("standard_vars = {'mon': 1, 'mask': None}\n")));
                         capnp::MallocMessageBuilder message;
                         auto variable = message.initRoot<schema::VariableSet>().initVariables(1)[0];
                         variable.setName("mon");
                         variable.setValue("[2, \"two\"]");
                         auto document = ledger::canonical_bytes(message.getRoot<schema::VariableSet>().asReader());
                         queued.setVariables(ledger::data(ledger.store(document)));
                       });
  EXPECT_EQ(log_of(work(job)), "{'mon': [2, 'two'], 'mask': None}\n");
}

TEST_F(WorkerTest, ScriptRunsInItsOwnFoldersWithTheRecordedVariablesOnly) {
  auto attempt = reduce(R"(
import os
def main(input_file, output_dir):
    print(os.getcwd(), os.environ["HOME"], os.environ["TMPDIR"], output_dir.endswith("/"))
    print(sorted(os.environ))
)");
  std::string scratch = (folder / "scratch").string();
  EXPECT_THAT(log_of(attempt), HasSubstr("/work " + scratch));
  EXPECT_THAT(log_of(attempt),
              HasSubstr("/tmp True\n['HDF5_USE_FILE_LOCKING', 'HOME', 'LANG', 'MPLBACKEND', 'PATH', 'PYTHONDONTWRITEBYTECODE', "
                        "'PYTHONUNBUFFERED', 'TMPDIR']"));
}

TEST_F(WorkerTest, EnvironmentDocumentNamesTheInterpretersVersion) {
  reduce(kCopy);
  ASSERT_EQ(ledger.environments.size(), 1u);
  ledger::Row<schema::Environment> document(ledger.environments.at("/usr/bin/python3"));
  EXPECT_THAT(document.get().getInterpreterVersion().cStr(), HasSubstr("Python 3."));
  EXPECT_EQ(std::string(document.get().getHost().cStr()), "testhost");
  EXPECT_EQ(document.get().getVariables().size(), 8u);
}

TEST_F(WorkerTest, JobsFindTheRunnerCompiled) {
  // Each job compiled the whole runner anew.
  auto attempt = reduce("def main(input_file, output_dir):\n    import runledger_runner.attempt as a\n    print(a.__cached__, a.__file__)\n");
  std::string package = (folder / "scratch/runner/runledger_runner").string();
  std::string cached = log_of(attempt).substr(0, log_of(attempt).find(' '));
  EXPECT_THAT(cached, testing::StartsWith(package + "/__pycache__/attempt."));
  EXPECT_TRUE(fs::exists(cached)) << cached;
}

TEST_F(WorkerTest, InterpreterChangedAfterTheLeaseIsRecordedByTheNextAttempt) {
  // The attempt ran with another interpreter than its record named.
  fs::path python = folder / "python";
  fs::create_symlink("/usr/bin/python3", python);
  ledger.configure(python.string());
  uint64_t job = queue(kCopy, [&](schema::JobQueued::Builder queued) { queued.setInterpreter(python.string()); });
  ledger.leased = [&] {
    fs::remove(python);
    fs::create_symlink("/usr/bin/env", python);
  };
  auto attempt = work(job);
  EXPECT_EQ(attempt.getKind(), schema::FailureKind::WORKER);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("has changed since its version was recorded"));
  EXPECT_FALSE(fs::exists(output));
}

TEST_F(WorkerTest, InterpreterConfiguredLaterIsOffered) {
  auto worker = make_worker();
  auto running = worker->run().eagerlyEvaluate(nullptr);
  loop.wait(ledger.when([&] { return ledger.count(Body::JOIN_WORKER) == 1; }));
  while (ledger.environments.empty()) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
  ledger.configure("/no/such/python");
  while (!ledger.environments.contains("/no/such/python")) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
  ledger::Row<schema::Environment> document(ledger.environments.at("/no/such/python"));
  EXPECT_THAT(document.get().getInterpreterVersion().cStr(), HasSubstr("/no/such/python: could not be started"));
  loop.wait(worker->drain());
}

// ---- scripts that fail ----

TEST_F(WorkerTest, ExceptionFailsWithTracebackAndWhatWasWrittenIsKept) {
  auto attempt = reduce(R"(
def main(input_file, output_dir):
    open(output_dir + "half.txt", "w").write("half")
    raise ValueError("bad monitor")
)");
  EXPECT_EQ(attempt.getOutcome(), Outcome::FAILED);
  EXPECT_EQ(attempt.getKind(), FailureKind::SCRIPT_EXCEPTION);
  EXPECT_EQ(std::string(attempt.getMessage().cStr()), "ValueError: bad monitor");
  EXPECT_THAT(traceback_of(attempt), HasSubstr("reduce.py\", line 4, in main"));
  EXPECT_THAT(log_of(attempt), HasSubstr("ValueError: bad monitor"));
  std::string kept = output.string() + ".failed-attempt-1";
  EXPECT_EQ(std::string(attempt.getOutputs().getDirectory().cStr()), kept);
  EXPECT_EQ(attempt.getOutputs().getFiles(), 1u);
  EXPECT_EQ(read(kept + "/half.txt"), "half");
  EXPECT_FALSE(fs::exists(output));
  expect_nothing_left();
}

TEST_F(WorkerTest, ExitStatusIsKept) {
  auto attempt = reduce("import sys\ndef main(input_file, output_dir):\n    sys.exit(3)\n");
  EXPECT_EQ(attempt.getKind(), FailureKind::SCRIPT_EXIT);
  EXPECT_EQ(attempt.getExitStatus(), 3 << 8);
  EXPECT_EQ(around_output(), std::vector<std::string>{});
}

TEST_F(WorkerTest, QuietEndOfTheProcessIsNoSuccess) {
  auto attempt = reduce("import os\ndef main(input_file, output_dir):\n    os._exit(0)\n");
  EXPECT_EQ(attempt.getKind(), FailureKind::SCRIPT_EXIT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("without finishing"));
}

TEST_F(WorkerTest, CrashIsASignal) {
  auto attempt = reduce("import os, signal\ndef main(input_file, output_dir):\n    os.kill(os.getpid(), signal.SIGSEGV)\n");
  EXPECT_EQ(attempt.getKind(), FailureKind::SCRIPT_SIGNAL);
  EXPECT_EQ(attempt.getExitStatus(), SIGSEGV);
}

TEST_F(WorkerTest, SyntaxErrorNamesFileAndLine) {
  auto attempt = reduce("def main(input_file, output_dir):\n    print 'two'\n");
  EXPECT_EQ(attempt.getKind(), FailureKind::SCRIPT_SYNTAX);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("scripts/reduce.py, line 2"));
}

TEST_F(WorkerTest, ScriptWithoutMainBreaksItsContract) {
  auto attempt = reduce("x = 1\n");
  EXPECT_EQ(attempt.getKind(), FailureKind::CONTRACT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("main"));
}

TEST_F(WorkerTest, SkipIsItsOwnOutcome) {
  auto attempt = reduce("def main(input_file, output_dir):\n    raise RuntimeError('Skip: event mode')\n");
  EXPECT_EQ(attempt.getOutcome(), Outcome::SKIPPED);
  EXPECT_EQ(std::string(attempt.getMessage().cStr()), "Skip: event mode");
  EXPECT_EQ(std::string(ledger.told(Body::SKIP_ATTEMPT)->getBody().getSkipAttempt().getReason().getCode().cStr()),
            "skipped_by_script");
  EXPECT_EQ(around_output(), std::vector<std::string>{});
}

TEST_F(WorkerTest, EndlessLoopIsEndedAtItsTimeLimit) {
  uint64_t job = queue("def main(input_file, output_dir):\n    print('round and round')\n    while True: pass\n",
                       [](schema::JobQueued::Builder queued) { queued.setTimeLimitMs(300); });
  auto attempt = work(job);
  EXPECT_EQ(attempt.getKind(), FailureKind::TIME_LIMIT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("time limit of 300 ms"));
  EXPECT_EQ(attempt.getExitStatus(), SIGKILL);
}

TEST_F(WorkerTest, MemoryLimitIsNamed) {
  uint64_t job = queue("def main(input_file, output_dir):\n    x = bytearray(600 << 20)\n",
                       [](schema::JobQueued::Builder queued) { queued.setMemoryLimitBytes(300u << 20); });
  EXPECT_EQ(work(job).getKind(), FailureKind::MEMORY_LIMIT);
}

TEST_F(WorkerTest, MissingInterpreterFailsTheJobAndNotTheWorker) {
  ledger.interpreters = {"/no/such/python"};
  uint64_t job = queue(kCopy, [](schema::JobQueued::Builder queued) { queued.setInterpreter("/no/such/python"); });
  auto attempt = work(job);
  EXPECT_EQ(attempt.getKind(), FailureKind::INTERPRETER);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("/no/such/python could not be started"));
}

TEST_F(WorkerTest, TwoHundredMegabytesOfPrintsLeaveABoundedLog) {
  auto attempt = reduce(R"(
import os
def main(input_file, output_dir):
    print("first line")
    line = b"x" * 99 + b"\n"
    for i in range(20):
        os.write(1, line * 100000)
    print("last line")
)");
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  std::string log = log_of(attempt);
  EXPECT_LT(log.size(), 1'400'000u);
  EXPECT_TRUE(log.starts_with("first line\n"));
  EXPECT_TRUE(log.ends_with("last line\n"));
  EXPECT_THAT(log, HasSubstr("bytes left out here, of 2000000"));
}

TEST_F(WorkerTest, ProcessLeftBehindHoldsUpNothingAndIsNotedInTheLog) {
  auto attempt = reduce(R"(
import subprocess
def main(input_file, output_dir):
    print("pid", subprocess.Popen(["sleep", "1000"], start_new_session=True).pid)
)");
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  std::string log = log_of(attempt);
  EXPECT_THAT(log, HasSubstr("a process the script left behind was ended"));
  EXPECT_NE(::kill(std::stoi(log.substr(4)), 0), 0);
}

TEST_F(WorkerTest, ScriptThatRemovesItsOwnOutputDirectoryFails) {
  auto attempt = reduce("import os\ndef main(input_file, output_dir):\n    os.rmdir(output_dir)\n");
  EXPECT_EQ(attempt.getKind(), FailureKind::OUTPUT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("cannot be opened"));
  EXPECT_FALSE(fs::exists(output));
}

TEST_F(WorkerTest, LinksInTheOutputAreNotedAndNotFollowed) {
  auto attempt = reduce("import os\ndef main(input_file, output_dir):\n    os.symlink('/etc/passwd', output_dir + 'link')\n");
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(attempt.getOutputs().getFiles(), 0u);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("link is a symbolic link"));
}

// ---- inputs and outputs that are not as they should be ----

TEST_F(WorkerTest, ChangedInputIsNotReduced) {
  uint64_t job = queue(kCopy);
  write(raw, "war bytes");
  auto attempt = work(job);
  EXPECT_EQ(attempt.getKind(), FailureKind::INPUT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("MAR28001.nxs: its bytes have changed"));
  EXPECT_FALSE(fs::exists(output));
}

TEST_F(WorkerTest, OutputDirectoryThatIsThereIsLeftAlone) {
  write(output / "old.txt", "old");
  auto attempt = reduce(kCopy);
  EXPECT_EQ(attempt.getKind(), FailureKind::OUTPUT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("already exists"));
  EXPECT_EQ(read(output / "old.txt"), "old");
  EXPECT_FALSE(fs::exists(output / "MAR28001.nxs"));
}

TEST_F(WorkerTest, OutputDirectoryThatAppearsMeanwhileIsLeftAlone) {
  ledger.before = [&](schema::Command::Reader command) {
    if (command.getBody().isSucceedAttempt()) write(output / "other.txt", "somebody else's");
  };
  auto attempt = reduce(kCopy);
  EXPECT_EQ(attempt.getOutcome(), Outcome::FAILED);
  EXPECT_EQ(attempt.getKind(), FailureKind::OUTPUT);
  EXPECT_EQ(ledger.count(Body::PUBLISH_JOB), 0u);
  EXPECT_EQ(read(output / "other.txt"), "somebody else's");
  EXPECT_EQ(read(output.string() + ".failed-attempt-1/MAR28001.nxs"), "raw bytes");
  expect_nothing_left();
}

TEST_F(WorkerTest, BlobThatIsNotWhatItSaysFailsTheAttempt) {
  uint64_t job = queue(kCopy);
  for (auto& [name, bytes] : ledger.blobs) bytes += "# tampered with";
  auto attempt = work(job);
  EXPECT_EQ(attempt.getKind(), FailureKind::WORKER);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("other bytes"));
}

// ---- whose job it is ----

TEST_F(WorkerTest, StaleResultPublishesNothing) {
  uint64_t job = queue(kCopy);
  ledger.before = [&](schema::Command::Reader command) {
    if (command.getBody().isSucceedAttempt()) ledger.attempt(job).setOutcome(Outcome::LOST);
  };
  work(job);
  EXPECT_EQ(ledger.count(Body::SUCCEED_ATTEMPT), 1u);
  EXPECT_EQ(ledger.count(Body::PUBLISH_JOB), 0u);
  EXPECT_EQ(around_output(), std::vector<std::string>{});
  expect_nothing_left();
}

TEST_F(WorkerTest, StaleFailureLeavesNothingBehind) {
  uint64_t job = queue("def main(input_file, output_dir):\n    open(output_dir + 'half', 'w')\n    raise ValueError\n");
  ledger.before = [&](schema::Command::Reader command) {
    if (command.getBody().isFailAttempt()) ledger.attempt(job).setOutcome(Outcome::LOST);
  };
  work(job);
  EXPECT_EQ(around_output(), std::vector<std::string>{});
}

TEST_F(WorkerTest, ScriptOfAJobThatWasTakenAwayIsEnded) {
  lease_ms = 30;
  fs::path started = folder / "started";
  uint64_t job =
      queue("import time\ndef main(input_file, output_dir):\n    open('" + started.string() + "', 'w')\n    time.sleep(1000)\n");
  auto worker = make_worker();
  auto running = worker->run().eagerlyEvaluate(nullptr);
  while (!fs::exists(started)) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
  ledger.take_away(job);
  // The slot is free again only when the script is gone and its folders are removed.
  ledger.environments.clear();
  while (ledger.environments.empty()) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::LOST);  // its log is handed in, its result counts for nothing
  EXPECT_EQ(ledger.count(Body::SUCCEED_ATTEMPT), 0u);
  expect_nothing_left();
  loop.wait(worker->drain());
}

class WorkerEventTest : public WorkerTest {
 protected:
  WorkerEventTest() { lease_ms = 86'400'000; }  // no sign of life falls due
  ~WorkerEventTest() noexcept override {}
  /// A script that ends when there is a file `gate` runs when this returns.
  uint64_t start_endless(daemons::Worker& worker) {
    fs::path started = folder / "started";
    job = queue("import os, time\ndef main(input_file, output_dir):\n    open('" + started.string() +
                         "', 'w')\n    while not os.path.exists('" + (folder / "gate").string() + "'): time.sleep(0.001)\n");
    running = worker.run().eagerlyEvaluate(nullptr);
    while (!fs::exists(started)) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
    ledger.environments.clear();
    return job;
  }
  /// The slot asks for a job again only when the script is gone and its folders are removed.
  void expect_ended_and_free() {
    while (ledger.environments.empty()) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
    EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::LOST);  // its log is handed in, its result counts for nothing
    EXPECT_EQ(ledger.count(Body::SUCCEED_ATTEMPT), 0u);
    expect_nothing_left();
  }
  kj::Promise<void> running = nullptr;
  uint64_t job = 0;
};

TEST_F(WorkerEventTest, CancelledScriptIsEndedAtOnce) {
  // Symptom: a cancelled script ran on until the worker's next sign of life, a third of the lease.
  auto worker = make_worker();
  ledger.cancel(start_endless(*worker));
  expect_ended_and_free();
  loop.wait(worker->drain());
}

TEST_F(WorkerEventTest, ScriptOfALostAttemptIsEndedAtOnce) {
  // Symptom: as for a cancelled one.
  auto worker = make_worker();
  ledger.lose(start_endless(*worker));
  expect_ended_and_free();
  loop.wait(worker->drain());
}

TEST_F(WorkerEventTest, EventsOfOtherJobsEndNothing) {
  slots = 2;  // the second one asks for jobs, and offers each interpreter it hears of
  auto worker = make_worker();
  start_endless(*worker);
  uint64_t other = ledger.started_elsewhere();
  ledger.lose(other);
  ledger.configure("/no/such/python");
  // By the end of this the earlier events have been handled.
  while (!ledger.environments.contains("/no/such/python")) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
  write(folder / "gate", "");
  loop.wait(ledger.when_settled(job));
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::SUCCEEDED);
  loop.wait(worker->drain());
}

TEST_F(WorkerEventTest, WatchThatEndsIsNoticed) {
  // Symptom: a worker whose subscription the ledger had dropped heard of no new interpreter any more, and said nothing.
  auto worker = make_worker();
  running = worker->run();
  loop.wait(ledger.when([&] { return !ledger.detail.empty(); }));
  ledger.end_watch();
  try {
    loop.wait(kj::mv(running));
    FAIL() << "it goes on deaf";
  } catch (const kj::Exception& why) {
    EXPECT_EQ(why.getType(), kj::Exception::Type::DISCONNECTED);
    EXPECT_THAT(why.getDescription().cStr(), HasSubstr("the ledger ended the watch of its events"));
  }
}

TEST_F(WorkerEventTest, StatusFollowsTheSlotsAtOnce) {
  // Symptom: `status` called a worker idle for seconds after it had begun a job.
  auto worker = make_worker();
  start_endless(*worker);
  loop.wait(ledger.when([&] { return ledger.detail == "1 of 1 slot busy: MARI 28001 v1, attempt 1"; }));
  ledger.cancel(job);
  loop.wait(ledger.when([&] { return ledger.detail == "0 of 1 slot busy"; }));
  loop.wait(worker->drain());
}

TEST_F(WorkerTest, SecondWorkerOfOneNameIsRefusedItsScratch) {
  // Symptom: two workers started under one name emptied each other's scratch folder.
  auto first = make_worker();
  auto running = first->run().eagerlyEvaluate(nullptr);
  loop.wait(ledger.when([&] { return ledger.count(Body::JOIN_WORKER) == 1; }));
  auto second = make_worker();
  try {
    loop.wait(second->run());
    FAIL() << "both work";
  } catch (const kj::Exception& why) {
    EXPECT_THAT(why.getDescription().cStr(), HasSubstr("scratch: another worker works here under the same name"));
  }
  EXPECT_EQ(ledger.count(Body::JOIN_WORKER), 1u) << "the first keeps its jobs";
  loop.wait(first->drain());
  first = nullptr;
  EXPECT_EQ(work(queue(kCopy)).getOutcome(), Outcome::SUCCEEDED) << "the name is free again";
}

TEST_F(WorkerTest, RefusedResultStillEndsTheAttempt) {
  uint64_t job = queue(kCopy);
  ledger.refuses = [](schema::Command::Reader command) {
    bool disliked = command.getBody().isSucceedAttempt() ||
                    (command.getBody().isFailAttempt() && command.getBody().getFailAttempt().getLog().size() > 0);
    return disliked ? base::Code::kInvalidArgument : base::Code::kOk;
  };
  auto attempt = work(job);
  EXPECT_EQ(attempt.getOutcome(), Outcome::FAILED);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("the test refuses it"));
}

TEST_F(WorkerTest, BusyLedgerIsAskedAgain) {
  uint64_t job = queue(kCopy);
  int tries = 0;
  ledger.refuses = [&](schema::Command::Reader command) {
    return command.getBody().isSucceedAttempt() && ++tries < 3 ? base::Code::kUnavailable : base::Code::kOk;
  };
  EXPECT_EQ(work(job).getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(tries, 3);
}

// ---- breaks and ends ----

class WorkerCrashTest : public WorkerTest {
 protected:
  /// Runs a worker until its connection breaks.
  void work_until_broken() {
    auto worker = make_worker();
    EXPECT_THROW(loop.wait(worker->run()), kj::Exception);
  }
  /// The next bearer of the name joins and leaves again.
  void join_anew(uint64_t job) {
    ledger.breaks_at = ledger.breaks_after = [](Body::Which) { return false; };
    auto worker = make_worker();
    auto running = worker->run().eagerlyEvaluate(nullptr);
    loop.wait(ledger.when_settled(job));
    loop.wait(worker->drain());
  }
};

TEST_F(WorkerCrashTest, AcceptedButNotRenamedIsPublishedByTheNextWorker) {
  uint64_t job = queue(kCopy);
  ledger.breaks_after = [](Body::Which kind) { return kind == Body::SUCCEED_ATTEMPT; };
  work_until_broken();
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::PUBLISHING);
  EXPECT_FALSE(fs::exists(output));
  join_anew(job);
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(read(output / "MAR28001.nxs"), "raw bytes");
  EXPECT_EQ(ledger.attempt_count(job), 1u);
  expect_nothing_left();
}

TEST_F(WorkerCrashTest, RenamedButNotReportedIsReportedByTheNextWorker) {
  uint64_t job = queue(kCopy);
  ledger.breaks_at = [](Body::Which kind) { return kind == Body::PUBLISH_JOB; };
  work_until_broken();
  EXPECT_TRUE(fs::exists(output));
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::PUBLISHING);
  join_anew(job);
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::SUCCEEDED);
}

TEST_F(WorkerCrashTest, AcceptedOutputThatIsGoneFailsTheAttempt) {
  uint64_t job = queue(kCopy);
  ledger.breaks_after = [](Body::Which kind) { return kind == Body::SUCCEED_ATTEMPT; };
  work_until_broken();
  fs::remove_all(output.parent_path());
  join_anew(job);
  EXPECT_EQ(ledger.attempt(job).getKind(), FailureKind::OUTPUT);
}

TEST_F(WorkerCrashTest, AcceptedOutputIsPublishedByAWorkerOfAnotherName) {
  // Symptom: a run whose worker was killed while it published stayed running for ever when the next worker had another name.
  uint64_t job = queue(kCopy);
  ledger.breaks_after = [](Body::Which kind) { return kind == Body::SUCCEED_ATTEMPT; };
  work_until_broken();
  worker_name = "gamma";
  join_anew(job);
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(read(output / "MAR28001.nxs"), "raw bytes");
}

TEST_F(WorkerCrashTest, OutputLeftUnpublishedIsPublishedByWhoeverWorks) {
  // Symptom: only a worker that joined anew looked for publications left over.
  uint64_t job = queue(kCopy);
  ledger.breaks_after = [](Body::Which kind) { return kind == Body::SUCCEED_ATTEMPT; };
  work_until_broken();
  ledger.breaks_after = [](Body::Which) { return false; };
  ledger.attempt(job).setOutcome(Outcome::LOST);  // not to be seen by the worker that joins
  std::string staging = ledger.attempt(job).getStaging().cStr();
  worker_name = "gamma";
  lease_ms = 30;
  auto worker = make_worker();
  auto running = worker->run().eagerlyEvaluate(nullptr);
  loop.wait(ledger.when([&] { return !ledger.detail.empty(); }));
  EXPECT_TRUE(fs::exists(staging));
  ledger.attempt(job).setOutcome(Outcome::PUBLISHING);
  loop.wait(ledger.when_settled(job));
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(read(output / "MAR28001.nxs"), "raw bytes");
  loop.wait(worker->drain());
}

TEST_F(WorkerCrashTest, OutputThatWasMovedAsideIsNotTakenForWhatIsInItsPlace) {
  // Symptom: killed after another folder was found in the output's place, and before that was reported, the run ended as succeeded.
  uint64_t job = queue(kCopy);
  ledger.breaks_after = [](Body::Which kind) { return kind == Body::SUCCEED_ATTEMPT; };
  work_until_broken();
  write(output / "theirs.txt", "somebody else's");
  fs::rename(ledger.attempt(job).getStaging().cStr(), output.string() + ".failed-attempt-1");
  join_anew(job);
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::FAILED);
  EXPECT_EQ(ledger.attempt(job).getKind(), FailureKind::OUTPUT);
  EXPECT_EQ(std::string(ledger.attempt(job).getOutputs().getDirectory().cStr()), output.string() + ".failed-attempt-1");
}

TEST_F(WorkerTest, PublicationTheLedgerDidNotTakeIsTriedAgain) {
  // Symptom: one fault of the ledger at that moment, and the job stayed running until its worker was restarted.
  lease_ms = 30;
  int refused = 0;
  ledger.refuses = [&](schema::Command::Reader command) {
    return command.getBody().isPublishJob() && refused++ == 0 ? base::Code::kInternal : base::Code::kOk;
  };
  EXPECT_EQ(reduce(kCopy).getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(refused, 2);
}

TEST_F(WorkerTest, WorkersThatPublishOneAttemptDoNotDisturbEachOther) {
  // Symptom: the second found the hidden folder gone at its rename and failed an attempt whose output was in place.
  daemons::Reporter one(loop.timer(), port()), other(loop.timer(), port());
  for (int round = 0; round < 100; ++round) {
    uint64_t job = ledger.started_elsewhere();
    uint64_t fence = ledger.attempt(job).getFence();
    daemons::Publication publication{job, 1, fence, daemons::staging_path(output.string() + std::to_string(round), 1, fence),
                                     output.string() + std::to_string(round)};
    write(fs::path(publication.staging) / "one.txt", "1");
    auto both = kj::heapArrayBuilder<kj::Promise<void>>(2);
    both.add(daemons::publish(loop, ledger.session().runsRequest().send().getRuns(), one, publication));
    both.add(daemons::publish(loop, ledger.session().runsRequest().send().getRuns(), other, publication));
    loop.wait(kj::joinPromises(both.finish()));
    ASSERT_EQ(ledger.attempt(job).getOutcome(), Outcome::SUCCEEDED) << ledger.attempt(job).getMessage().cStr();
    ASSERT_EQ(ledger.count(Body::FAIL_ATTEMPT), 0u);
    ASSERT_EQ(read(fs::path(publication.final) / "one.txt"), "1");
  }
}

TEST_F(WorkerCrashTest, LeftoversOfALostAttemptAreRemoved) {
  uint64_t job = queue(kCopy);
  uint64_t fence = ledger.start(job, "alpha");
  std::string staging = daemons::staging_path(output.string(), 1, fence);
  write(fs::path(staging) / "half.txt", "half");
  write(folder / "scratch/100-1/work/junk", "junk");
  join_anew(job);
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::LOST);
  expect_nothing_left();
}

TEST_F(WorkerCrashTest, BrokenConnectionEndsTheScriptsBeforeRunRejects) {
  slots = 2;
  fs::path started = folder / "started";
  queue("import os, time\ndef main(input_file, output_dir):\n    open('" + started.string() +
        "', 'w').write(str(os.getpid()))\n    time.sleep(1000)\n");
  queue("import os, time\ndef main(input_file, output_dir):\n    while not os.path.exists('" + started.string() +
            "'): time.sleep(0.001)\n",
        [&](schema::JobQueued::Builder job) { job.setOutputDirectory((folder / "reduced/second").string()); });
  ledger.breaks_at = [](Body::Which kind) { return kind == Body::SUCCEED_ATTEMPT; };
  work_until_broken();
  int pid = std::stoi("0" + read(started));
  ASSERT_GT(pid, 0);
  EXPECT_NE(::kill(pid, 0), 0) << "the other job's script is still there";
}

TEST_F(WorkerTest, DrainingEndsTheScriptAndLeavesTheAttemptToBeRunAgain) {
  fs::path started = folder / "started";
  uint64_t job =
      queue("import time\ndef main(input_file, output_dir):\n    open('" + started.string() + "', 'w')\n    time.sleep(1000)\n");
  auto worker = make_worker();
  auto running = worker->run().eagerlyEvaluate(nullptr);
  while (!fs::exists(started)) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
  auto draining = worker->drain().eagerlyEvaluate(nullptr);
  loop.wait(kj::mv(running));
  EXPECT_EQ(ledger.count(Body::LEAVE_WORKER), 1u) << "run() was done before the worker had left";
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::LOST);
  EXPECT_EQ(ledger.count(Body::LEAVE_WORKER), 1u);
  EXPECT_EQ(ledger.count(Body::FAIL_ATTEMPT), 0u);
  expect_nothing_left();
}

TEST_F(WorkerTest, SlotsWorkAtOnce) {
  slots = 2;
  // Each script waits for the other's file: with one slot neither would end before its time limit.
  auto script = [&](const std::string& mine, const std::string& other) {
    std::string base = folder.path();
    return "import os, time\ndef main(input_file, output_dir):\n    open('" + base + "/" + mine +
           "', 'w')\n    while not os.path.exists('" + base + "/" + other + "'): time.sleep(0.001)\n";
  };
  uint64_t first = queue(script("a", "b"));
  uint64_t second = queue(script("b", "a"),
                          [&](schema::JobQueued::Builder job) { job.setOutputDirectory((folder / "reduced/second").string()); });
  auto worker = make_worker();
  auto running = worker->run().eagerlyEvaluate(nullptr);
  loop.wait(ledger.when_settled(first));
  loop.wait(ledger.when_settled(second));
  EXPECT_EQ(ledger.attempt(first).getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(ledger.attempt(second).getOutcome(), Outcome::SUCCEEDED);
  loop.wait(worker->drain());
}

}  // namespace
