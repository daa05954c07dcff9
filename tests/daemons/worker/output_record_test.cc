#include "daemons/worker/output_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/text.h"
#include "daemons/worker/reporter.h"
#include "ledger/canonical.h"
#include "tests/support/temporary_folder.h"

namespace {

using daemons::OutputListing;
using daemons::OutputRecord;
using daemons::OutsideEntry;
using daemons::TouchedFile;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using What = schema::OutsideFile::What;
namespace fs = std::filesystem;

OutputListing listing_of(const std::vector<std::string>& paths) {
  OutputListing listing;
  for (const std::string& path : paths) listing.files.push_back({path, 10, {}, false});
  return listing;
}

std::vector<std::string> declared_of(const OutputListing& listing) {
  std::vector<std::string> paths;
  for (const auto& file : listing.files) {
    if (file.declared) paths.push_back(file.path);
  }
  return paths;
}

TEST(OutputRecordTest, NamedResultsAreMarked) {
  OutputListing listing = listing_of({"a.nxs", "plots/one.png", "plots/two.png", "plots.txt"});
  EXPECT_THAT(daemons::mark_declared(listing, {"a.nxs", "./plots/", "/out/.staging/plots.txt", "a.nxs"}, "/out/.staging"), IsEmpty());
  EXPECT_THAT(declared_of(listing), ElementsAre("a.nxs", "plots/one.png", "plots/two.png", "plots.txt"));
}

TEST(OutputRecordTest, TheWholeOutputMayBeNamed) {
  OutputListing listing = listing_of({"a.nxs", "sub/b"});
  EXPECT_THAT(daemons::mark_declared(listing, {"/out/.staging/"}, "/out/.staging"), IsEmpty());
  EXPECT_EQ(declared_of(listing).size(), 2u);
}

TEST(OutputRecordTest, NamesWithoutAFileAreRemarks) {
  OutputListing listing = listing_of({"a.nxs"});
  EXPECT_THAT(daemons::mark_declared(listing, {"a", "../a.nxs", "/home/b.nxs"}, "/out/.staging"),
              ElementsAre("named as a result, but not made: a", "named as a result, but not made: ../a.nxs",
                          "named as a result, but it lies outside the output directory: /home/b.nxs"));
  EXPECT_THAT(declared_of(listing), IsEmpty());
}

TEST(OutputRecordTest, ManyNamesWithoutAFileAreCounted) {
  OutputListing listing;
  std::vector<std::string> names;
  for (int i = 0; i < 5000; ++i) names.push_back("missing-" + std::to_string(i));
  auto remarks = daemons::mark_declared(listing, names, "/out");
  EXPECT_EQ(remarks.size(), 21u);
  EXPECT_THAT(remarks.back(), HasSubstr("4980 more were named as results"));
}

TEST(OutputRecordTest, LogsAreListedButNotCounted) {
  OutputRecord record;
  record.listing = listing_of({"reduction_log", "reduction_log.txt", "reduction_log/a.log"});
  auto reported = daemons::ReportedOutputs::of(record, "/out");
  EXPECT_EQ(reported.files, 2u);
  EXPECT_EQ(reported.total_bytes, 20u);
  ledger::Row<schema::OutputManifest> manifest(reported.manifest);
  EXPECT_EQ(manifest.get().getFiles().size(), 3u);
}

class OutsideTest : public testing::Test {
 protected:
  TouchedFile before(const std::string& name) {
    struct stat info {};
    EXPECT_EQ(stat((folder / name).c_str(), &info), 0);
    return {folder / name, true, static_cast<uint64_t>(info.st_size),
            int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
  }
  TouchedFile absent(const std::string& name) { return {folder / name, false, 0, 0}; }
  std::vector<std::string> seen(const std::vector<TouchedFile>& touched, uint64_t hash_bytes = daemons::kOutsideHashBytes) {
    static const char* const kWords[] = {"created", "changed", "removed"};
    std::vector<std::string> lines;
    for (const OutsideEntry& entry : daemons::look_outside(touched, {folder / "own"}, hash_bytes)) {
      lines.push_back(std::string(kWords[static_cast<size_t>(entry.what)]) + " " + fs::path(entry.path).filename().string() + " " +
                      std::to_string(entry.size_bytes) + (entry.sha256.empty() ? "" : " " + base::hex(entry.sha256).substr(0, 6)));
    }
    return lines;
  }
  support::TemporaryFolder folder;
};

TEST_F(OutsideTest, WhatBecameOfEachFileIsTold) {
  folder.write("log.csv", "one\n");
  folder.write("old", "x");
  folder.write("same", "y");
  std::vector<TouchedFile> touched{absent("new"), before("log.csv"), before("old"), before("same"), absent("never")};
  folder.write("new", "abc");
  folder.write("log.csv", "one\ntwo\n");
  fs::remove(folder / "old");
  EXPECT_THAT(seen(touched), ElementsAre(testing::StartsWith("changed log.csv 8 "), "created new 3 ba7816", "removed old 0"));
}

TEST_F(OutsideTest, OwnFoldersAreNotOutside) {
  fs::create_directory(folder / "own");
  folder.write("own/file", "x");
  folder.write("ownership", "x");
  EXPECT_THAT(seen({absent("own/file"), absent("other/../own/file"), absent("ownership")}),
              ElementsAre(testing::StartsWith("created ownership 1")));
}

TEST_F(OutsideTest, ReadingIsBounded) {
  folder.write("a", "12345");
  folder.write("b", "123456");
  folder.write("c", "1");
  EXPECT_THAT(seen({absent("a"), absent("b"), absent("c")}, 6),
              ElementsAre(testing::StartsWith("created a 5 "), "created b 6", testing::StartsWith("created c 1 ")));
}

TEST_F(OutsideTest, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  fs::create_directory(folder / "directory");
  fs::create_symlink("/etc/passwd", folder / "link");
  EXPECT_THAT(seen({absent("pipe"), absent("directory"), absent("link")}), ElementsAre("created link 11"));
}

TEST_F(OutsideTest, FileNamedTwiceIsToldOnce) {
  folder.write("a", "");
  EXPECT_EQ(seen({absent("a"), absent("a")}).size(), 1u);
}

TEST_F(OutsideTest, ManifestHoldsItAll) {
  OutputRecord record;
  record.listing = listing_of({"caf\xe9.nxs"});
  record.listing.files[0].declared = true;
  record.outside = {{"/home/x", What::REMOVED, 0, ""}};
  record.remarks = {"odd", "caf\xe9"};
  auto reported = daemons::ReportedOutputs::of(record, "/out");
  EXPECT_EQ(reported.outside, 1u);
  EXPECT_EQ(reported.remarks, 2u);
  auto manifest = ledger::Row<schema::OutputManifest>::parse(reported.manifest, "manifest");
  ASSERT_TRUE(manifest.is_ok()) << manifest.status().message();
  EXPECT_TRUE(manifest->get().getFiles()[0].getDeclared());
  EXPECT_EQ(std::string(manifest->get().getFiles()[0].getPath().cStr()), "caf\\xe9.nxs");
  EXPECT_EQ(manifest->get().getOutside()[0].getWhat(), What::REMOVED);
  EXPECT_EQ(std::string(manifest->get().getRemarks()[1].cStr()), "caf\\xe9");
}

}  // namespace
