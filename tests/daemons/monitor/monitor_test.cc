#include "daemons/monitor/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/program.h"
#include "daemons/process/process.h"
#include "rpc/loop.h"
#include "tests/daemons/monitor/fake_ledger.h"
#include "tests/daemons/monitor/loop_waiter.h"
#include "tests/support/temporary_folder.h"

namespace daemons {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

/// A monitor, a ledger and an archive; raw files are text that says what they are (fake_reader.cc).
class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() {
    settings_.reader.program = FAKE_READER;
    settings_.completeness.settle_ns = 20'000'000;
    settings_.completeness.give_up_after_ns = 300'000'000;
    settings_.completeness.first_backoff_ns = 10'000'000;
    settings_.submitter.first_backoff_ms = 10;
    settings_.alive_ms = 20;
    settings_.last_run_ms = 10;
    ledger_.changed = [this] { waiter_.happened(); };
    fs::create_directories(archive());
  }
  ~MonitorTest() noexcept override {}
  void TearDown() override { stop(); }

  std::string archive() const { return folder_ / "mari"; }
  tests::FakeInstrument mari() const { return {.name = "MARI", .folders = {archive()}}; }

  void start() {
    monitor_ = std::make_unique<Monitor>(loop_, ledger_.session(), settings_, *launcher_, base::system_clock());
    running_ = monitor_->run().eagerlyEvaluate([this](kj::Exception&& exception) {
      broken_ = exception.getDescription().cStr();
      waiter_.happened();
    });
  }
  void stop() {
    running_ = nullptr;
    monitor_ = nullptr;
  }
  /// Monitors MARI, and is watching when this returns.
  void start_watching() {
    ledger_.configure(mari());
    start();
    write("ready0.nxs", "run 999999");
    until_told(1);
    ledger_.told.clear();
  }

  void write(const std::string& name, const std::string& text) { folder_.write("mari/" + name, text); }
  void until_told(size_t count) {
    waiter_.until([this, count] { return ledger_.told.size() >= count; });
  }
  /// Everything that was written before this has been dealt with when it returns.
  void let_pass() {
    size_t before = ledger_.told.size();
    static int marks = 0;
    uint64_t number = 800'000 + static_cast<uint64_t>(++marks);
    write("mark" + std::to_string(number) + ".nxs", "run " + std::to_string(number));
    waiter_.until([&] { return std::any_of(ledger_.told.begin(), ledger_.told.end(), [&](auto& said) { return said.run_number == number; }); });
    std::erase_if(ledger_.told, [&](auto& said) { return said.run_number == number; });
    EXPECT_GE(ledger_.told.size(), before);
  }
  std::vector<uint64_t> numbers(const std::vector<tests::Told>& told) const {
    std::vector<uint64_t> list;
    for (auto& said : told) list.push_back(said.run_number);
    return list;
  }

  support::TemporaryFolder folder_;
  rpc::Loop loop_;
  tests::LoopWaiter waiter_{loop_};
  tests::FakeLedger ledger_;
  MonitorSettings settings_;
  std::unique_ptr<ProcessLauncher> launcher_ = make_process_launcher(loop_);
  std::unique_ptr<Monitor> monitor_;
  kj::Maybe<kj::Promise<void>> running_;
  std::string broken_;
};

TEST_F(MonitorTest, CopiedFileIsDetectedOnce) {
  start_watching();
  write("MARI28001.nxs", "run 28001 MARI");
  until_told(1);
  let_pass();
  ASSERT_EQ(ledger_.told.size(), 1u);
  const auto& said = ledger_.told[0];
  EXPECT_EQ(said.instrument, "MARI");
  EXPECT_EQ(said.run_number, 28001u);
  EXPECT_EQ(said.path, archive() + "/MARI28001.nxs");
  EXPECT_EQ(said.size_bytes, 14u);
  EXPECT_EQ(said.source, "inotify");
  EXPECT_THAT(said.problems, ElementsAre());
}

TEST_F(MonitorTest, FileRenamedIntoPlaceIsDetectedOnce) {
  start_watching();
  write(".MARI28001.nxs.Xy12aB", "run 28001");
  fs::rename(archive() + "/.MARI28001.nxs.Xy12aB", archive() + "/MARI28001.nxs");
  until_told(1);
  let_pass();
  EXPECT_THAT(numbers(ledger_.told), ElementsAre(28001));
}

TEST_F(MonitorTest, RewrittenFileIsToldAgainAndTouchedOneIsNot) {
  start_watching();
  write("MARI28001.nxs", "run 28001 MARI");
  until_told(1);
  fs::last_write_time(archive() + "/MARI28001.nxs", fs::file_time_type::clock::now() - std::chrono::hours(1));
  write("MARI28002.nxs", "run 28002");
  until_told(2);
  EXPECT_THAT(numbers(ledger_.told), ElementsAre(28001, 28002));
  write("MARI28001.nxs", "run 28001 MARI, with other bytes");
  until_told(3);
  EXPECT_EQ(ledger_.told[2].run_number, 28001u);
  EXPECT_EQ(ledger_.told[2].size_bytes, 32u);
}

TEST_F(MonitorTest, OldBytesPutBackAreAChangeToo) {
  start_watching();
  std::string path = archive() + "/MARI28001.nxs";
  write("MARI28001.nxs", "run 28001 A");
  auto time = fs::last_write_time(path);
  until_told(1);
  write("MARI28001.nxs", "run 28001 BB");
  until_told(2);
  folder_.write("copy", "run 28001 A");
  fs::last_write_time(folder_ / "copy", time);
  fs::rename(folder_ / "copy", path);
  until_told(3);
  EXPECT_EQ(ledger_.told[2].size_bytes, 11u);
}

TEST_F(MonitorTest, BadFilesAreRefusedWithTheReasonAndOthersGoOn) {
  start_watching();
  write("MARI1.nxs", "refused");
  write("MARI2.nxs", "notyet");
  write("MARI3.nxs", "crash");
  write("calibration.nxs", "run");
  write("MARI4.nxs", "run 4");
  until_told(5);
  std::map<std::string, std::string> codes;
  for (auto& said : ledger_.refused()) codes[fs::path(said.path).filename()] = said.code;
  EXPECT_EQ(codes, (std::map<std::string, std::string>{
                       {"MARI1.nxs", "not_hdf5"}, {"MARI2.nxs", "truncated"}, {"MARI3.nxs", "reader_failed"}, {"calibration.nxs", "no_run_number"}}));
  EXPECT_THAT(numbers(ledger_.detected()), ElementsAre(4));
  for (auto& said : ledger_.refused()) EXPECT_THAT(said.text, HasSubstr(fs::path(said.path).filename().string()));
  auto waited = std::find_if(ledger_.told.begin(), ledger_.told.end(), [](auto& said) { return said.code == "truncated"; });
  EXPECT_THAT(waited->text, HasSubstr("unchanged at 6 bytes"));
  EXPECT_EQ(waited->run_number, 2u);
}

TEST_F(MonitorTest, RefusedFileIsDetectedWhenItIsCompleted) {
  start_watching();
  write("MARI28001.nxs", "notyet");
  until_told(1);
  EXPECT_TRUE(ledger_.told[0].refused);
  write("MARI28001.nxs", "run 28001");
  until_told(2);
  EXPECT_FALSE(ledger_.told[1].refused);
}

TEST_F(MonitorTest, SlowCopyIsOneRunOnItsFinalBytes) {
  settings_.completeness.give_up_after_ns = 3'600'000'000'000;
  start_watching();
  {
    std::ofstream slow(archive() + "/MARI28001.nxs");
    slow << "notyet" << std::flush;
    waiter_.pass(50);
    slow << " more" << std::flush;
    waiter_.pass(50);
    slow.seekp(0);
    slow << "run 28001  " << std::flush;
  }
  until_told(1);
  let_pass();
  EXPECT_THAT(numbers(ledger_.detected()), ElementsAre(28001));
  EXPECT_THAT(ledger_.refused(), ElementsAre());
}

TEST_F(MonitorTest, DisagreementsAreProblems) {
  start_watching();
  write("MARI103225.nxs", "run 103226 CRISP");
  until_told(1);
  EXPECT_EQ(ledger_.told[0].run_number, 103225u);
  EXPECT_THAT(ledger_.told[0].problems, UnorderedElementsAre("the file says run 103226, its name says 103225",
                                                             "the file says instrument CRISP, it lies in a raw folder of MARI"));
  write("MARI7.nxs", "run 0x12;rm");
  until_told(2);
  EXPECT_THAT(ledger_.told[1].problems, ElementsAre(HasSubstr("\"0x12;rm\", which is none")));
}

TEST_F(MonitorTest, NumberInsideServesWhereTheNameHasNone) {
  start_watching();
  write("latest.nxs", "run 42");
  until_told(1);
  EXPECT_EQ(ledger_.told[0].run_number, 42u);
  EXPECT_THAT(ledger_.told[0].problems, ElementsAre());
  write("dark.nxs", "run 9007199254740992");
  until_told(2);
  EXPECT_EQ(ledger_.told[1].code, "no_run_number");
}

TEST_F(MonitorTest, RestartFindsWhatWasMissedInOrderAndNothingElse) {
  start_watching();
  for (int number : {11, 12, 13}) write("MARI" + std::to_string(number) + ".nxs", "run");
  until_told(3);
  stop();
  ledger_.told.clear();
  size_t before = ledger_.commands;

  for (int number : {12, 23, 21, 25, 22, 24}) {
    std::string name = "MARI" + std::to_string(number) + ".nxs";
    write(name, "run     ");
    // Of an hour ago, so that none has to settle first.
    fs::last_write_time(archive() + "/" + name, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  settings_.reader.children = 1;
  start();
  until_told(6);
  let_pass();
  EXPECT_THAT(numbers(ledger_.told), ElementsAre(12, 21, 22, 23, 24, 25));
  EXPECT_EQ(ledger_.told[1].source, "scan");
  EXPECT_EQ(ledger_.commands, before + 7) << "the ledger is not told again what it has";
}

TEST_F(MonitorTest, BusyLedgerIsAskedAgain) {
  start_watching();
  ledger_.busy_answers = 5;
  for (int number = 1; number <= 5; ++number) write("MARI" + std::to_string(number) + ".nxs", "run");
  until_told(5);
  let_pass();
  EXPECT_THAT(numbers(ledger_.detected()), UnorderedElementsAre(1, 2, 3, 4, 5));
}

TEST_F(MonitorTest, CommandTheLedgerCannotTakeHoldsUpNoOther) {
  start_watching();
  ledger_.poison = {3};
  ledger_.unwanted = {4};
  for (int number = 1; number <= 6; ++number) write("MARI" + std::to_string(number) + ".nxs", "run");
  until_told(4);
  let_pass();
  EXPECT_THAT(numbers(ledger_.detected()), UnorderedElementsAre(1, 2, 5, 6));
  EXPECT_EQ(broken_, "");
  ledger_.poison.clear();
  write("MARI3.nxs", "run and more");
  until_told(5);
  EXPECT_EQ(ledger_.told[4].run_number, 3u);
}

TEST_F(MonitorTest, BrokenConnectionEndsRunAndTheNextMonitorGoesOn) {
  start_watching();
  ledger_.gone = true;
  write("MARI28001.nxs", "run");
  waiter_.until([this] { return !broken_.empty(); });
  EXPECT_THAT(broken_, HasSubstr("gone away"));
  stop();
  ledger_.gone = false;
  start();
  until_told(1);
  EXPECT_THAT(numbers(ledger_.told), ElementsAre(28001));
}

TEST_F(MonitorTest, InstrumentsComeAndChangeWhileItRuns) {
  start_watching();
  fs::create_directories(folder_ / "let");
  folder_.write("let/LET5.nxs", "run");
  ledger_.configure({.name = "LET", .folders = {folder_ / "let"}});
  until_told(1);
  EXPECT_EQ(ledger_.told[0].instrument, "LET");
  folder_.write("let/LET6.raw", "run");
  ledger_.configure({.name = "LET", .folders = {folder_ / "let"}, .patterns = {"*.raw"}});
  until_told(2);
  EXPECT_EQ(ledger_.told[1].run_number, 6u);
  write("MARI1.nxs", "run");
  until_told(3);
}

TEST_F(MonitorTest, EventsAfterItsEndDoNoHarm) {
  start_watching();
  stop();
  ledger_.configure({.name = "LET", .folders = {folder_ / "let"}});
  waiter_.pass(5);
}

TEST_F(MonitorTest, MissingFolderIsToldAndHoldsUpNoOther) {
  ledger_.configure({.name = "LET", .folders = {folder_ / "nosuch"}});
  start_watching();
  waiter_.until([this] { return ledger_.detail.find("LET: ") != std::string::npos; });
  EXPECT_THAT(ledger_.detail, HasSubstr("2 instruments, 1 folder"));
  EXPECT_THAT(ledger_.detail, HasSubstr("nosuch: missing"));
}

TEST_F(MonitorTest, LastRunHoldsARunBackUntilItHasEnded) {
  settings_.completeness.give_up_after_ns = 3'600'000'000'000;
  folder_.write("mari/lastrun.txt", "MARI 28000 0");
  write("MARI27999.nxs", "run");
  auto instrument = mari();
  instrument.detect = "lastrun";
  ledger_.configure(instrument);
  start();
  until_told(1);
  write("MARI28001.nxs", "run");
  write("MARI27000.nxs", "run");
  until_told(2);
  waiter_.pass(100);
  EXPECT_THAT(numbers(ledger_.told), ElementsAre(27999, 27000));
  folder_.write("mari/lastrun.txt", "MARI 28001");
  waiter_.pass(50);
  EXPECT_EQ(ledger_.told.size(), 2u) << "half written";
  folder_.write("mari/lastrun.txt", "MARI 28003 0");
  until_told(3);
  EXPECT_EQ(ledger_.told[2].run_number, 28001u);
  EXPECT_EQ(ledger_.told[2].source, "lastrun");
}

TEST_F(MonitorTest, NameThatIsNotUtf8IsRecordedVisiblyAndKnownAgain) {
  start_watching();
  write("M\xE4RI28001.nxs", "run");
  until_told(1);
  EXPECT_EQ(ledger_.told[0].path, archive() + "/M\\xe4RI28001.nxs");
  EXPECT_EQ(ledger_.told[0].run_number, 28001u);
  stop();
  size_t before = ledger_.commands;
  start();
  let_pass();
  EXPECT_EQ(ledger_.commands, before + 1);
}

TEST_F(MonitorTest, FilesInTroubleDelayNoOther) {
  settings_.completeness.give_up_after_ns = 3'600'000'000'000;
  start_watching();
  for (int number = 1; number <= 50; ++number) write("MARI" + std::to_string(number) + ".nxs", "notyet");
  for (int number = 101; number <= 120; ++number) write("MARI" + std::to_string(number) + ".nxs", "run");
  until_told(20);
  EXPECT_EQ(ledger_.refused().size(), 0u);
}

TEST_F(MonitorTest, ManyFilesAtOnceAreEachDetectedOnce) {
  start_watching();
  for (int number = 1; number <= 1000; ++number) write("MARI" + std::to_string(number) + ".nxs", "run");
  until_told(1000);
  let_pass();
  auto list = numbers(ledger_.detected());
  std::set<uint64_t> different(list.begin(), list.end());
  EXPECT_EQ(list.size(), 1000u);
  EXPECT_EQ(different.size(), 1000u);
  EXPECT_LE(ledger_.most_in_a_call, 64u);
}

TEST_F(MonitorTest, RetiredInstrumentIsNotWatchedUntilItComesBack) {
  // Symptom: an instrument taken out of the site file went on being watched, and its runs being reduced.
  ledger_.configure({.name = "LET", .folders = {folder_ / "let"}});
  fs::create_directories(folder_ / "let");
  start_watching();
  ledger_.configure({.name = "LET", .folders = {folder_ / "let"}, .retired = true});
  waiter_.until([this] { return ledger_.detail.starts_with("1 instrument, 1 folder,"); });
  folder_.write("let/LET1.nxs", "run 1");
  let_pass();
  EXPECT_THAT(ledger_.told, ElementsAre());
  ledger_.configure({.name = "LET", .folders = {folder_ / "let"}});
  until_told(1);
  EXPECT_EQ(ledger_.told[0].instrument, "LET");
  EXPECT_EQ(ledger_.told[0].run_number, 1u) << "what came meanwhile is found";
}

TEST_F(MonitorTest, WatchThatEndsIsNoticed) {
  // Symptom: a monitor whose subscription the ledger had dropped heard of no new instrument any more, and said nothing.
  start_watching();
  ledger_.end_watches();
  waiter_.until([this] { return !broken_.empty(); });
  EXPECT_THAT(broken_, HasSubstr("the ledger ended the watch of its events"));
}

TEST_F(MonitorTest, DenialIsTheReasonItEndsWith) {
  // Symptom: with a wrong credential the log showed the source's own condition, "expected answer.getRefusal().getCode() == ...".
  ledger_.denial = "alice is no daemon";
  start();
  waiter_.until([this] { return !broken_.empty(); });
  EXPECT_EQ(broken_, "the ledger does not let monitord work: alice is no daemon");
}

TEST_F(MonitorTest, StatusFollowsTheFilesAtOnce) {
  // Symptom: `status` showed "0 instruments, 0 folders" for seconds after a start.
  settings_.alive_ms = 86'400'000;
  settings_.completeness.give_up_after_ns = 86'400'000'000'000;
  start_watching();
  waiter_.until([this] { return ledger_.detail == "1 instrument, 1 folder, 0 files waiting"; });
  write("MARI28001.nxs", "notyet");
  waiter_.until([this] { return ledger_.detail == "1 instrument, 1 folder, 1 file waiting"; });
  fs::remove(archive() + "/MARI28001.nxs");
  waiter_.until([this] { return ledger_.detail == "1 instrument, 1 folder, 0 files waiting"; });
}

/// With the reader that goes to work, on real files from real facilities.
TEST_F(MonitorTest, RealFilesAreDetectedOrRefusedAsTheyAre) {
  fs::path data = SHARED_DATA;
  if (const char* elsewhere = std::getenv("RUNLEDGER_SHARED_DATA")) data = elsewhere;
  if (!fs::exists(data / "ISIS")) GTEST_SKIP() << "no real data files in " << data;
  settings_.reader.program = base::companion_program("runledger-read-raw");
  ASSERT_TRUE(fs::exists(settings_.reader.program)) << settings_.reader.program;
  ledger_.configure({.name = "ALL", .folders = {archive()}, .patterns = {"*.nxs", "*.raw", "*.h5", "*.hdf", "*.hdf5", "*.nx5"}});
  start();
  size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    std::string name = entry.path().filename();
    if (!entry.is_regular_file() || name == "README.md" || name == "facts.json") continue;
    fs::copy_file(entry.path(), archive() + "/" + name);
    ++count;
  }
  fs::create_symlink("/etc/hostname", archive() + "/LINK1.nxs");
  fs::create_symlink("CSP85423.nxs", archive() + "/LINK3.nxs");
  mkfifo((archive() + "/PIPE2.nxs").c_str(), 0600);
  until_told(count + 3);
  EXPECT_EQ(ledger_.told.size(), count + 3);
  std::map<std::string, std::string> outcomes;
  for (auto& said : ledger_.told) {
    outcomes[fs::path(said.path).filename()] = said.refused ? said.code : "run " + std::to_string(said.run_number);
  }
  EXPECT_EQ(outcomes["ENGINX00241391.nxs"], "run 241391");
  EXPECT_EQ(outcomes["HYSA_2678.nxs.h5"], "run 2678");
  EXPECT_EQ(outcomes["EQSANS_1466_event.nxs"], "run 1466");
  EXPECT_EQ(outcomes["IRIS00103225.nxs"], "run 103225");
  EXPECT_EQ(outcomes["Sample_Image_2021-03-16_095.hdf5"], "run 95");
  EXPECT_EQ(outcomes["argus0044309.nxs"], "hdf4");
  EXPECT_EQ(outcomes["INTER00007709.raw"], "isis_raw");
  EXPECT_EQ(outcomes["amor2025n006003.hdf"], "git_lfs_pointer");
  EXPECT_EQ(outcomes["LINK1.nxs"], "outside_archive");
  EXPECT_EQ(outcomes["PIPE2.nxs"], "not_regular");
  EXPECT_EQ(outcomes["LINK3.nxs"], "run 3") << "a link inside the archive is a name like any other";
  if (HasFailure()) {
    for (auto& [name, outcome] : outcomes) std::cerr << name << ": " << outcome << "\n";
  }
}

}  // namespace
}  // namespace daemons
