// What happens when the disk says no.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "tests/ledger/ledger_fixture.h"

namespace {

using testing::HasSubstr;
using State = ledger::Health::State;

/// A file system of 96 MiB at `folder`, in a mount namespace of this process.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& folder) : folder_(folder) {
    const bool apart = ::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    mounted_ = apart && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=96m") == 0;
    if (!mounted_) why_ = std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::string& why_not() const { return why_; }

  /// All but `bytes_left`.
  void fill(uint64_t bytes_left) {
    const int file = ::open((folder_ / "ballast").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const std::string block(4096, 'b');
    while (std::filesystem::space(folder_).available > bytes_left && ::write(file, block.data(), block.size()) > 0) {
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
  options_.min_free_bytes = 2 << 20;
  must_open();
  std::map<std::string, uint64_t> answered;
  const std::string text(8000, 't');
  for (int cycle = 0; cycle < 5; ++cycle) {
    disk.fill(4 << 20);
    ledger::Answer answer;
    std::string id;
    for (int i = 0; i < 20000 && ledger_->health().state == State::kOk; ++i) {
      id = std::to_string(cycle) + "/" + std::to_string(i);
      answer = note(id, text, cycle);
      if (answer.status.is_ok()) answered[id] = answer.events.at(0);
    }
    ASSERT_EQ(ledger_->health().state, State::kStorageLow) << ledger_->health().detail;
    ASSERT_EQ(answer.status.code(), base::Code::kUnavailable);
    EXPECT_THAT(answer.status.message(), HasSubstr("space"));
    disk.fill(0);
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

/// Runs `ledger_child fault FOLDER KIND` and returns what it printed.
std::string run_child(const std::filesystem::path& folder, const std::string& kind) {
  const std::string command = std::string(LEDGER_CHILD) + " fault '" + folder.string() + "' " + kind + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string said;
  char buffer[4096];
  for (size_t got; (got = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) said.append(buffer, got);
  const int status = ::pclose(pipe);
  return said + (status == 0 ? "" : "ended with status " + std::to_string(status));
}

TEST_F(P1StorageFaultTest, FailedWriteIsNotAnsweredAndMakesTheLedgerReadOnly) {
  // In a process of its own: the storage engine cannot be closed after this, and the folder stays locked while the process lives.
  const std::string said = run_child(folder(), "write");
  EXPECT_THAT(said, HasSubstr("failed: unavailable: not recorded"));
  EXPECT_THAT(said, HasSubstr("health: read-only"));
  EXPECT_THAT(said, HasSubstr("after: unavailable: the ledger takes no commands"));
  EXPECT_THAT(said, HasSubstr("head: 3"));
  EXPECT_THAT(said, HasSubstr("read: text 2"));
  EXPECT_THAT(said, HasSubstr("reopened: conflict"));
  EXPECT_THAT(said, testing::EndsWith("ended well\n"));

  must_open();
  EXPECT_GE(ledger_->head(), 3u);
  EXPECT_TRUE(note("after", "text").status.is_ok());
  EXPECT_TRUE(ledger_->check_views().is_ok());
}

}  // namespace
