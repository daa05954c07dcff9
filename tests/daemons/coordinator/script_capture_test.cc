#include "daemons/coordinator/script_capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace {

class ScriptCaptureTest : public testing::Test {
 protected:
  ScriptCaptureTest() {
    char pattern[] = "/tmp/script_capture_test.XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~ScriptCaptureTest() override { std::filesystem::remove_all(folder_); }
  void write(const char* name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }
  std::filesystem::path folder_;
};

TEST_F(ScriptCaptureTest, BytesAreKeptAsTheyAreWithTheVariablesBeside) {
  write("reduce.py", "\xef\xbb\xbfprint(1)\r\n");
  write("reduce_vars.py", "");
  auto captured = daemons::capture_script(folder_ / "reduce.py", schema::Contract::ISIS);
  ASSERT_TRUE(captured.is_ok()) << captured.status().message();
  EXPECT_EQ(captured->script.bytes, "\xef\xbb\xbfprint(1)\r\n");
  EXPECT_EQ(captured->script.sha256, base::sha256("\xef\xbb\xbfprint(1)\r\n"));
  ASSERT_EQ(captured->siblings.size(), 1u);
  EXPECT_EQ(captured->siblings[0].name, "reduce_vars.py");
}

TEST_F(ScriptCaptureTest, ContractWithoutVariablesTakesNone) {
  write("reduce_EQSANS.py", "pass");
  write("reduce_vars.py", "standard_vars = {}");
  EXPECT_TRUE(daemons::capture_script(folder_ / "reduce_EQSANS.py", schema::Contract::SNS)->siblings.empty());
}

TEST_F(ScriptCaptureTest, WhatIsNoScriptIsNamed) {
  EXPECT_EQ(daemons::capture_script(folder_ / "reduce.py", schema::Contract::ISIS).status().code(), base::Code::kNotFound);
  std::filesystem::create_directory(folder_ / "reduce.py");
  auto folder = daemons::capture_script(folder_ / "reduce.py", schema::Contract::ISIS);
  EXPECT_EQ(folder.status().code(), base::Code::kInvalidArgument);
  EXPECT_THAT(folder.status().message(), testing::HasSubstr((folder_ / "reduce.py").string()));
}

TEST_F(ScriptCaptureTest, PipeInItsPlaceDoesNotBlock) {
  ASSERT_EQ(mkfifo((folder_ / "reduce.py").c_str(), 0600), 0);
  EXPECT_EQ(daemons::capture_script(folder_ / "reduce.py", schema::Contract::ISIS).status().code(), base::Code::kInvalidArgument);
}

TEST_F(ScriptCaptureTest, GigabyteScriptIsRefused) {
  write("reduce.py", "");
  std::filesystem::resize_file(folder_ / "reduce.py", 1u << 30);
  EXPECT_EQ(daemons::capture_script(folder_ / "reduce.py", schema::Contract::ISIS).status().code(), base::Code::kInvalidArgument);
}

}  // namespace
