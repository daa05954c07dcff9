// What happens when the disk says no.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "tests/ledger/ledger_fixture.h"

namespace {

using support::note_of;
using testing::HasSubstr;
using State = ledger::Health::State;

/// A file system of a few MiB at `folder`, in a mount namespace of this process.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& folder) : folder_(folder) {
    const bool apart = ::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    mounted_ = apart && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=24m") == 0;
    if (!mounted_) why_ = std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::string& why_not() const { return why_; }

  void fill() {
    const int file = ::open((folder_ / "ballast").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const std::string block(4096, 'b');
    while (::write(file, block.data(), block.size()) > 0) {
    }
    ::close(file);
  }
  void make_room() { std::filesystem::remove(folder_ / "ballast"); }

 private:
  const std::filesystem::path folder_;
  bool mounted_ = false;
  std::string why_;
};

class P1StorageFaultTest : public support::LedgerFixture {};

TEST_F(P1StorageFaultTest, FullDiskStopsWritesKeepsReadsAndRecovers) {
  std::filesystem::create_directories(folder());
  SmallDisk disk(folder());
  if (!disk.mounted()) GTEST_SKIP() << "cannot mount a small file system here: " << disk.why_not();
  options_.storage_probe_ms = 5;
  must_open();
  std::map<std::string, uint64_t> answered;
  const std::string text(8000, 't');
  for (int cycle = 0; cycle < 5; ++cycle) {
    disk.fill();
    ledger::Answer answer;
    std::string id;
    for (int i = 0; i < 4000 && ledger_->health().state == State::kOk; ++i) {
      id = std::to_string(cycle) + "/" + std::to_string(i);
      answer = note(id, text, cycle);
      if (answer.status.is_ok()) answered[id] = answer.events.at(0);
    }
    ASSERT_EQ(ledger_->health().state, State::kStorageLow) << ledger_->health().detail;
    ASSERT_EQ(answer.status.code(), base::Code::kUnavailable);
    EXPECT_THAT(answer.status.message(), HasSubstr("space"));
    EXPECT_EQ(ledger_->head(), answered.size());
    EXPECT_TRUE(ledger_->snapshot()->event(1).is_ok() || ledger_->head() == 0);
    EXPECT_EQ(note("while full", "text").status.code(), base::Code::kUnavailable);

    disk.make_room();
    // Bounded by the test's own time limit: it goes on by itself, nobody restarts it.
    while (ledger_->health().state == State::kStorageLow) std::this_thread::yield();
    ASSERT_EQ(ledger_->health().state, State::kOk) << ledger_->health().detail;
    answer = note(id, text, cycle);
    ASSERT_TRUE(answer.status.is_ok()) << answer.status.message();
    EXPECT_FALSE(answer.repeated);
    answered[id] = answer.events.at(0);
    EXPECT_EQ(ledger_->head(), answered.size());
  }
  EXPECT_TRUE(ledger_->check_views().is_ok());
  must_open();
  EXPECT_EQ(ledger_->head(), answered.size());
  for (const auto& [id, seq] : answered) {
    const auto again = note(id, text);
    EXPECT_TRUE(again.repeated) << id;
    EXPECT_EQ(again.events.at(0), seq);
  }
  close();
}

TEST_F(P1StorageFaultTest, FailedWriteIsNotAnsweredAndMakesTheLedgerReadOnly) {
  must_open();
  note_many(3);
  // The kernel refuses to let any file grow: an error that is not a full disk.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit none{.rlim_cur = 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  const auto failed = note("lost", "text");
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, ignored);

  EXPECT_EQ(failed.status.code(), base::Code::kUnavailable);
  EXPECT_THAT(failed.status.message(), HasSubstr("not recorded"));
  EXPECT_EQ(ledger_->health().state, State::kReadOnly);
  const auto after = note("after", "text");
  EXPECT_EQ(after.status.code(), base::Code::kUnavailable);
  EXPECT_THAT(after.status.message(), HasSubstr("takes no commands"));
  EXPECT_EQ(ledger_->head(), 3u);
  EXPECT_EQ(note_of(*ledger_->snapshot(), "MARI", 28001)->last, "text 1");

  must_open();
  EXPECT_GE(ledger_->head(), 3u);
  EXPECT_TRUE(note("after", "text").status.is_ok());
  EXPECT_TRUE(ledger_->check_views().is_ok());
}

}  // namespace
