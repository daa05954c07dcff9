// Secrets in files: read only where nobody else could have.
#include "base/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

class SecretFileTest : public testing::Test {
 protected:
  SecretFileTest() {
    char pattern[] = "/tmp/secret_file_test.XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~SecretFileTest() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& text, mode_t mode = 0600) {
    const std::string path = folder_ / "token";
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::filesystem::path folder_;
};

TEST_F(SecretFileTest, FirstLineIsTheSecret) {
  for (const char* text : {"rlt_1", "rlt_1\n", "rlt_1\r\n", "rlt_1\nmore\n"}) EXPECT_EQ(*base::read_secret_file(write(text)), "rlt_1");
}

TEST_F(SecretFileTest, FileThatOthersCanReadOrWriteIsRefused) {
  for (const mode_t mode : {0640, 0604, 0620, 0666}) {
    const base::Status status = base::read_secret_file(write("rlt_1", mode)).status();
    EXPECT_EQ(status.code(), base::Code::kPermissionDenied) << mode;
    EXPECT_NE(status.message().find("chmod 600"), std::string::npos);
    EXPECT_EQ(status.message().find("rlt_1"), std::string::npos);
  }
}

TEST_F(SecretFileTest, WhatIsNoSecretIsSaid) {
  EXPECT_EQ(base::read_secret_file(folder_ / "none").status().code(), base::Code::kNotFound);
  EXPECT_EQ(base::read_secret_file(folder_).status().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(base::read_secret_file(write("")).status().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(base::read_secret_file(write(std::string(5000, 'x'))).status().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(base::read_secret_file("/dev/null").status().code(), base::Code::kInvalidArgument);
}

}  // namespace
