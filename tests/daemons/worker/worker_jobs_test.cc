// Whole attempts of jobs that are more than one raw file and one script: stages, trials, support files, copies, links, logs.
#include <gmock/gmock.h>

#include "daemons/worker/output_folder.h"
#include "tests/daemons/worker/worker_case.h"

namespace {

using schema::FailureKind;
using support::FakeLedger;
using support::kCopy;
using testing::ElementsAre;
using testing::HasSubstr;
using Body = schema::Command::Body;
using Outcome = schema::AttemptRow::Outcome;
namespace fs = std::filesystem;

class WorkerJobsTest : public support::WorkerCase {
 protected:
  ledger::Row<schema::OutputManifest> manifest_of(schema::AttemptRow::Reader attempt) {
    return ledger::Row<schema::OutputManifest>(ledger.blob(attempt.getOutputs().getManifest()));
  }
  std::vector<std::string> files_of(schema::AttemptRow::Reader attempt) {
    auto manifest = manifest_of(attempt);
    std::vector<std::string> paths;
    for (auto file : manifest.get().getFiles()) paths.emplace_back(ledger::view(file.getPath()));
    return paths;
  }
  std::vector<std::string> remarks_of(schema::AttemptRow::Reader attempt) {
    auto manifest = manifest_of(attempt);
    std::vector<std::string> remarks;
    for (auto remark : manifest.get().getRemarks()) remarks.emplace_back(ledger::view(remark));
    return remarks;
  }
  template <typename Document, typename Fill>
  std::string store(Fill fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Document>());
    return ledger.store(ledger::canonical_bytes(message.getRoot<Document>().asReader()));
  }
  /// An output of another job: writes the files and stores their manifest.
  std::string result(const fs::path& directory, const std::vector<std::string>& names) {
    for (const std::string& name : names) write(directory / name, name);
    return store<schema::OutputManifest>([&](schema::OutputManifest::Builder manifest) {
      auto files = manifest.initFiles(names.size());
      for (size_t i = 0; i < names.size(); ++i) {
        files[i].setPath(names[i]);
        files[i].setSizeBytes(names[i].size());
        files[i].setSha256(ledger::data(base::as_bytes(base::sha256(names[i]))));
      }
    });
  }
  uint64_t queue_stage(const std::string& script, const std::vector<std::string>& patterns) {
    std::string first = result(folder / "28001/v1", {"a.nxspe", "a.txt", "reduction_log/x.log"});
    std::string second = result(folder / "28002/v3", {"b.nxspe"});
    std::string sources = store<schema::JobSources>([&](schema::JobSources::Builder document) {
      auto list = document.initSources(2);
      for (size_t i = 0; i < 2; ++i) {
        list[i].getRun().setInstrument("MARI");
        list[i].getRun().setRunNumber(28001 + i);
        list[i].setStage("reduction");
        list[i].setVersion(i == 0 ? 1 : 3);
        list[i].setManifest(ledger::data(i == 0 ? first : second));
        list[i].setDirectory((folder / (i == 0 ? "28001/v1" : "28002/v3")).string());
      }
    });
    return queue(script, [&](schema::JobQueued::Builder job) {
      job.setKind(schema::JobKind::STAGE);
      job.setStage("plots");
      auto runs = job.initRuns(2);
      for (unsigned i = 0; i < 2; ++i) {
        runs[i].setInstrument("MARI");
        runs[i].setRunNumber(28001 + i);
      }
      job.setSources(ledger::data(sources));
      auto list = job.initInputPatterns(patterns.size());
      for (size_t i = 0; i < patterns.size(); ++i) list.set(i, patterns[i]);
    });
  }
  static void make_sns(schema::JobQueued::Builder job) { job.setContract(schema::Contract::SNS); }
};

// ---- captured scripts ----

TEST_F(WorkerJobsTest, PackageIsImportedAsCapturedAndNeighboursAreSeen) {
  write(folder / "scripts/pkg/__init__.py", "raise RuntimeError('the one on the share')\n");
  write(folder / "scripts/table.csv", "1,2\n");
  uint64_t job = queue("import os\nfrom pkg.inner import word\ndef main(input_file, output_dir):\n    print(word)\n",
                       [&](schema::JobQueued::Builder queued) {
                         auto siblings = queued.initSiblings(2);
                         siblings[0].setName("pkg/__init__.py");
                         siblings[0].setSha256(ledger::data(ledger.store("# captured\n")));
                         siblings[1].setName("pkg/inner.py");
                         siblings[1].setSha256(ledger::data(ledger.store("word = 'captured'\n")));
                       });
  EXPECT_EQ(log_of(work(job)), "captured\n");
}

// ---- inputs ----

TEST_F(WorkerJobsTest, SeveralRawFilesAreAList) {
  uint64_t job = queue("def main(input_file, output_dir):\n    print([f[-12:] for f in input_file])\n", [&](schema::JobQueued::Builder queued) {
    auto former = queued.getInputs()[0];
    std::string path = former.getPath().cStr();
    std::string sha256(ledger::view(former.asReader().getSha256()));
    auto size = former.getSizeBytes();
    write(folder / "archive/MAR28002.nxs", "raw bytes");
    auto inputs = queued.initInputs(2);
    for (unsigned i = 0; i < 2; ++i) {
      inputs[i].setPath(i == 0 ? path : (folder / "archive/MAR28002.nxs").string());
      inputs[i].setSizeBytes(size);
      inputs[i].setSha256(ledger::data(sha256));
    }
  });
  EXPECT_EQ(log_of(work(job)), "['MAR28001.nxs', 'MAR28002.nxs']\n");
}

TEST_F(WorkerJobsTest, StageTakesTheFilesOfItsSources) {
  auto attempt = work(queue_stage("def main(input_file, output_dir):\n    print(*[open(f).read() for f in input_file])\n", {"*.nxspe"}));
  EXPECT_EQ(log_of(attempt), "a.nxspe b.nxspe\n");
  EXPECT_THAT(remarks_of(attempt), ElementsAre());
  EXPECT_THAT(files_of(attempt), ElementsAre("reduction_log/RB_unknown_Run_28001-28002_Script.out"));
}

TEST_F(WorkerJobsTest, SourceThatGivesNothingIsARemark) {
  auto attempt = work(queue_stage("def main(input_file, output_dir):\n    print(input_file[-5:])\n", {"*.txt"}));
  EXPECT_EQ(log_of(attempt), "a.txt\n");
  EXPECT_THAT(remarks_of(attempt), ElementsAre("MARI 28002 v3 has no file that is taken from it"));
}

TEST_F(WorkerJobsTest, StageWithoutAnyFileFailsItsInput) {
  auto attempt = work(queue_stage(kCopy, {"*.h5", "*.raw"}));
  EXPECT_EQ(attempt.getKind(), FailureKind::INPUT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("MARI 28001-28002 plots v1, attempt 1: 2 results have no file that fits *.h5 or *.raw"));
}

TEST_F(WorkerJobsTest, ResultThatWasChangedSinceIsNotTaken) {
  uint64_t job = queue_stage(kCopy, {});
  write(folder / "28002/v3/b.nxspe", "edited!");
  auto attempt = work(job);
  EXPECT_EQ(attempt.getKind(), FailureKind::INPUT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("28002/v3/b.nxspe: its bytes have changed"));
}

// ---- support files ----

class WorkerSupportTest : public WorkerJobsTest {
 protected:
  uint64_t queue_with_mask(bool kept) {
    write(folder / "masks/mask.xml", "as recorded");
    return queue("import reduce_vars as web_var\ndef main(input_file, output_dir):\n    path = web_var.standard_vars['mask']\n"
                 "    print(path.split('/')[-1], open(path).read())\n",
                 [&](schema::JobQueued::Builder job) {
                   auto sibling = job.initSiblings(1)[0];
                   sibling.setName("reduce_vars.py");
                   sibling.setSha256(ledger::data(ledger.store("standard_vars = {'mask': ''}\n")));
                   std::string path = (folder / "masks/mask.xml").string();
                   job.setVariables(ledger::data(store<schema::VariableSet>([&](schema::VariableSet::Builder set) {
                     auto variable = set.initVariables(1)[0];
                     variable.setName("mask");
                     variable.setValue("\"" + path + "\"");
                   })));
                   auto file = job.initSupportFiles(1)[0];
                   file.setName("mask");
                   file.setPath(path);
                   file.setSha256(ledger::data(kept ? ledger.store("as recorded") : std::string(base::as_bytes(base::sha256("as recorded")))));
                   file.setSizeBytes(11);
                   file.setKept(kept);
                 });
  }
};

TEST_F(WorkerSupportTest, ScriptGetsTheContentOnRecord) {
  uint64_t job = queue_with_mask(true);
  write(folder / "masks/mask.xml", "changed since, and of another size");
  EXPECT_EQ(log_of(work(job)), "mask.xml as recorded\n");
}

TEST_F(WorkerSupportTest, ShareThatIsAwayIsNotNeeded) {
  uint64_t job = queue_with_mask(true);
  fs::remove_all(folder / "masks");
  EXPECT_EQ(log_of(work(job)), "mask.xml as recorded\n");
}

TEST_F(WorkerSupportTest, FileThatIsNotKeptIsReadWhereItLies) {
  EXPECT_EQ(log_of(work(queue_with_mask(false))), "mask.xml as recorded\n");
}

TEST_F(WorkerSupportTest, FileThatIsNotKeptMustBeUnchanged) {
  uint64_t job = queue_with_mask(false);
  write(folder / "masks/mask.xml", "as changed!");
  auto attempt = work(job);
  EXPECT_EQ(attempt.getKind(), FailureKind::INPUT);
  EXPECT_THAT(attempt.getMessage().cStr(), HasSubstr("masks/mask.xml: its bytes have changed since it was recorded"));
}

// ---- what was printed ----

TEST_F(WorkerJobsTest, SnsScriptWritesInItsOutputAndItsStreamsAreFiles) {
  auto attempt = work(queue("import sys\nopen('div.txt', 'w').write('1')\nprint('out')\nsys.stderr.write('err\\n')\n", make_sns));
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_THAT(files_of(attempt), ElementsAre("div.txt", "reduction_log/MAR28001.nxs.err", "reduction_log/MAR28001.nxs.log"));
  EXPECT_EQ(read(output / "reduction_log/MAR28001.nxs.err"), "err\n");
  EXPECT_EQ(read(output / "reduction_log/MAR28001.nxs.log"), "out\n");
  EXPECT_EQ(attempt.getOutputs().getFiles(), 1u);
  EXPECT_EQ(attempt.getOutputs().getTotalBytes(), 1u);
}

TEST_F(WorkerJobsTest, SuccessThatWroteNothingHasNoFiles) {
  auto attempt = work(queue("print('nothing to do')\n", make_sns));
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(attempt.getOutputs().getFiles(), 0u);
  EXPECT_EQ(files_of(attempt).size(), 2u);
}

TEST_F(WorkerJobsTest, StandardErrorFailsAnAttemptWhereThatIsTheRule) {
  uint64_t job = queue("import sys\nopen('half.txt', 'w').write('1')\nsys.stderr.write('Error: no beam\\n')\n", [](schema::JobQueued::Builder queued) {
    make_sns(queued);
    queued.setStderrFails(true);
  });
  auto attempt = work(job);
  EXPECT_EQ(attempt.getOutcome(), Outcome::FAILED);
  EXPECT_EQ(attempt.getKind(), FailureKind::SCRIPT_EXIT);
  EXPECT_EQ(std::string(attempt.getMessage().cStr()), "no beam");
  EXPECT_THAT(log_of(attempt), HasSubstr("runledger: what was printed to standard error fails the attempt"));
  EXPECT_EQ(read(output.string() + ".failed-attempt-1/half.txt"), "1");
  EXPECT_EQ(attempt.getOutputs().getFiles(), 1u);
}

TEST_F(WorkerJobsTest, AllowedTextOnStandardErrorIsKeptInTheMessage) {
  uint64_t job = queue("import sys\nsys.stderr.write('Warning: old pixels\\n')\n", [](schema::JobQueued::Builder queued) {
    make_sns(queued);
    queued.setStderrFails(true);
    queued.initStderrAllowed(1).set(0, "^Warning: .* pixels");
  });
  auto attempt = work(job);
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(std::string(attempt.getMessage().cStr()), "Warning: old pixels");
}

// ---- what the runner says beside the outcome ----

class WorkerReportTest : public WorkerJobsTest {
 protected:
  /// A script that writes two files and, in place of the runner, a result with these fields.
  static std::string says(const std::string& fields, const std::string& outcome = "succeeded", bool writes = true) {
    std::string files = writes ? "    open(output_dir + 'a.nxs', 'w').write('result')\n    open(output_dir + 'b.txt', 'w').write('text')\n" : "";
    return "import os\ndef main(input_file, output_dir):\n" + files + "    open('../result.json', 'w').write('{\"outcome\": \"" + outcome +
           "\", " + fields + "}')\n    os._exit(0)\n";
  }
  static std::string list_of(const fs::path& directory) { return R"("extra_directories": [")" + directory.string() + R"("])"; }
  std::string touched(const std::string& name, const std::string& before) {
    return R"({"path": ")" + (folder / name).string() + R"(", "before": )" + before + "}";
  }
  fs::path extra = folder / "extra";
};

TEST_F(WorkerReportTest, ResultsOutsideFilesAndRemarksAreOnRecord) {
  write(folder / "shared.csv", "before");
  auto attempt = reduce(says(R"("declared": ["a.nxs", "c.nxs"], "remarks": ["odd"], "touched": [)" + touched("shared.csv", "[3, 7]") + ", " +
                             touched("never", "null") + "]"));
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  auto manifest = manifest_of(attempt);
  EXPECT_TRUE(manifest.get().getFiles()[0].getDeclared());
  EXPECT_FALSE(manifest.get().getFiles()[1].getDeclared());
  ASSERT_EQ(manifest.get().getOutside().size(), 1u);
  EXPECT_EQ(manifest.get().getOutside()[0].getWhat(), schema::OutsideFile::What::CHANGED);
  EXPECT_EQ(ledger::view(manifest.get().getOutside()[0].getSha256()), base::as_bytes(base::sha256("before")));
  EXPECT_THAT(remarks_of(attempt), ElementsAre("named as a result, but not made: c.nxs", "odd"));
  EXPECT_EQ(attempt.getOutputs().getOutside(), 1u);
  EXPECT_EQ(attempt.getOutputs().getRemarks(), 2u);
}

TEST_F(WorkerReportTest, FailureThatWroteOnlyElsewhereHasThatOnRecord) {
  write(folder / "shared.csv", "x");
  auto attempt = reduce(says(R"("message": "no", "touched": [)" + touched("shared.csv", "null") + "]", "failed", false));
  EXPECT_EQ(attempt.getOutcome(), Outcome::FAILED);
  EXPECT_EQ(attempt.getOutputs().getFiles(), 0u);
  EXPECT_EQ(attempt.getOutputs().getOutside(), 1u);
  EXPECT_EQ(around_output(), std::vector<std::string>{});
}

TEST_F(WorkerReportTest, DamagedReportDoesNotCostTheResult) {
  auto attempt = reduce(says(R"("declared": 7, "touched": "x", "extra_directories": [["/x"]], "remarks": {})"));
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(attempt.getOutputs().getFiles(), 2u);
  EXPECT_EQ(remarks_of(attempt).size(), 4u);
}

TEST_F(WorkerReportTest, CopyIsMadeAndSaid) {
  auto attempt = reduce(says(list_of(extra)));
  EXPECT_EQ(read(extra / "a.nxs"), "result");
  EXPECT_THAT(remarks_of(attempt), ElementsAre("the script named " + extra.string() + ": the output is copied there"));
  expect_nothing_left();
}

TEST_F(WorkerReportTest, CopyThatCannotBeMadeFailsNothing) {
  write(extra, "a file in the way");
  auto attempt = reduce(says(list_of(extra)));
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_THAT(remarks_of(attempt), ElementsAre(HasSubstr("the output is not copied there")));
}

TEST_F(WorkerReportTest, CopyOfAResultThatComesTooLateShowsNowhere) {
  uint64_t job = queue(says(list_of(extra)));
  ledger.before = [&](schema::Command::Reader command) {
    if (command.getBody().isSucceedAttempt()) ledger.attempt(job).setOutcome(Outcome::LOST);
  };
  work(job);
  EXPECT_TRUE(fs::is_empty(extra));
  expect_nothing_left();
}

TEST_F(WorkerReportTest, CopyOfARefusedResultShowsNowhere) {
  uint64_t job = queue(says(list_of(extra)));
  ledger.refuses = [](schema::Command::Reader command) {
    return command.getBody().isSucceedAttempt() ? base::Code::kInvalidArgument : base::Code::kOk;
  };
  EXPECT_EQ(work(job).getOutcome(), Outcome::FAILED);
  EXPECT_TRUE(fs::is_empty(extra));
  expect_nothing_left();
}

TEST_F(WorkerReportTest, CopyOfAnOutputWhosePlaceIsTakenShowsNowhere) {
  ledger.before = [&](schema::Command::Reader command) {
    if (command.getBody().isSucceedAttempt()) write(output / "other.txt", "somebody else's");
  };
  auto attempt = reduce(says(list_of(extra)));
  EXPECT_EQ(attempt.getKind(), FailureKind::OUTPUT);
  EXPECT_TRUE(fs::is_empty(extra));
  expect_nothing_left();
}

TEST_F(WorkerReportTest, CopyOfAnInterruptedPublicationIsFinishedByTheNextWorker) {
  uint64_t job = queue(says(list_of(extra)));
  ledger.breaks_after = [](Body::Which kind) { return kind == Body::SUCCEED_ATTEMPT; };
  {
    auto worker = make_worker();
    EXPECT_THROW(loop.wait(worker->run()), kj::Exception);
  }
  EXPECT_FALSE(fs::exists(extra / "a.nxs"));
  ledger.breaks_after = [](Body::Which) { return false; };
  worker_name = "gamma";
  auto worker = make_worker();
  auto running = worker->run().eagerlyEvaluate(nullptr);
  loop.wait(ledger.when_settled(job));
  loop.wait(worker->drain());
  EXPECT_EQ(daemons::names_below(extra).size(), 3u);
  expect_nothing_left();
}

// ---- trials, interpreters ----

TEST_F(WorkerJobsTest, TrialRunsInItsOwnFolder) {
  output = folder / "trials/4711";
  uint64_t job = queue(kCopy, [](schema::JobQueued::Builder queued) {
    queued.setKind(schema::JobKind::TRIAL);
    queued.setVersion(0);
  });
  EXPECT_EQ(work(job).getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(read(output / "MAR28001.nxs"), "raw bytes");
}

TEST_F(WorkerJobsTest, JobOfAnInterpreterThatIsNoInstrumentsOwnIsRun) {
  fs::path python = folder / "envs/sans/bin/python";
  fs::create_directories(python.parent_path());
  fs::create_symlink("/usr/bin/python3", python);
  uint64_t job = queue(kCopy, [&](schema::JobQueued::Builder queued) { queued.setInterpreter(python.string()); });
  EXPECT_EQ(work(job).getOutcome(), Outcome::SUCCEEDED) << "one that waited when the worker came";

  auto worker = make_worker();
  auto running = worker->run().eagerlyEvaluate(nullptr);
  loop.wait(ledger.when([&] { return !ledger.detail.empty(); }));
  fs::path other = folder / "envs/sans/bin/python-dev";
  fs::create_symlink("/usr/bin/python3", other);
  output = folder / "reduced/28001/run-version-2";
  job = queue(kCopy, [&](schema::JobQueued::Builder queued) { queued.setInterpreter(other.string()); });
  loop.wait(ledger.when_settled(job));
  EXPECT_EQ(ledger.attempt(job).getOutcome(), Outcome::SUCCEEDED) << "one that was queued later";
  loop.wait(worker->drain());
}

// ---- links ----

class WorkerLinksTest : public WorkerJobsTest {
 protected:
  schema::AttemptRow::Builder reduce_version(uint16_t version, const std::string& script,
                                             schema::JobKind kind = schema::JobKind::REDUCTION) {
    output = folder / "reduced/28001" / ("run-version-" + std::to_string(version));
    return work(queue(script, [&](schema::JobQueued::Builder job) {
      job.setVersion(version);
      job.setKind(kind);
      job.setFlatFolder(flat.string());
    }));
  }
  static std::string writes(const std::string& names) {
    return "def main(input_file, output_dir):\n    for name in '" + names +
           "'.split():\n        open(output_dir + name, 'w').write(output_dir)\n";
  }
  fs::path flat = folder / "flat";
};

TEST_F(WorkerLinksTest, FlatFolderFollowsTheNewestVersion) {
  reduce_version(1, writes("a.nxs old.txt"));
  EXPECT_EQ(fs::read_symlink(flat / "a.nxs"), folder / "reduced/28001/run-version-1/a.nxs");
  EXPECT_EQ(reduce_version(2, writes("a.nxs")).getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(fs::read_symlink(flat / "a.nxs"), folder / "reduced/28001/run-version-2/a.nxs");
  EXPECT_FALSE(fs::is_symlink(flat / "old.txt"));
}

TEST_F(WorkerLinksTest, StagesAndTrialsAreNotLinked) {
  reduce_version(1, writes("a.nxs"), schema::JobKind::STAGE);
  reduce_version(2, writes("a.nxs"), schema::JobKind::TRIAL);
  EXPECT_FALSE(fs::exists(flat));
}

TEST_F(WorkerLinksTest, FlatFolderThatCannotBeWrittenFailsNothing) {
  write(flat, "a file in the way");
  EXPECT_EQ(reduce_version(1, writes("a.nxs")).getOutcome(), Outcome::SUCCEEDED);
}

TEST_F(WorkerLinksTest, LinksOfAnInterruptedPublicationAreMadeByTheNextWorker) {
  uint64_t job = queue(writes("a.nxs"), [&](schema::JobQueued::Builder queued) { queued.setFlatFolder(flat.string()); });
  ledger.breaks_after = [](Body::Which kind) { return kind == Body::SUCCEED_ATTEMPT; };
  {
    auto worker = make_worker();
    EXPECT_THROW(loop.wait(worker->run()), kj::Exception);
  }
  EXPECT_FALSE(fs::exists(flat));
  ledger.breaks_after = [](Body::Which) { return false; };
  auto worker = make_worker();
  auto running = worker->run().eagerlyEvaluate(nullptr);
  loop.wait(ledger.when_settled(job));
  EXPECT_EQ(read(flat / "a.nxs").empty(), false);
  loop.wait(worker->drain());
}

}  // namespace
