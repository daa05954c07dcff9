#include <gtest/gtest.h>

#include <csignal>

#include "daemons/monitor/raw_file_reader.h"
#include "daemons/process/process.h"
#include "rpc/loop.h"
#include "tests/support/temporary_folder.h"

namespace daemons {
namespace {

/// Real processes, and which they were.
class RecordingLauncher final : public ProcessLauncher {
 public:
  explicit RecordingLauncher(rpc::Loop& loop) : real_(make_process_launcher(loop)) {}
  base::Result<kj::Own<Process>> start(const ProcessRequest& request) override {
    auto started = real_->start(request);
    if (started.is_ok()) ids.push_back((*started)->id());
    return started;
  }
  std::vector<int> ids;

 private:
  std::unique_ptr<ProcessLauncher> real_;
};

class ReaderPoolTest : public ::testing::Test {
 protected:
  ReaderPoolSettings settings() const {
    ReaderPoolSettings settings;
    settings.program = FAKE_READER;
    return settings;
  }
  kj::Promise<kj::Own<capnp::MessageReader>> ask(RawFileReader& pool, const std::string& name) { return pool.read(folder_ / name, "", 0); }
  /// "run 5", or the code of what was said instead.
  std::string said(kj::Own<capnp::MessageReader> message) {
    auto outcome = message->getRoot<schema::RawFileReport>().getOutcome();
    if (outcome.isRun()) return "run " + std::to_string(outcome.getRun().getRunNumber().getValue());
    auto reason = outcome.isRefused() ? outcome.getRefused() : outcome.getNotYet();
    text_ = reason.getText().cStr();
    path_ = message->getRoot<schema::RawFileReport>().getFile().getPath().cStr();
    return reason.getCode().cStr();
  }
  std::string read(RawFileReader& pool, const std::string& name) { return said(loop_.wait(ask(pool, name))); }

  support::TemporaryFolder folder_;
  rpc::Loop loop_;
  RecordingLauncher launcher_{loop_};
  std::string text_, path_;
};

TEST_F(ReaderPoolTest, FilesAreReadOneAfterAnother) {
  auto pool = make_reader_pool(loop_, launcher_, settings());
  for (int number = 1; number <= 5; ++number) {
    folder_.write("a", "run " + std::to_string(number));
    EXPECT_EQ(read(*pool, "a"), "run " + std::to_string(number));
  }
  EXPECT_EQ(pool->trouble(), "");
}

TEST_F(ReaderPoolTest, MoreFilesThanChildrenAreAllRead) {
  auto pool = make_reader_pool(loop_, launcher_, settings());
  folder_.write("a", "run 7");
  std::vector<kj::Promise<kj::Own<capnp::MessageReader>>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(ask(*pool, "a"));
  for (auto& answer : answers) EXPECT_EQ(said(loop_.wait(kj::mv(answer))), "run 7");
}

TEST_F(ReaderPoolTest, FileThatCrashesItsReaderIsRefusedByNameAndOthersGoOn) {
  auto pool = make_reader_pool(loop_, launcher_, settings());
  folder_.write("bad.nxs", "crash");
  folder_.write("good.nxs", "run 7");
  auto bad = ask(*pool, "bad.nxs");
  EXPECT_EQ(read(*pool, "good.nxs"), "run 7");
  EXPECT_EQ(said(loop_.wait(kj::mv(bad))), "reader_failed");
  EXPECT_EQ(path_, folder_ / "bad.nxs");
  EXPECT_NE(text_.find("signal 6"), std::string::npos) << text_;
  EXPECT_EQ(read(*pool, "good.nxs"), "run 7");
}

TEST_F(ReaderPoolTest, ReaderThatEndsIsNamedWithItsStatus) {
  auto pool = make_reader_pool(loop_, launcher_, settings());
  folder_.write("bad.nxs", "exit");
  EXPECT_EQ(read(*pool, "bad.nxs"), "reader_failed");
  EXPECT_NE(text_.find("status 3"), std::string::npos) << text_;
}

TEST_F(ReaderPoolTest, OneCrashIsForgiven) {
  auto pool = make_reader_pool(loop_, launcher_, settings());
  folder_.write("a", "once " + (folder_ / "crashed").string());
  EXPECT_NE(read(*pool, "a"), "reader_failed");
}

TEST_F(ReaderPoolTest, FileThatTakesTooLongIsRefusedAndOthersGoOn) {
  ReaderPoolSettings impatient = settings();
  impatient.time_limit_ms = 1000;
  impatient.children = 1;
  auto pool = make_reader_pool(loop_, launcher_, impatient);
  folder_.write("bad.nxs", "hang");
  folder_.write("good.nxs", "run 7");
  EXPECT_EQ(read(*pool, "bad.nxs"), "reader_failed");
  EXPECT_NE(text_.find("longer than 1 s"), std::string::npos) << text_;
  EXPECT_EQ(read(*pool, "good.nxs"), "run 7");
}

TEST_F(ReaderPoolTest, ProgramThatDoesNotRunIsOurTroubleAndRefusesNoFile) {
  for (std::string program : {std::string(FAKE_READER), (folder_ / "nosuch").string()}) {
    ReaderPoolSettings broken = settings();
    broken.program = program;
    broken.arguments = {"--fail"};
    broken.first_restart_ms = 10;
    auto pool = make_reader_pool(loop_, launcher_, broken);
    folder_.write("a", "run 7");
    bool answered = false;
    auto answer = ask(*pool, "a").then([&](auto&&) { answered = true; }).eagerlyEvaluate(nullptr);
    while (pool->trouble().empty()) loop_.wait(loop_.timer().afterDelay(5 * kj::MILLISECONDS));
    EXPECT_FALSE(answered);
    EXPECT_NE(pool->trouble().find("does not start"), std::string::npos) << pool->trouble();
  }
}

TEST_F(ReaderPoolTest, DroppedWhileReadingItEndsItsChildren) {
  folder_.write("a", "hang");
  auto pool = make_reader_pool(loop_, launcher_, settings());
  auto answer = ask(*pool, "a").ignoreResult().eagerlyEvaluate([](kj::Exception&&) {});
  pool.reset();
  ASSERT_EQ(launcher_.ids.size(), 2u);
  for (int id : launcher_.ids) {
    while (kill(id, 0) == 0) loop_.wait(loop_.timer().afterDelay(1 * kj::MILLISECONDS));
  }
}

}  // namespace
}  // namespace daemons
