// Command lines with a folder to keep logins in, and passwords to give.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/time.h"
#include "tests/support/temporary_folder.h"
#include "tests/tools/commands_fixture.h"

namespace fake {

constexpr int64_t kHour = 3600 * kSecond;

class AccessTest : public CommandsTest {
 protected:
  void SetUp() override {
    CommandsTest::SetUp();
    unsetenv("RUNLEDGER_TOKEN_FILE");
    ledger.state_folder = folder / "state" / "runledger";
    ledger.access.passwords["alice"] = kPassword;
  }
  void TearDown() override { unsetenv("RUNLEDGER_TOKEN_FILE"); }

  /// `text` behind a file descriptor; the reader closes it at the test's end.
  std::string descriptor_with(const std::string& text) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(ends[1]);
    return std::to_string(ends[0]);
  }
  Ran log_in(std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"login", "alice", "--password-fd", descriptor_with(std::string(kPassword) + "\n")};
    words.insert(words.end(), more.begin(), more.end());
    return command(words);
  }
  std::filesystem::path kept() const { return ledger.state_folder / "tokens.json"; }
  static std::string contents(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }
  static mode_t mode(const std::filesystem::path& file) {
    struct stat about {};
    EXPECT_EQ(stat(file.c_str(), &about), 0) << file;
    return about.st_mode & 07777;
  }
  static int64_t now() { return base::system_clock().now_ns(); }

  static constexpr const char* kPassword = "correct horse";
  support::TemporaryFolder folder;
};

}  // namespace fake
