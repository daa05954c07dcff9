#include "ledger/checkpoint_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temporary_folder.h"

namespace {

using testing::HasSubstr;

class CheckpointKeyTest : public testing::Test {
 protected:
  base::Result<ledger::SigningKey> open(std::string_view id = "0123") { return ledger::open_checkpoint_key(folder_.path(), id); }
  support::TemporaryFolder folder_;
};

TEST_F(CheckpointKeyTest, IsMadeOnceForItsOwnerAlone) {
  const auto made = open();
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  struct stat about {};
  ASSERT_EQ(::stat((folder_ / "checkpoint.key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  const auto again = open();
  ASSERT_TRUE(again.is_ok());
  EXPECT_EQ(again->public_key(), made->public_key());
  EXPECT_EQ(made->public_key().name, "runledger/0123");
  EXPECT_EQ(*ledger::read_public_key(folder_.path()), made->public_key());
}

TEST_F(CheckpointKeyTest, PublicLineIsWrittenAgain) {
  const auto key = open()->public_key();
  std::filesystem::remove(folder_ / "checkpoint.pub");
  EXPECT_EQ(open()->public_key(), key);
  EXPECT_EQ(*ledger::read_public_key(folder_.path()), key);
}

TEST_F(CheckpointKeyTest, LostOrForeignKeyIsRefusedAndNothingIsOverwritten) {
  ASSERT_TRUE(open().is_ok());
  EXPECT_EQ(open("4567").status().code(), base::Code::kCorruption) << "another ledger's";
  std::filesystem::rename(folder_ / "checkpoint.key", folder_ / "kept");
  auto refused = open();
  EXPECT_EQ(refused.status().code(), base::Code::kCorruption);
  EXPECT_THAT(refused.status().message(), HasSubstr("checkpoint.key: is missing, though checkpoint.pub is there"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "checkpoint.key"));
  folder_.write("checkpoint.key", "nonsense\n");
  EXPECT_THAT(open().status().message(), HasSubstr("put it back from a copy"));
  std::filesystem::rename(folder_ / "kept", folder_ / "checkpoint.key");
  ASSERT_TRUE(open().is_ok());
  folder_.write("checkpoint.pub", ledger::SigningKey::generate("runledger/0123")->public_key().line());
  EXPECT_THAT(open().status().message(), HasSubstr("not the public half"));
}

}  // namespace
