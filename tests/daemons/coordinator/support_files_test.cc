#include "daemons/coordinator/support_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ledger/canonical.h"
#include "schema/document.capnp.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/web_server.h"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SupportFilesTest : public testing::Test {
 protected:
  SupportFilesTest() {
    std::filesystem::create_directories(folder / "script/masks");
    question.script_folder = folder / "script";
    folder.write("script/masks/m.xml", "<mask/>");
    folder.write("flood.nxs", "flood");
    folder.write("MAR28001.nxs", "raw");
    question.raw_paths = {folder / "MAR28001.nxs"};
  }
  daemons::NamedFiles find(const std::vector<std::pair<std::string, std::string>>& values) {
    capnp::MallocMessageBuilder message;
    auto variables = message.initRoot<schema::VariableSet>().initVariables(static_cast<uint32_t>(values.size()));
    for (uint32_t i = 0; i < variables.size(); ++i) {
      variables[i].setName(values[i].first);
      variables[i].setValue(values[i].second);
    }
    question.variables = ledger::canonical_bytes(message.getRoot<schema::VariableSet>().asReader());
    return daemons::find_named_files(question, files, urls);
  }
  std::string quoted(const std::string& name) { return '"' + (folder / name).string() + '"'; }
  /// "mask: /tmp/.../m.xml"
  static std::vector<std::string> words(const daemons::NamedFiles& found) {
    std::vector<std::string> words;
    for (const auto& file : found.files) words.push_back(file.variable + ": " + file.path);
    return words;
  }
  static int64_t in_a_minute() { return base::system_clock().now_ns() + 60 * support::FakeClock::kSecond; }

  support::TemporaryFolder folder;
  support::FakeClock clock{in_a_minute()};
  daemons::FileContents files{clock};
  daemons::UrlContents urls{clock};
  daemons::SupportQuestion question;
};

TEST_F(SupportFilesTest, FilesThatValuesNameAreTakenByContent) {
  auto found = find({{"mask", "\"masks/m.xml\""}, {"flood", quoted("flood.nxs")}, {"both", "[1, \"masks/m.xml\", " + quoted("flood.nxs") + ", \"masks/m.xml\"]"}});
  EXPECT_THAT(words(found), ElementsAre("mask: " + (folder / "script/masks/m.xml").string(), "flood: " + (folder / "flood.nxs").string(),
                                        "both: " + (folder / "script/masks/m.xml").string(), "both: " + (folder / "flood.nxs").string()));
  EXPECT_THAT(found.missing, IsEmpty());
  EXPECT_EQ(found.files[0].content.sha256, base::sha256("<mask/>"));
  EXPECT_EQ(found.files[0].content.size_bytes, 7u);
  EXPECT_TRUE(found.files[0].content.kept);
  EXPECT_EQ(*found.files[0].content.bytes, "<mask/>");
}

TEST_F(SupportFilesTest, OtherValuesArePassedAsTheyAre) {
  ASSERT_EQ(mkfifo((folder / "script/pipe").c_str(), 0600), 0);
  auto found = find({{"number", "3"}, {"none", "null"}, {"empty", "\"\""}, {"word", "\"auto\""}, {"folder", "\"masks\""}, {"gone", quoted("gone.xml")},
                     {"raw", quoted("MAR28001.nxs")}, {"above", "\"../flood.nxs\""}, {"itself", "\".\""}, {"pipe", "\"pipe\""}, {"object", "{\"python\": \"masks/m.xml\"}"},
                     {"broken", "\"masks/m.xml"}, {"nothing", ""}, {"null byte", "\"masks/m.xml\\u0000\""}, {"device", "\"/dev/null\""}, {"long", '"' + std::string(5000, 'x') + '"'}});
  EXPECT_THAT(words(found), IsEmpty());
  EXPECT_THAT(found.missing, IsEmpty());
}

TEST_F(SupportFilesTest, FileThatOnlyItsOwnerMayReadIsNone) {
  ASSERT_EQ(chmod((folder / "flood.nxs").c_str(), 0600), 0);
  EXPECT_THAT(words(find({{"key", quoted("flood.nxs")}})), IsEmpty());
  EXPECT_EQ(files.get(folder / "flood.nxs").status().code(), base::Code::kPermissionDenied);
}

TEST_F(SupportFilesTest, RawFileUnderAnotherNameIsNone) {
  std::filesystem::create_symlink(folder / "MAR28001.nxs", folder / "script/latest.nxs");
  EXPECT_THAT(words(find({{"input", "\"latest.nxs\""}})), IsEmpty());
}

TEST_F(SupportFilesTest, FileThatCannotBeReadIsMissing) {
  std::filesystem::create_symlink("/proc/version", folder / "script/mask.xml");
  EXPECT_THAT(find({{"mask", "\"mask.xml\""}}).missing, ElementsAre("mask names a file that cannot be had: " + (folder / "script/mask.xml").string() + ": it is being written to"));
}

TEST_F(SupportFilesTest, LargeFileIsKnownByItsHashAlone) {
  std::filesystem::resize_file(folder / "flood.nxs", daemons::FileContents::kLargestKeptBytes + 1);
  auto found = find({{"flood", quoted("flood.nxs")}});
  ASSERT_EQ(found.files.size(), 1u);
  EXPECT_FALSE(found.files[0].content.kept);
  EXPECT_EQ(found.files[0].content.bytes, nullptr);
  EXPECT_EQ(found.files[0].content.sha256, base::sha256("flood" + std::string(daemons::FileContents::kLargestKeptBytes + 1 - 5, '\0')));
}

TEST_F(SupportFilesTest, UnchangedFileIsNotReadAgain) {
  const std::string mask = folder / "script/masks/m.xml";
  EXPECT_NE(files.get(mask)->bytes, nullptr);
  EXPECT_EQ(files.get(mask)->bytes, nullptr) << "known by its times";
  EXPECT_NE(files.get(mask, true)->bytes, nullptr);
  folder.write("script/masks/m.xml", "<other/>");
  EXPECT_EQ(files.get(mask)->sha256, base::sha256("<other/>"));
  clock.advance(-60 * support::FakeClock::kSecond);
  folder.write("script/masks/m.xml", "<newer/>");
  EXPECT_NE(files.get(mask)->bytes, nullptr);
  EXPECT_NE(files.get(mask)->bytes, nullptr) << "it may have changed again within the same tick";
}

TEST_F(SupportFilesTest, MoreFilesThanAJobTakesAreNoJob) {
  std::string list = "[";
  for (int i = 0; i < 65; ++i) {
    folder.write("script/" + std::to_string(i), "");
    list += (i ? ", \"" : "\"") + std::to_string(i) + '"';
  }
  auto found = find({{"many", list + "]"}});
  EXPECT_EQ(found.files.size(), 64u);
  EXPECT_THAT(found.missing, ElementsAre(HasSubstr("more than 64 files")));
}

TEST_F(SupportFilesTest, UrlIsFetchedElseItsDefaultTakenElseMissing) {
  support::WebServer server;
  question.urls = {server.url("open/")};
  auto value = [&](const std::string& path, const std::string& otherwise) { return "{\"url\": \"" + server.url(path) + "\", \"default\": \"" + otherwise + "\"}"; };
  auto found = find({{"fetched", value("open/text", "masks/m.xml")}, {"default", value("open/none", "masks/m.xml")}, {"elsewhere", value("closed/text", "masks/m.xml")},
                     {"neither", value("open/none", "no.xml")}, {"outside", value("open/none", (folder / "flood.nxs").string())}});
  EXPECT_THAT(words(found), ElementsAre("fetched: " + server.url("open/text"), "default: " + (folder / "script/masks/m.xml").string(),
                                        "elsewhere: " + (folder / "script/masks/m.xml").string()));
  EXPECT_EQ(*found.files[0].content.bytes, "the text");
  EXPECT_THAT(found.missing, ElementsAre("neither names a file that cannot be had: " + server.url("open/none") +
                                             ": its server answered with status 404; and there is no file no.xml beside the script",
                                         HasSubstr("outside names a file that cannot be had")));
}

}  // namespace
