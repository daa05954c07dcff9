#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using ::testing::ElementsAre;

class DecideSupportTest : public ::testing::Test {
 protected:
  DecideSupportTest() { story.configure(); }
  Story story;
};

TEST_F(DecideSupportTest, EachNewContentOfAFileIsOnRecordOnce) {
  EXPECT_THAT(story.kinds(story.see_file("/masks/m.xml", "one")), ElementsAre("supportFileSeen"));
  EXPECT_TRUE(story.see_file("/masks/m.xml", "one").events.empty());
  uint64_t changed = story.see_file("/masks/m.xml", "two").first();
  ASSERT_NE(changed, 0u);
  auto row = ledger::find_support_file(story.rows(), "MARI", "/masks/m.xml");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->get().getSeq(), changed);
  EXPECT_EQ(ledger::view(row->get().getFile().getSha256()), hash_of("two"));
  EXPECT_TRUE(story.see_file("/masks/m.xml", "one").ok()) << "back to what it was is a change too";
}

TEST_F(DecideSupportTest, FileThatCannotBeReadSaysWhy) {
  EXPECT_TRUE(story.see_file("/masks/m.xml", "", "it is gone").ok());
  EXPECT_TRUE(story.see_file("/masks/m.xml", "", "it is gone").events.empty());
  EXPECT_TRUE(refused(story.see_file("/masks/m.xml", ""), Code::kInvalidArgument, "neither a SHA-256 nor why"));
  EXPECT_TRUE(refused(story.see_file("/masks/m.xml", "one", "it is gone"), Code::kInvalidArgument, "one of them is wrong"));
}

TEST_F(DecideSupportTest, PathIsAbsoluteOrAUrlAndKeptBytesAreThere) {
  EXPECT_TRUE(story.see_file("https://masks.example/m.xml", "one").ok());
  EXPECT_TRUE(refused(story.see_file("m.xml", "one"), Code::kInvalidArgument, "is not an absolute path"));
  EXPECT_TRUE(refused(story.see_file("https://", "one"), Code::kInvalidArgument, "names nothing"));
  EXPECT_TRUE(refused(story.tell([](schema::Command::Builder command) {
    auto seen = command.getBody().initSeeSupportFile();
    seen.setInstrument("MARI");
    seen.setPath("/masks/m.xml");
    std::string hash = hash_of("never sent");
    seen.setSha256(ledger::data(hash));
    seen.setKept(true);
  }), Code::kInvalidArgument, "is not stored"));
}

TEST_F(DecideSupportTest, ListIsByPathAndInPages) {
  for (const char* path : {"/c", "/a", "/b"}) story.see_file(path, path);
  auto page = ledger::list_support_files(story.rows(), "MARI", 2);
  ASSERT_EQ(page.rows.size(), 2u);
  EXPECT_EQ(page.rows[0].get().getFile().getPath(), "/a");
  page = ledger::list_support_files(story.rows(), "MARI", 2, page.next);
  ASSERT_EQ(page.rows.size(), 1u);
  EXPECT_EQ(page.rows[0].get().getFile().getPath(), "/c");
  EXPECT_TRUE(page.next.empty());
}

TEST_F(DecideSupportTest, JobNamesItsSupportFilesByContent) {
  story.detect(1);
  auto with = [&](bool kept, std::string content, std::string path) {
    return story.queue(1, [&](schema::JobQueued::Builder queued) {
      auto file = queued.initSupportFiles(1)[0];
      file.setName("mask");
      file.setPath(path);
      std::string hash = hash_of(content);
      file.setSha256(ledger::data(hash));
      file.setKept(kept);
    });
  };
  EXPECT_TRUE(refused(with(true, "never sent", "/masks/m.xml"), Code::kInvalidArgument, "support file /masks/m.xml"));
  EXPECT_TRUE(refused(with(false, "large", "m.xml"), Code::kInvalidArgument, "is not an absolute path"));
  EXPECT_TRUE(refused(story.queue(1, [](auto queued) { queued.initSupportFiles(65); }), Code::kInvalidArgument, "at most 64"));
  EXPECT_TRUE(with(false, "large", "/masks/m.xml").ok());
}

}  // namespace
}  // namespace rules_test
