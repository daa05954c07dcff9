#include "daemons/monitor/folder_watch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "rpc/loop.h"
#include "tests/daemons/monitor/loop_waiter.h"
#include "tests/support/temporary_folder.h"

namespace daemons {
namespace {

namespace fs = std::filesystem;

/// inotify whose queue can be made to overflow.
class OverflowingWatch final : public FileWatch {
 public:
  kj::Promise<base::Status> watch(const std::string&) override { return base::Status::ok(); }
  void forget(const std::string&) override {}
  kj::Promise<std::vector<FileChange>> changes() override {
    auto pair = kj::newPromiseAndFulfiller<std::vector<FileChange>>();
    waiting = kj::mv(pair.fulfiller);
    return kj::mv(pair.promise);
  }
  void overflow() { waiting->fulfill({FileChange{FileChange::Kind::kLost, {}, {}}}); }
  kj::Own<kj::PromiseFulfiller<std::vector<FileChange>>> waiting;
};

/// A system without a watch to spare.
class ExhaustedWatch final : public FileWatch {
 public:
  kj::Promise<base::Status> watch(const std::string& folder) override {
    return base::Status(base::Code::kUnavailable, folder + " is not watched: No space left on device");
  }
  void forget(const std::string&) override {}
  kj::Promise<std::vector<FileChange>> changes() override { return kj::NEVER_DONE; }
};

class FolderWatchTest : public ::testing::Test, public FolderWatch::Listener {
 protected:
  ~FolderWatchTest() noexcept override {}
  void SetUp() override { fs::create_directories(root_); }

  void saw(const std::string& root, const std::string& path, Notice notice, const std::optional<FileStamp>& stamp) override {
    EXPECT_EQ(stamp.has_value(), notice == Notice::kScanned);
    EXPECT_EQ(root, root_);
    seen_.emplace_back(path, notice);
    waiter_.happened();
  }
  void lost(const std::string& path) override {
    lost_.push_back(path);
    waiter_.happened();
  }

  void start(std::unique_ptr<FileWatch> watch) {
    watch_ = std::make_unique<FolderWatch>(loop_, std::move(watch), settings_, std::vector<std::string>{root_}, NameFilter({"*.nxs"}), *this);
    running_ = watch_->run().eagerlyEvaluate([this](kj::Exception&& exception) {
      ADD_FAILURE() << exception.getDescription().cStr();
      waiter_.happened();
    });
    loop_.wait(watch_->first_sweep());
  }
  void start() {
    auto inotify = make_inotify_watch(loop_);
    ASSERT_TRUE(inotify.is_ok()) << inotify.status().message();
    start(std::move(inotify).value());
  }
  void TearDown() override {
    running_ = nullptr;
    watch_ = nullptr;
  }
  void write(const std::string& name, const std::string& text = "x") { folder_.write("data/" + name, text); }
  std::string at(const std::string& name) const { return root_ + "/" + name; }
  bool has_seen(const std::string& name, Notice notice) const {
    return std::find(seen_.begin(), seen_.end(), std::pair(at(name), notice)) != seen_.end();
  }
  size_t times_seen(const std::string& name, Notice notice) const {
    return static_cast<size_t>(std::count(seen_.begin(), seen_.end(), std::pair(at(name), notice)));
  }
  void expect(const std::string& name, Notice notice) {
    waiter_.until([&] { return has_seen(name, notice); });
  }

  support::TemporaryFolder folder_;
  std::string root_ = folder_ / "data";
  rpc::Loop loop_;
  tests::LoopWaiter waiter_{loop_};
  FolderWatchSettings settings_;
  std::vector<std::pair<std::string, Notice>> seen_;
  std::vector<std::string> lost_;
  std::unique_ptr<FolderWatch> watch_;
  kj::Maybe<kj::Promise<void>> running_;
};

TEST_F(FolderWatchTest, FilesThatAreThereAreListed) {
  fs::create_directories(root_ + "/cycle_24_3/sub");
  write("a.nxs");
  write("cycle_24_3/b.nxs");
  write("cycle_24_3/sub/c.nxs");
  write("cycle_24_3/sub/c.log");
  start();
  EXPECT_EQ(seen_.size(), 3u);
  EXPECT_TRUE(has_seen("cycle_24_3/sub/c.nxs", Notice::kScanned));
  EXPECT_EQ(watch_->folder_count(), 3u);
}

TEST_F(FolderWatchTest, ClosedAndRenamedFilesAreToldAtOnce) {
  start();
  write("a.nxs");
  expect("a.nxs", Notice::kClosed);
  EXPECT_TRUE(has_seen("a.nxs", Notice::kCreated));
  write(".b.nxs.Xy12aB");
  fs::rename(at(".b.nxs.Xy12aB"), at("b.nxs"));
  expect("b.nxs", Notice::kMovedIn);
  EXPECT_EQ(seen_.size(), 3u) << "the hidden name is none of our business";
  chmod(at("a.nxs").c_str(), 0600);
  expect("a.nxs", Notice::kAttributes);
  fs::remove(at("b.nxs"));
  waiter_.until([&] { return lost_ == std::vector<std::string>{at("b.nxs")}; });
}

TEST_F(FolderWatchTest, NewCycleFolderIsListedAndWatched) {
  start();
  fs::create_directories(folder_ / "elsewhere/deep");
  folder_.write("elsewhere/a.nxs", "x");
  folder_.write("elsewhere/deep/b.nxs", "x");
  fs::rename(folder_ / "elsewhere", root_ + "/cycle_24_4");
  expect("cycle_24_4/deep/b.nxs", Notice::kScanned);
  expect("cycle_24_4/a.nxs", Notice::kScanned);
  write("cycle_24_4/deep/c.nxs");
  expect("cycle_24_4/deep/c.nxs", Notice::kClosed);
}

TEST_F(FolderWatchTest, RenamedFolderIsFollowedUnderItsNewName) {
  fs::create_directories(root_ + "/old/deep");
  start();
  fs::rename(root_ + "/old", root_ + "/new");
  write("new/deep/first.nxs");
  waiter_.until([&] { return has_seen("new/deep/first.nxs", Notice::kScanned) || has_seen("new/deep/first.nxs", Notice::kClosed); });
  write("new/deep/second.nxs");
  expect("new/deep/second.nxs", Notice::kClosed);
}

TEST_F(FolderWatchTest, OverflowListsEverythingAgain) {
  auto inotify = std::make_unique<OverflowingWatch>();
  OverflowingWatch& handle = *inotify;
  start(std::move(inotify));
  fs::create_directories(root_ + "/cycle_24_3");
  write("cycle_24_3/a.nxs");
  handle.overflow();
  expect("cycle_24_3/a.nxs", Notice::kScanned);
}

TEST_F(FolderWatchTest, MissingRootIsReportedAndFoundWhenItComes) {
  settings_.retry_ms = 20;
  fs::remove_all(root_);
  start();
  ASSERT_EQ(watch_->troubles().size(), 1u);
  EXPECT_NE(watch_->troubles()[0].find("data: missing"), std::string::npos) << watch_->troubles()[0];
  fs::create_directories(folder_ / "elsewhere");
  folder_.write("elsewhere/a.nxs", "x");
  fs::rename(folder_ / "elsewhere", root_);
  expect("a.nxs", Notice::kScanned);
  EXPECT_TRUE(watch_->troubles().empty());
  write("b.nxs");
  expect("b.nxs", Notice::kClosed);
}

TEST_F(FolderWatchTest, RootThatGoesAwayAndComesBackIsListedAgain) {
  settings_.retry_ms = 20;
  settings_.quick_sweep_ms = 20;
  write("a.nxs");
  start();
  fs::rename(root_, folder_ / "away");
  while (watch_->troubles().empty()) waiter_.pass(5);
  seen_.clear();
  fs::rename(folder_ / "away", root_);
  expect("a.nxs", Notice::kScanned);
  write("b.nxs");
  expect("b.nxs", Notice::kClosed);
}

TEST_F(FolderWatchTest, ReplacedRootIsNoticed) {
  settings_.quick_sweep_ms = 20;
  settings_.retry_ms = 20;
  start(std::make_unique<OverflowingWatch>());  // tells nothing, as when something is mounted over the folder
  fs::create_directories(folder_ / "other");
  folder_.write("other/new.nxs", "x");
  fs::rename(root_, folder_ / "away");
  fs::rename(folder_ / "other", root_);
  expect("new.nxs", Notice::kScanned);
}

TEST_F(FolderWatchTest, LinksToFoldersAreNotFollowedAndLinksToFilesAreSeen) {
  fs::create_directories(folder_ / "outside");
  folder_.write("outside/secret.nxs", "x");
  fs::create_directory_symlink(root_, root_ + "/loop");
  fs::create_directory_symlink(folder_ / "outside", root_ + "/door.nxs");
  write("a.nxs");
  fs::create_symlink(at("a.nxs"), at("link.nxs"));
  fs::create_symlink(at("nowhere"), at("dangling.nxs"));
  start();
  std::vector<std::string> names;
  for (auto& [path, notice] : seen_) names.push_back(path);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{at("a.nxs"), at("link.nxs")}));
}

TEST_F(FolderWatchTest, OddNamesArriveUnchanged) {
  start();
  for (std::string name : {"M\xE4RI 1.nxs", "-rf.nxs", "new\nline.nxs", "tab\t$(id);'\".nxs", "\xE2\x80\xAE" "9.nxs"}) {
    write(name);
    expect(name, Notice::kClosed);
  }
  std::string longest(251, 'x');
  write(longest + ".nxs");
  expect(longest + ".nxs", Notice::kClosed);
}

TEST_F(FolderWatchTest, SweepFindsWhatNoEventTold) {
  settings_.sweep_ms = 20;
  start(std::make_unique<OverflowingWatch>());
  fs::create_directories(root_ + "/cycle");
  write("cycle/a.nxs");
  expect("cycle/a.nxs", Notice::kScanned);
}

TEST_F(FolderWatchTest, WithoutWatchesChangedFoldersAreListedQuickly) {
  settings_.quick_sweep_ms = 20;
  fs::create_directories(root_ + "/cycle");
  start(std::make_unique<ExhaustedWatch>());
  ASSERT_EQ(watch_->troubles().size(), 1u);
  EXPECT_NE(watch_->troubles()[0].find("No space left"), std::string::npos);
  write("cycle/a.nxs");
  expect("cycle/a.nxs", Notice::kScanned);
}

TEST_F(FolderWatchTest, ManyFilesAtOnceAreAllSeen) {
  start();
  fs::create_directories(root_ + "/many");
  for (int i = 0; i < 3000; ++i) write("many/r" + std::to_string(i) + ".nxs");
  waiter_.until([&] {
    std::set<std::string> names;
    for (auto& [path, notice] : seen_) {
      if (notice == Notice::kClosed || notice == Notice::kScanned) names.insert(path);
    }
    return names.size() == 3000;
  });
}

}  // namespace
}  // namespace daemons
