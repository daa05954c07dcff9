#include "daemons/worker/job_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/sha256.h"
#include "daemons/worker/file_bytes.h"
#include "daemons/worker/inputs.h"
#include "tests/support/temporary_folder.h"

namespace {

using daemons::AttemptPlan;
using daemons::PlannedInput;
using testing::HasSubstr;

class JobFilesTest : public testing::Test {
 protected:
  PlannedInput record(const std::string& name, const std::string& bytes) {
    std::string path = folder / name;
    std::ofstream(path, std::ios::binary) << bytes;
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    int64_t modified = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    return {path, bytes.size(), std::string(base::as_bytes(base::sha256(bytes))), modified};
  }
  std::string slurp(const std::string& path) { return daemons::read_small_file(path, 1 << 20).value_or("missing"); }
  support::TemporaryFolder folder;
  daemons::JobFolders folders{(folder / "5-1").string()};
};

TEST_F(JobFilesTest, UnchangedInputIsFine) { EXPECT_EQ(daemons::input_problem({record("MAR28001.nxs", "raw")}), ""); }

TEST_F(JobFilesTest, OtherTimeWithTheSameBytesIsFine) {
  PlannedInput input = record("MAR28001.nxs", "raw");
  input.modified_at -= 5;
  EXPECT_EQ(daemons::input_problem({input}), "");
}

TEST_F(JobFilesTest, OtherBytesOfTheSameSizeAreNoticed) {
  PlannedInput input = record("MAR28001.nxs", "raw");
  std::ofstream(input.path) << "war";
  input.modified_at -= 5;
  EXPECT_THAT(daemons::input_problem({input}), HasSubstr("MAR28001.nxs: its bytes have changed"));
}

TEST_F(JobFilesTest, OtherSizeIsNoticedWithoutReading) {
  PlannedInput input = record("MAR28001.nxs", "raw");
  input.size_bytes = 99;
  EXPECT_THAT(daemons::input_problem({input}), HasSubstr("from 99 to 3 bytes"));
}

TEST_F(JobFilesTest, MissingInputIsNamed) {
  PlannedInput input = record("MAR28001.nxs", "raw");
  std::filesystem::remove(input.path);
  EXPECT_THAT(daemons::input_problem({record("other.nxs", "x"), input}), HasSubstr("MAR28001.nxs: the raw file is not to be had"));
}

TEST_F(JobFilesTest, NameThatIsNoUtf8IsFoundByItsRecordedText) {
  std::string bytes = folder / "caf\xe9.nxs";
  std::ofstream(bytes) << "raw";
  EXPECT_EQ(daemons::path_bytes(folder / "caf\\xe9.nxs"), bytes);
  std::string literal = folder / "odd\\x41.nxs";
  std::ofstream(literal) << "raw";
  EXPECT_EQ(daemons::path_bytes(literal), literal);
}

TEST_F(JobFilesTest, ScriptAndSiblingsAreWrittenAndDescribed) {
  AttemptPlan plan;
  plan.contract = schema::Contract::ISIS;
  plan.script_path = "/archive/it's \"here\"/reduce.py";
  plan.siblings = {{"reduce_vars.py", ""}};
  plan.runs = {28001};
  plan.output_directory = folder / "out";
  plan.attempt = 1;
  plan.fence = 9;
  ASSERT_TRUE(daemons::make_job_folders(folders).is_ok());
  ASSERT_TRUE(daemons::write_job_files(folders, plan, {"the script", {"the variables"}, ""}).is_ok());
  EXPECT_EQ(slurp(folders.script() + "/reduce.py"), "the script");
  EXPECT_EQ(slurp(folders.script() + "/reduce_vars.py"), "the variables");
  std::string job = slurp(folders.job_file());
  EXPECT_THAT(job, HasSubstr(R"("script_path":"/archive/it's \"here\"/reduce.py")"));
  EXPECT_THAT(job, HasSubstr(R"("run_number":28001)"));
  EXPECT_THAT(job, HasSubstr(R"(.out.attempt-1.9/")"));
}

TEST_F(JobFilesTest, TamperedCopyOfTheScriptIsNoticed) {
  // Symptom: what lay in the scratch folder was run, whoever had written it there after the worker.
  auto sha256 = [](std::string_view bytes) { return std::string(base::as_bytes(base::sha256(bytes))); };
  AttemptPlan plan;
  plan.script_path = "/archive/reduce.py";
  plan.script_sha256 = sha256("the script");
  plan.siblings = {{"reduce_vars.py", sha256("the variables")}};
  ASSERT_TRUE(daemons::make_job_folders(folders).is_ok());
  ASSERT_TRUE(daemons::write_job_files(folders, plan, {"the script", {"the variables"}, ""}).is_ok());
  EXPECT_EQ(daemons::script_problem(folders.script(), plan), "");
  std::ofstream(folders.script() + "/reduce_vars.py") << "other variables";
  EXPECT_THAT(daemons::script_problem(folders.script(), plan), HasSubstr("script/reduce_vars.py: is not the bytes recorded any more"));
  std::ofstream(folders.script() + "/reduce.py") << "another script";
  EXPECT_THAT(daemons::script_problem(folders.script(), plan), HasSubstr("script/reduce.py: is not the bytes recorded any more"));
  std::filesystem::remove(folders.script() + "/reduce.py");
  EXPECT_THAT(daemons::script_problem(folders.script(), plan), HasSubstr("reduce.py: cannot be read"));
}

TEST_F(JobFilesTest, SiblingThatLeavesTheFolderIsRefused) {
  AttemptPlan plan;
  plan.script_path = "/archive/reduce.py";
  plan.siblings = {{"../../escape.py", ""}};
  ASSERT_TRUE(daemons::make_job_folders(folders).is_ok());
  base::Status written = daemons::write_job_files(folders, plan, {"x", {"y"}, ""}).status();
  EXPECT_EQ(written.code(), base::Code::kInvalidArgument);
  EXPECT_THAT(written.message(), HasSubstr("escape.py"));
}

TEST_F(JobFilesTest, ResultThatIsAPipeIsNotWaitedFor) {
  std::string path = folder / "result.json";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(daemons::read_small_file(path, 100));
  EXPECT_FALSE(daemons::read_small_file(record("big", "12345").path, 4));
}

}  // namespace
