#include "daemons/monitor/candidates.h"

#include <gtest/gtest.h>

#include <set>

#include "base/text.h"

namespace daemons {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNoon = 1'790'000'000 * kSecond;
const std::string kFile = "/data/MARI28001.nxs";

/// Candidates with a clock held by hand and files that exist only here.
class CandidatesTest : public ::testing::Test {
 protected:
  Moment now() const { return {.steady_ns = elapsed_, .wall_ns = kNoon + elapsed_}; }
  void advance(double seconds) { elapsed_ += static_cast<int64_t>(seconds * kSecond); }

  void write(const std::string& path, uint64_t size_bytes) {
    files_[path] = FileStamp{.size_bytes = size_bytes, .modified_ns = kNoon + elapsed_, .changed_ns = kNoon + elapsed_, .inode = 7};
  }
  void write_at(const std::string& path, uint64_t size_bytes, int64_t modified_ns) {
    write(path, size_bytes);
    files_[path].modified_ns = modified_ns;
  }
  void permit(const std::string& path) { files_[path].changed_ns = kNoon + elapsed_; }

  void notice(const std::string& path, Notice how, uint64_t number = 28001) {
    std::optional<FileStamp> stamp;
    if (how == Notice::kScanned) stamp = files_.at(path);
    candidates_.noticed(path, number, how, stamp, now());
  }
  Look look(const std::string& path) const {
    auto at = files_.find(path);
    return at == files_.end() ? Look{} : Look{.stamp = at->second, .failure = {}};
  }
  void look_where_due() {
    while (auto path = candidates_.take_look(now())) candidates_.looked(*path, look(*path), now());
  }
  /// The next file that would be opened now; empty = none.
  std::string opened() {
    look_where_due();
    auto next = candidates_.take_examination(true, now());
    return next ? next->path : std::string();
  }
  Verdict verdict(const std::string& path, Verdict::Kind kind) const {
    return Verdict{.kind = kind, .code = "truncated", .text = "it is truncated", .read = files_.at(path)};
  }
  /// The reader's answer for the file just opened.
  bool finds(const std::string& path, Verdict::Kind kind) { return candidates_.examined(path, verdict(path, kind), look(path), now()); }
  void record(const std::string& path, bool refused = false) { candidates_.concluded(path, refused, now()); }
  /// Steps of 100 ms, each opening answered "not yet"; the openings counted.
  int openings_while_incomplete(const std::string& path, double seconds) {
    int count = 0;
    for (double passed = 0; passed < seconds; passed += 0.1) {
      if (opened() == path) {
        ++count;
        finds(path, Verdict::Kind::kNotYet);
      }
      advance(0.1);
    }
    return count;
  }

  int64_t elapsed_ = 0;
  std::map<std::string, FileStamp> files_;
  Candidates candidates_{CompletenessPolicy{}};
};

TEST_F(CandidatesTest, ClosedFileIsOpenedAtOnce) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  EXPECT_EQ(opened(), kFile);
  EXPECT_TRUE(finds(kFile, Verdict::Kind::kRun));
  record(kFile);
  EXPECT_EQ(candidates_.waiting(), 0u);
}

TEST_F(CandidatesTest, RenamedFileIsOpenedAtOnce) {
  write(kFile, 100);
  notice(kFile, Notice::kMovedIn);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, ScannedFileIsOpenedWhenItStoodStill) {
  write(kFile, 100);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(opened(), "");
  advance(1.9);
  EXPECT_EQ(opened(), "");
  advance(0.2);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, ScannedFileThatGrowsIsNotOpened) {
  write(kFile, 100);
  notice(kFile, Notice::kScanned);
  for (int i = 0; i < 20; ++i) {
    advance(1.5);
    write(kFile, 200 + static_cast<uint64_t>(i));
    EXPECT_EQ(opened(), "");
  }
  advance(2.1);
  look_where_due();  // the first look after the last change starts the time of stillness
  advance(2.1);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, ListedFileThatChangedBeforeItWasReadMustBeStillFirst) {
  // Symptom: written to again between its last look and its reading, it was taken as it was at that moment.
  write(kFile, 100);
  notice(kFile, Notice::kScanned);
  advance(2.1);
  ASSERT_EQ(opened(), kFile);
  write(kFile, 200);  // and then it is read, whole for now
  EXPECT_FALSE(finds(kFile, Verdict::Kind::kRun));
  advance(1.9);
  EXPECT_EQ(opened(), "");
  advance(0.2);
  EXPECT_EQ(opened(), kFile);
  EXPECT_TRUE(finds(kFile, Verdict::Kind::kRun));
}

TEST_F(CandidatesTest, ClosedFileThatChangedBeforeItWasReadIsTaken) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  ASSERT_EQ(opened(), kFile);
  write(kFile, 200);
  EXPECT_TRUE(finds(kFile, Verdict::Kind::kRun));
}

TEST_F(CandidatesTest, FileWrittenLongAgoIsOpenedAtOnce) {
  write_at(kFile, 100, kNoon - 61 * kSecond);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, TimeInTheFutureDoesNotWaitForEver) {
  write_at(kFile, 100, kNoon + 600 * kSecond);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(opened(), "");
  advance(2.1);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, FileItsWriterHasOpenIsLeftAloneUntilClosed) {
  write(kFile, 0);
  notice(kFile, Notice::kCreated);
  advance(10);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(opened(), "");
  advance(10);
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, NewHardLinkNeedsNoClosing) {
  write(kFile, 100);
  files_[kFile].linked = true;
  notice(kFile, Notice::kCreated);
  advance(2.1);
  look_where_due();
  advance(2.1);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, IncompleteFileIsTriedWithGrowingPausesThenGivenUp) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  int tries = openings_while_incomplete(kFile, 29);
  EXPECT_GE(tries, 8);
  EXPECT_LE(tries, 14);
  EXPECT_FALSE(candidates_.take_given_up());
  openings_while_incomplete(kFile, 10);
  auto given_up = candidates_.take_given_up();
  ASSERT_TRUE(given_up);
  EXPECT_EQ(given_up->path, kFile);
  EXPECT_EQ(given_up->run_number, 28001u);
  EXPECT_EQ(given_up->code, "truncated");
  EXPECT_EQ(given_up->stamp.size_bytes, 100u);
  record(kFile, true);
  EXPECT_EQ(openings_while_incomplete(kFile, 60), 0);
}

TEST_F(CandidatesTest, RefusedFileIsTakenUpAgainWhenItChanges) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  openings_while_incomplete(kFile, 40);
  ASSERT_TRUE(candidates_.take_given_up());
  record(kFile, true);

  notice(kFile, Notice::kScanned);
  EXPECT_EQ(candidates_.waiting(), 0u) << "nothing changed";
  advance(100);
  write(kFile, 500);
  notice(kFile, Notice::kClosed);
  EXPECT_EQ(opened(), kFile);
  EXPECT_TRUE(finds(kFile, Verdict::Kind::kRun));
}

TEST_F(CandidatesTest, EveryChangeStartsThePatienceAnew) {
  write(kFile, 100);
  notice(kFile, Notice::kScanned);
  for (int i = 0; i < 9; ++i) {  // 1 MB every 20 s: no gap is long enough to give up
    openings_while_incomplete(kFile, 20);
    write(kFile, 1'000'000 * static_cast<uint64_t>(i + 1));
  }
  EXPECT_FALSE(candidates_.take_given_up());
  notice(kFile, Notice::kClosed);
  EXPECT_EQ(opened(), kFile);
  EXPECT_TRUE(finds(kFile, Verdict::Kind::kRun));
}

TEST_F(CandidatesTest, LockedFileRunsOnceAfterItsWriterClosesIt) {
  write(kFile, 100);
  notice(kFile, Notice::kCreated);
  int tries = openings_while_incomplete(kFile, 120);
  EXPECT_LE(tries, 6) << "opened early, and often";
  ASSERT_TRUE(candidates_.take_given_up());
  record(kFile, true);
  write(kFile, 200);
  notice(kFile, Notice::kClosed);
  EXPECT_EQ(opened(), kFile);
  EXPECT_TRUE(finds(kFile, Verdict::Kind::kRun));
  record(kFile);
  EXPECT_EQ(opened(), "");
}

TEST_F(CandidatesTest, KilledWriterEndsInAClearState) {
  write(kFile, 4096);
  notice(kFile, Notice::kCreated);
  advance(1);
  notice(kFile, Notice::kClosed);  // the kernel closes for the dead
  EXPECT_GT(openings_while_incomplete(kFile, 40), 3);
  EXPECT_TRUE(candidates_.take_given_up());
}

TEST_F(CandidatesTest, GrantedPermissionIsNoticedWithoutNewBytes) {
  write_at(kFile, 100, kNoon - 100 * kSecond);
  notice(kFile, Notice::kScanned);
  openings_while_incomplete(kFile, 40);
  ASSERT_TRUE(candidates_.take_given_up());
  record(kFile, true);
  advance(5);
  permit(kFile);
  notice(kFile, Notice::kAttributes);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, GrantedPermissionIsNoticedByAListing) {
  write_at(kFile, 100, kNoon - 100 * kSecond);
  notice(kFile, Notice::kScanned);
  openings_while_incomplete(kFile, 40);
  ASSERT_TRUE(candidates_.take_given_up());
  record(kFile, true);
  advance(5);
  permit(kFile);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, ChangedPermissionOfARecordedRunIsNoNews) {
  write_at(kFile, 100, kNoon - 100 * kSecond);
  notice(kFile, Notice::kScanned);
  ASSERT_EQ(opened(), kFile);
  finds(kFile, Verdict::Kind::kRun);
  record(kFile);
  permit(kFile);
  notice(kFile, Notice::kAttributes);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(opened(), "");
  EXPECT_EQ(candidates_.waiting(), 0u);
}

TEST_F(CandidatesTest, GrowthDuringExaminationIsNotBelieved) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  ASSERT_EQ(opened(), kFile);
  Verdict early = verdict(kFile, Verdict::Kind::kRun);
  advance(0.5);
  write(kFile, 200);
  EXPECT_FALSE(candidates_.examined(kFile, early, look(kFile), now()));
  advance(2.1);
  EXPECT_EQ(opened(), kFile);
  EXPECT_TRUE(finds(kFile, Verdict::Kind::kRun));
}

TEST_F(CandidatesTest, FileClosedAgainDuringExaminationIsExaminedAgain) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  ASSERT_EQ(opened(), kFile);
  notice(kFile, Notice::kClosed);
  EXPECT_TRUE(finds(kFile, Verdict::Kind::kRun));
  record(kFile);
  EXPECT_EQ(opened(), kFile) << "the second writer may have come within one tick of the file system's clock";
}

TEST_F(CandidatesTest, RewrittenRunIsExaminedAgain) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  ASSERT_EQ(opened(), kFile);
  finds(kFile, Verdict::Kind::kRun);
  record(kFile);
  advance(1000);
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, WhatTheLedgerHasIsNotOpenedAgain) {
  write_at(kFile, 100, kNoon - 1000 * kSecond);
  candidates_.settled(kFile, FileStamp{.size_bytes = 100, .modified_ns = kNoon - 1000 * kSecond}, false);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(candidates_.waiting(), 0u);
  write_at(kFile, 101, kNoon - 500 * kSecond);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, NameThatIsNotUtf8IsRecognisedInTheLedgersWords) {
  std::string path = "/data/M\xE4RI28001.nxs";
  write_at(path, 100, kNoon - 1000 * kSecond);
  candidates_.settled(base::to_utf8(path), files_[path], false);
  notice(path, Notice::kScanned);
  EXPECT_EQ(candidates_.waiting(), 0u);
}

TEST_F(CandidatesTest, DeletedFileIsForgotten) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  files_.clear();
  EXPECT_EQ(opened(), "");
  EXPECT_EQ(candidates_.waiting(), 0u);
}

TEST_F(CandidatesTest, FileThatCannotBeLookedAtIsGivenUpWithTheCause) {
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  for (int i = 0; i < 400; ++i) {
    while (auto path = candidates_.take_look(now())) candidates_.looked(*path, Look{.stamp = {}, .failure = "Stale file handle"}, now());
    EXPECT_FALSE(candidates_.take_examination(true, now()));
    advance(0.1);
  }
  auto given_up = candidates_.take_given_up();
  ASSERT_TRUE(given_up);
  EXPECT_EQ(given_up->code, "unreadable");
  EXPECT_EQ(given_up->text, "Stale file handle");
}

TEST_F(CandidatesTest, ListedFilesComeInTheOrderOfTheirNumbersAndNewOnesFirst) {
  candidates_.set_list_open(false);
  for (uint64_t number : {5, 3, 9, 0, 4}) {
    std::string path = "/data/R" + std::to_string(number);
    write_at(path, 100, kNoon - 1000 * kSecond);
    notice(path, Notice::kScanned, number);
  }
  EXPECT_EQ(opened(), "") << "the listing is not complete";
  write("/data/R12", 100);
  notice("/data/R12", Notice::kClosed, 12);
  EXPECT_EQ(opened(), "/data/R12");
  candidates_.set_list_open(true);
  std::vector<std::string> order;
  for (std::string path = opened(); !path.empty(); path = opened()) order.push_back(path);
  EXPECT_EQ(order, (std::vector<std::string>{"/data/R3", "/data/R4", "/data/R5", "/data/R9", "/data/R0"}));
}

TEST_F(CandidatesTest, TroubleAndBacklogTakeTurns) {
  write("/data/R1", 100);
  notice("/data/R1", Notice::kClosed, 1);
  ASSERT_EQ(opened(), "/data/R1");
  finds("/data/R1", Verdict::Kind::kNotYet);
  for (uint64_t number = 2; number < 50; ++number) {
    std::string path = "/data/R" + std::to_string(number);
    write_at(path, 100, kNoon - 1000 * kSecond);
    notice(path, Notice::kScanned, number);
  }
  advance(0.3);
  look_where_due();
  EXPECT_EQ(candidates_.take_examination(false, now())->path, "/data/R2") << "no reader to spare for a file in trouble";
  EXPECT_EQ(opened(), "/data/R1");
  EXPECT_EQ(opened(), "/data/R3");
}

TEST_F(CandidatesTest, LastRunHoldsBackRunsThatHaveNotEnded) {
  candidates_.set_last_ended(28000, now());
  write(kFile, 100);
  notice(kFile, Notice::kClosed);
  EXPECT_EQ(opened(), "");
  advance(3);
  EXPECT_EQ(opened(), "");
  candidates_.set_last_ended(28001, now());
  look_where_due();
  auto next = candidates_.take_examination(true, now());
  ASSERT_TRUE(next);
  EXPECT_EQ(next->source, Source::kLastRun);
}

TEST_F(CandidatesTest, RunThatLastRunNeverNamesIsTakenAfterAWhile) {
  candidates_.set_last_ended(28000, now());
  write(kFile, 100);
  notice(kFile, Notice::kScanned);
  advance(29);
  EXPECT_EQ(opened(), "");
  advance(2);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, LastRunMakesSettlingUnnecessary) {
  candidates_.set_last_ended(28001, now());
  write(kFile, 100);
  notice(kFile, Notice::kScanned);
  EXPECT_EQ(opened(), kFile);
}

TEST_F(CandidatesTest, TwentyThousandFilesAreEachOpenedOnce) {
  std::set<std::string> seen;
  for (uint64_t number = 1; number <= 20'000; ++number) {
    std::string path = "/data/R" + std::to_string(number);
    write_at(path, 100, kNoon - 1000 * kSecond);
    notice(path, number % 2 == 0 ? Notice::kClosed : Notice::kScanned, number);
  }
  for (std::string path = opened(); !path.empty(); path = opened()) {
    EXPECT_TRUE(seen.insert(path).second);
    EXPECT_TRUE(finds(path, Verdict::Kind::kRun));
    record(path);
  }
  EXPECT_EQ(seen.size(), 20'000u);
  EXPECT_EQ(candidates_.waiting(), 0u);
}

}  // namespace
}  // namespace daemons
