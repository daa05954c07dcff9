// A worker with a ledger in memory, one raw file and one job: what tests of whole attempts begin with.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/program.h"
#include "daemons/worker/worker.h"
#include "tests/daemons/worker/fake_ledger.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace support {

namespace fs = std::filesystem;

class WorkerCase : public testing::Test {
 protected:
  WorkerCase() {
    spdlog::set_level(spdlog::level::off);
    write(raw, "raw bytes");
  }

  static void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  uint64_t queue(
      const std::string& script, const FakeLedger::Change& change = [](schema::JobQueued::Builder) {}) {
    return ledger.queue([&](schema::JobQueued::Builder job) {
      auto run = job.initRuns(1)[0];
      run.setInstrument("MARI");
      run.setRunNumber(28001);
      job.setVersion(1);
      job.setContract(schema::Contract::ISIS);
      job.setScriptPath((folder / "scripts/reduce.py").string());
      job.setScriptSha256(ledger::data(ledger.store(script)));
      struct stat info {};
      stat(raw.c_str(), &info);
      auto input = job.initInputs(1)[0];
      input.setPath(raw.string());
      input.setSizeBytes(static_cast<uint64_t>(info.st_size));
      input.setSha256(ledger::data(base::as_bytes(base::sha256(read(raw)))));
      input.setModifiedAt(int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec);
      job.setOutputDirectory(output.string());
      job.setInterpreter("/usr/bin/python3");
      job.setTimeLimitMs(60'000);
      change(job);
    });
  }

  std::unique_ptr<daemons::Worker> make_worker() {
    daemons::WorkerSettings settings;
    settings.name = worker_name;
    settings.host = "testhost";
    settings.scratch = folder / "scratch";
    settings.run_script = base::shared_file("run_script.py");
    settings.supervisor = base::companion_program("runledger-supervise");
    settings.slots = slots;
    settings.lease_ms = lease_ms;
    return std::make_unique<daemons::Worker>(loop, ledger.session(), settings, *launcher, clock);
  }
  /// Lets a worker work until the job's attempt has ended, and leave.
  schema::AttemptRow::Builder work(uint64_t job) {
    auto worker = make_worker();
    auto running = worker->run().eagerlyEvaluate(nullptr);
    loop.wait(ledger.when_settled(job));
    loop.wait(worker->drain());
    loop.wait(kj::mv(running));
    return ledger.attempt(job);
  }
  schema::AttemptRow::Builder reduce(const std::string& script) { return work(queue(script)); }
  schema::DaemonPort::Client port() { return ledger.session().daemonRequest().send().getPort(); }
  std::string log_of(schema::AttemptRow::Reader attempt) { return ledger.blob(attempt.getLog()); }
  std::string traceback_of(schema::AttemptRow::Reader attempt) { return ledger.blob(attempt.getTraceback()); }
  /// Everything in the folder the outputs go to.
  std::vector<std::string> around_output() {
    std::vector<std::string> names;
    if (!fs::exists(output.parent_path())) return names;
    for (const auto& entry : fs::directory_iterator(output.parent_path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  void expect_nothing_left() {
    for (const auto& entry : fs::directory_iterator(folder / "scratch")) EXPECT_EQ(entry.path().filename(), "runner");
    for (const std::string& name : around_output()) EXPECT_FALSE(name.starts_with(".")) << name;
  }

  support::TemporaryFolder folder;
  fs::path raw = folder / "archive/MAR28001.nxs";
  fs::path output = folder / "reduced/28001/run-version-1";
  std::string worker_name = "alpha";
  uint16_t slots = 1;
  uint64_t lease_ms = 30'000;
  support::FakeClock clock;
  rpc::Loop loop;
  std::unique_ptr<daemons::ProcessLauncher> launcher = daemons::make_process_launcher(loop);
  FakeLedger ledger;
};

inline constexpr const char* kCopy = R"(
import os, shutil
def main(input_file, output_dir):
    print("reducing", os.path.basename(input_file))
    shutil.copy(input_file, output_dir)
    os.mkdir(output_dir + "plots")
    open(output_dir + "plots/one.txt", "w").write("1")
    return "fine"
)";

}  // namespace support
