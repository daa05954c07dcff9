#include "daemons/worker/extra_copies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "tests/support/temporary_folder.h"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

class ExtraCopiesTest : public testing::Test {
 protected:
  ExtraCopiesTest() {
    spdlog::set_level(spdlog::level::off);
    plan.output_directory = folder / "RB1/28001/run-version-2";
    plan.attempt = 1;
    plan.fence = 9;
    write(plan.staging() + "/a.nxs", "result");
    write(plan.staging() + "/plots/one.png", "plot");
  }
  static void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<std::string> prepare(const std::vector<std::string>& directories) {
    auto listing = daemons::list_output(plan.staging(), false, nullptr);
    return daemons::prepare_copies(plan, *listing, directories, nullptr);
  }
  void publish() {
    ASSERT_TRUE(daemons::publish_folder(plan.staging(), plan.output_directory).is_ok());
    daemons::finish_copies(plan.staging(), plan.output_directory);
  }
  std::vector<std::string> in(const std::string& directory) { return daemons::names_below(directory); }
  bool anything_hidden() {
    for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
      if (entry.path().filename().string().starts_with(".")) return true;
    }
    return false;
  }

  support::TemporaryFolder folder;
  daemons::AttemptPlan plan;
  std::string extra = folder / "extra/deep";
};

TEST_F(ExtraCopiesTest, CopyAppearsWhenTheOutputDoes) {
  EXPECT_THAT(prepare({extra + "/"}), ElementsAre("the script named " + extra + ": the output is copied there"));
  for (const std::string& name : in(extra)) EXPECT_TRUE(name.starts_with(".")) << name << " shows before the result is accepted";
  publish();
  EXPECT_THAT(in(extra), ElementsAre("a.nxs", "plots/one.png"));
  EXPECT_EQ(read(extra + "/a.nxs"), "result");
  EXPECT_FALSE(anything_hidden());
}

TEST_F(ExtraCopiesTest, FilesThatAreThereAlreadyStay) {
  write(extra + "/a.nxs", "result");
  write(extra + "/theirs.txt", "theirs");
  EXPECT_THAT(prepare({extra}), ElementsAre(HasSubstr("the output is copied there")));
  publish();
  EXPECT_THAT(in(extra), ElementsAre("a.nxs", "plots/one.png", "theirs.txt"));
  EXPECT_FALSE(anything_hidden());
}

TEST_F(ExtraCopiesTest, OtherBytesOfTheSameNameSendEverythingToAFolderOfItsOwn) {
  write(extra + "/plots/one.png", "another plot");
  EXPECT_THAT(prepare({extra}), ElementsAre("the script named " + extra + ", which holds another plots/one.png: the output is copied to " +
                                            extra + "/run-version-2"));
  publish();
  EXPECT_THAT(in(extra), ElementsAre("plots/one.png", "run-version-2/a.nxs", "run-version-2/plots/one.png"));
  EXPECT_EQ(read(extra + "/plots/one.png"), "another plot");
  EXPECT_FALSE(anything_hidden());
}

TEST_F(ExtraCopiesTest, FileThatAppearsMeanwhileIsNotReplaced) {
  prepare({extra});
  write(extra + "/a.nxs", "somebody else's");
  publish();
  EXPECT_EQ(read(extra + "/a.nxs"), "somebody else's");
  EXPECT_EQ(read(extra + "/run-version-2/a.nxs"), "result");
}

TEST_F(ExtraCopiesTest, LinksInTheDirectoryAreNotFollowed) {
  fs::create_directories(extra);
  fs::create_directories(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", extra + "/plots");
  EXPECT_THAT(prepare({extra}), ElementsAre(HasSubstr("copied to " + extra + "/run-version-2")));
  publish();
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST_F(ExtraCopiesTest, InterruptedAnywhereItIsFinishedByTheNext) {
  // Whoever finishes knows the staging directory and the final one, and nothing else.
  prepare({extra, folder / "second"});
  ASSERT_TRUE(daemons::publish_folder(plan.staging(), plan.output_directory).is_ok());
  fs::path hidden = fs::path(extra) / (fs::path(plan.staging()).filename().string() + ".copy");
  ASSERT_TRUE(fs::exists(hidden));
  fs::rename(hidden / "a.nxs", extra + "/a.nxs");  // as far as the first one came
  daemons::finish_copies(plan.staging(), plan.output_directory);
  daemons::finish_copies(plan.staging(), plan.output_directory);
  EXPECT_THAT(in(extra), ElementsAre("a.nxs", "plots/one.png"));
  EXPECT_THAT(in(folder / "second"), ElementsAre("a.nxs", "plots/one.png"));
  EXPECT_FALSE(anything_hidden());
}

TEST_F(ExtraCopiesTest, NothingIsLeftOfAResultThatDoesNotCount) {
  write(extra + "/theirs.txt", "theirs");
  prepare({extra});
  ASSERT_TRUE(daemons::drop_staging(plan.staging()).is_ok());
  EXPECT_THAT(in(extra), ElementsAre("theirs.txt"));
  EXPECT_FALSE(anything_hidden());
}

TEST_F(ExtraCopiesTest, DirectoryThatCannotBeMadeIsARemark) {
  write(folder / "extra", "a file in the way");
  EXPECT_THAT(prepare({extra, folder / "second"}),
              ElementsAre(testing::AllOf(HasSubstr("the output is not copied there"), HasSubstr("is in the way")),
                          HasSubstr("the output is copied there")));
  publish();
  EXPECT_THAT(in(folder / "second"), ElementsAre("a.nxs", "plots/one.png"));
}

TEST_F(ExtraCopiesTest, DirectoryAboveTheOutputTakesTheFilesBesideIt) {
  std::string above = fs::path(plan.output_directory).parent_path();
  EXPECT_THAT(prepare({above}), ElementsAre(HasSubstr("copied there")));
  publish();
  EXPECT_THAT(in(above), ElementsAre("a.nxs", "plots/one.png", "run-version-2/a.nxs", "run-version-2/plots/one.png"));
}

TEST_F(ExtraCopiesTest, DirectoryAboveTheOutputWithOtherBytesTakesNothing) {
  fs::path above = fs::path(plan.output_directory).parent_path();
  write(above / "a.nxs", "of version 1");
  EXPECT_THAT(prepare({above.string()}), ElementsAre(HasSubstr("the output is not copied there: it holds another a.nxs")));
  publish();
  EXPECT_EQ(read(above / "a.nxs"), "of version 1");
  EXPECT_THAT(in(plan.output_directory), ElementsAre("a.nxs", "plots/one.png"));
}

TEST_F(ExtraCopiesTest, OutputIsNotCopiedIntoItself) {
  fs::create_directory_symlink(fs::path(plan.output_directory).parent_path(), folder / "alias");
  for (const std::string& directory : {plan.output_directory, plan.output_directory + "/sub", plan.staging(),
                                       (folder / "alias/run-version-2").string()}) {
    EXPECT_THAT(prepare({directory}), ElementsAre(HasSubstr("it lies in the output directory itself"))) << directory;
  }
  publish();
}

TEST_F(ExtraCopiesTest, DirectoryNamedTwiceIsTakenOnce) {
  prepare({extra, extra + "/../deep/"});
  publish();
  EXPECT_THAT(in(extra), ElementsAre("a.nxs", "plots/one.png"));
}

TEST_F(ExtraCopiesTest, TrialIsCopiedNowhere) {
  plan.kind = schema::JobKind::TRIAL;
  EXPECT_THAT(prepare({extra}), ElementsAre(HasSubstr("a trial writes nowhere else")));
  EXPECT_FALSE(fs::exists(extra));
}

}  // namespace
