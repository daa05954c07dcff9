#include "daemons/worker/captured_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "daemons/worker/file_bytes.h"
#include "tests/support/temporary_folder.h"

namespace {

using daemons::AttemptPlan;
using daemons::NeighbourLinks;
using testing::HasSubstr;
namespace fs = std::filesystem;

class CapturedFolderTest : public testing::Test {
 protected:
  CapturedFolderTest() {
    fs::create_directories(folder / "share");
    fs::create_directories(captured);
    plan.script_path = folder / "share/reduce.py";
    plan.script_sha256 = base::as_bytes(base::sha256("the script"));
  }
  void capture(std::vector<std::string> names) {
    daemons::CapturedFiles files{"the script", {}, ""};
    for (const std::string& name : names) {
      files.siblings.push_back("captured " + name);
      plan.siblings.push_back({name, std::string(base::as_bytes(base::sha256(files.siblings.back())))});
    }
    base::Status written = daemons::write_captured(captured, plan, files);
    ASSERT_TRUE(written.is_ok()) << written.message();
  }
  void keep(const std::string& name, const std::string& text = "of the share") {
    fs::create_directories((folder / "share" / name).parent_path());
    folder.write("share/" + name, text);
  }
  std::string read(const std::string& name) {
    std::ifstream file(captured + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  support::TemporaryFolder folder;
  std::string captured = folder / "script";
  AttemptPlan plan;
};

TEST_F(CapturedFolderTest, PackageLiesInItsFolders) {
  capture({"mr_reduction/__init__.py", "mr_reduction/fits/peak.py", "reduce_vars.py"});
  EXPECT_EQ(read("reduce.py"), "the script");
  EXPECT_EQ(read("mr_reduction/fits/peak.py"), "captured mr_reduction/fits/peak.py");
  EXPECT_EQ(daemons::script_problem(captured, plan), "");
  std::ofstream(captured + "/mr_reduction/fits/peak.py") << "other bytes";
  EXPECT_THAT(daemons::script_problem(captured, plan), HasSubstr("mr_reduction/fits/peak.py: is not the bytes recorded any more"));
}

TEST_F(CapturedFolderTest, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name : {"../escape.py", "a/../../escape.py", "/etc/escape.py", "a//b.py", "a/", "", "reduce.py"}) {
    plan.siblings = {{name, ""}};
    base::Status written = daemons::write_captured(captured, plan, {"x", {"y"}, ""});
    EXPECT_EQ(written.code(), base::Code::kInvalidArgument) << name;
  }
}

TEST_F(CapturedFolderTest, OtherEntriesAreLinkedAndCapturedOnesAreNot) {
  keep("reduce.py");
  keep("reduce_vars.py");
  keep("calibration.cal");
  keep("pkg/__init__.py");
  keep("pkg/table.csv");
  keep("masks/big.xml");
  keep("__pycache__/reduce_vars.cpython-311.pyc");
  capture({"pkg/__init__.py", "reduce_vars.py"});
  NeighbourLinks links = daemons::link_neighbours(captured, plan);
  EXPECT_TRUE(links.readable);
  EXPECT_FALSE(links.cut);
  EXPECT_EQ(links.made, 3u);
  EXPECT_EQ(fs::read_symlink(captured + "/calibration.cal"), folder / "share/calibration.cal");
  EXPECT_EQ(fs::read_symlink(captured + "/pkg/table.csv"), folder / "share/pkg/table.csv");
  EXPECT_EQ(read("masks/big.xml"), "of the share");
  EXPECT_EQ(read("reduce_vars.py"), "captured reduce_vars.py");
  EXPECT_EQ(read("pkg/__init__.py"), "captured pkg/__init__.py");
  EXPECT_FALSE(fs::exists(captured + "/__pycache__")) << "bytecode of the share would run in place of what is on record";
}

TEST_F(CapturedFolderTest, ShareThatIsAwayIsNoFailure) {
  fs::remove_all(folder / "share");
  capture({"pkg/__init__.py"});
  NeighbourLinks links = daemons::link_neighbours(captured, plan);
  EXPECT_FALSE(links.readable);
  EXPECT_EQ(links.made, 0u);
  EXPECT_EQ(read("pkg/__init__.py"), "captured pkg/__init__.py");
}

TEST_F(CapturedFolderTest, HugeFolderIsLinkedUpToTheLimit) {
  for (size_t i = 0; i < daemons::kMaxNeighbourLinks + 10; ++i) keep("data-" + std::to_string(i), "");
  capture({});
  NeighbourLinks links = daemons::link_neighbours(captured, plan);
  EXPECT_TRUE(links.readable);
  EXPECT_TRUE(links.cut);
  EXPECT_EQ(links.made, daemons::kMaxNeighbourLinks);
}

TEST_F(CapturedFolderTest, FolderOfExactlyTheLimitIsWhole) {
  for (size_t i = 0; i < daemons::kMaxNeighbourLinks; ++i) keep("data-" + std::to_string(i), "");
  keep("reduce.py");
  capture({});
  EXPECT_FALSE(daemons::link_neighbours(captured, plan).cut);
}

}  // namespace
