#include "daemons/worker/support_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"

namespace {

using daemons::AttemptPlan;
using Group = schema::Variable::Group;
using Json = nlohmann::json;

class SupportFilesTest : public testing::Test {
 protected:
  SupportFilesTest() { plan.script_path = "/share/scripts/reduce.py"; }
  size_t add(const std::string& name, const std::string& path, const std::string& bytes, bool kept = true) {
    plan.support_files.push_back({Group::ADVANCED, name, path, "", bytes.size(), kept});
    size_t index = plan.support_files.size() - 1;
    if (kept) {
      EXPECT_TRUE(daemons::lay_out_support_file(folder.path(), plan, index, bytes).is_ok());
    }
    return index;
  }
  Json value(const std::string& json, const std::string& name = "mask", Group group = Group::ADVANCED) {
    return Json::parse(daemons::value_with_places(json, group, name, folder.path(), plan));
  }
  std::string place(size_t index, const std::string& name) { return folder / std::to_string(index) / name; }

  support::TemporaryFolder folder;
  AttemptPlan plan;
};

TEST_F(SupportFilesTest, TextBecomesTheCopysPath) {
  add("mask", "/share/masks/mask.xml", "<mask/>");
  EXPECT_EQ(value("\"/share/masks/mask.xml\""), place(0, "mask.xml"));
  std::ifstream copy(place(0, "mask.xml"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(copy), {}), "<mask/>");
}

TEST_F(SupportFilesTest, PathBelowTheScriptsFolderIsRecognised) {
  add("mask", "/share/scripts/masks/mask.xml", "");
  EXPECT_EQ(value("\"masks/mask.xml\""), place(0, "mask.xml"));
  EXPECT_EQ(value("\"./masks/../masks/mask.xml\""), place(0, "mask.xml"));
}

TEST_F(SupportFilesTest, OnlyMatchingElementsOfAListChange) {
  add("mask", "/a/one.xml", "");
  add("mask", "/b/one.xml", "");
  EXPECT_EQ(value(R"(["/b/one.xml", 7, "no file", "/a/one.xml", ""])"),
            Json::array({place(1, "one.xml"), 7, "no file", place(0, "one.xml"), ""}));
}

TEST_F(SupportFilesTest, OtherVariablesAreLeftAlone) {
  add("mask", "/a/one.xml", "");
  EXPECT_EQ(value("\"/a/one.xml\"", "map"), "/a/one.xml");
  EXPECT_EQ(value("\"/a/one.xml\"", "mask", Group::STANDARD), "/a/one.xml");
  EXPECT_EQ(daemons::value_with_places("{\"python\": \"f()\"}", Group::ADVANCED, "mask", folder.path(), plan), "{\"python\": \"f()\"}");
  EXPECT_EQ(daemons::value_with_places("", Group::ADVANCED, "map", folder.path(), plan), "");
}

TEST_F(SupportFilesTest, FileThatIsNotKeptIsPassedAsItIs) {
  add("mask", "/share/scripts/big.nxs", "", false);
  EXPECT_EQ(value("\"big.nxs\""), "big.nxs");
}

TEST_F(SupportFilesTest, UrlComesWithItsTextAndItsPath) {
  add("mask", "https://example.org/masks/mask.xml?raw=1#top", "<mask>\u00e9</mask>");
  Json expected = {{"url", "https://example.org/masks/mask.xml?raw=1#top"},
                   {"default", "mask.xml"},
                   {"value", "<mask>\u00e9</mask>"},
                   {"path", place(0, "mask.xml")}};
  EXPECT_EQ(value(R"({"url": "https://example.org/masks/mask.xml?raw=1#top", "default": "mask.xml"})"), expected);
}

TEST_F(SupportFilesTest, FileInPlaceOfAnUnreachableUrlIsTheUrlVariables) {
  add("mask", "/share/scripts/fallback.xml", "here");
  Json found = value(R"({"url": "https://example.org/x", "default": "fallback.xml"})");
  EXPECT_EQ(found["value"], "here");
  EXPECT_EQ(found["path"], place(0, "fallback.xml"));
}

TEST_F(SupportFilesTest, UrlsContentThatIsNoTextOrTooLongIsOnlyAPath) {
  add("mask", "https://example.org/a.bin", "\xff\xfe");
  EXPECT_TRUE(value(R"({"url": "https://example.org/a.bin"})")["value"].is_null());
  add("map", "https://example.org/long", std::string((1u << 20) + 1, 'x'));
  EXPECT_TRUE(value(R"({"url": "https://example.org/long"})", "map")["value"].is_null());
  add("cal", "https://example.org/just", std::string(1u << 20, 'x'));
  EXPECT_TRUE(value(R"({"url": "https://example.org/just"})", "cal")["value"].is_string());
}

TEST_F(SupportFilesTest, UrlWithoutANameIsLaidOutAllTheSame) {
  add("mask", "https://example.org/?id=7", "x");
  EXPECT_EQ(value(R"({"url": "https://example.org/?id=7"})")["path"], place(0, "file"));
}

}  // namespace
