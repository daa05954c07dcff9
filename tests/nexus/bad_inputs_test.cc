// Bad and awkward files, made by tests/data/make_bad_inputs.py, each with the outcome and the sentence it must get.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/sha256.h"
#include "tests/nexus/report_fixture.h"

namespace {

using nexus_test::Report;
using nexus_test::TemporaryFolder;
using ::testing::HasSubstr;

class BadInputsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    std::string command = std::string("/usr/bin/python3 '") + RUNLEDGER_BAD_INPUTS + "' '" + folder_->path().string() + "'";
    made_ = std::system(command.c_str()) == 0;
  }
  static void TearDownTestSuite() { folder_.reset(); }
  void SetUp() override { ASSERT_TRUE(made_) << "make_bad_inputs.py failed; it needs /usr/bin/python3 with h5py"; }

  static std::string path(std::string_view name) { return (folder_->path() / name).string(); }
  static Report report(std::string_view name) { return Report(path(name), folder_->path().string()); }

  static void expect_outcome(std::string_view name, std::string_view outcome, std::string_view reason) {
    Report found = report(name);
    EXPECT_EQ(found.outcome(), outcome) << name << ": " << found.reason();
    EXPECT_THAT(found.reason(), HasSubstr(std::string(reason))) << name;
  }
  /// A run whose run number is unknown, for a reason that is said.
  static void expect_no_number(std::string_view name, std::string_view raw, std::string_view problem) {
    Report found = report(name);
    ASSERT_EQ(found.outcome(), "run") << name << ": " << found.reason();
    EXPECT_FALSE(found.run().getRunNumber().getKnown()) << name;
    EXPECT_EQ(found.run().getRunNumber().getValue(), 0) << name;
    EXPECT_EQ(std::string(found.run().getRunNumber().getRaw().cStr()), raw) << name;
    EXPECT_TRUE(found.has_problem(problem)) << name << ": " << ::testing::PrintToString(found.problems());
    EXPECT_EQ(std::string(found.run().getTitle().getValue().cStr()), "CeO2 4 x 4 x 15") << "the other fields are read";
  }
  static void expect_number(std::string_view name, int64_t number) {
    Report found = report(name);
    ASSERT_EQ(found.outcome(), "run") << name << ": " << found.reason();
    EXPECT_TRUE(found.run().getRunNumber().getKnown()) << name;
    EXPECT_EQ(found.run().getRunNumber().getValue(), number) << name;
  }
  static void expect_whole(std::string_view name) {
    Report found = report(name);
    ASSERT_EQ(found.outcome(), "run") << name << ": " << found.reason();
    EXPECT_THAT(found.problems(), ::testing::IsEmpty()) << name;
    EXPECT_EQ(found.run().getRunNumber().getValue(), 28001) << name;
  }

  static inline std::unique_ptr<TemporaryFolder> folder_;
  static inline bool made_ = false;
};

TEST_F(BadInputsTest, BaseIsARunWithoutProblems) {
  expect_whole("base.nxs");
  Report base = report("base.nxs");
  EXPECT_EQ(base.reader().getFile().getSha256().size(), 32u);
  EXPECT_GT(base.reader().getInode(), 0u);
  EXPECT_GT(base.reader().getFile().getModifiedAt(), 0);
  EXPECT_FALSE(base.run().getTotalCounts().getKnown()) << "0 beside a histogram is not the number of counts";
}

TEST_F(BadInputsTest, UnfinishedFilesAreWaitedFor) {  // recipes 1, 2, 5, 6
  expect_outcome("empty.nxs", "not yet: empty", "empty so far");
  expect_outcome("cut_half.nxs", "not yet: truncated", "superblock says");
  expect_outcome("cut_one_byte.nxs", "not yet: truncated", "superblock says");
  expect_outcome("cut_512.nxs", "not yet: truncated", "it has 512 bytes");
  expect_outcome("cut_8.nxs", "not yet: truncated", "it has 8 bytes");
  expect_outcome("cut_5.nxs", "not yet: truncated", "it has 5 bytes");
  expect_outcome("half_zeros.nxs", "not yet: damaged_structure", "it opens but is not whole");
  expect_outcome("all_zeros.nxs", "not yet: preallocated", "are zero");
  expect_outcome("all_hole.nxs", "not yet: preallocated", "all of its 50000000 bytes are zero");
  EXPECT_EQ(report("cut_half.nxs").reader().getFile().getSha256().size(), 0u) << "no identity before it is complete";
}

TEST_F(BadInputsTest, OtherKindsOfFileAreNamed) {  // recipes 3, 4, 29
  expect_outcome("damaged_signature.nxs", "refused: not_hdf5", "signature is damaged (894844470d0a1a0a");
  expect_outcome("text_mode.nxs", "refused: text_mode", "text-mode transfer");
  expect_outcome("text_mode_7bit.nxs", "refused: text_mode", "text-mode transfer");
  expect_outcome("hdf4.nxs", "refused: hdf4", "HDF4");
  expect_outcome("isis.raw", "refused: isis_raw", "INT07709");
  expect_outcome("lfs_pointer.nxs", "refused: git_lfs_pointer", "git lfs pull");
  expect_outcome("html.nxs", "refused: html", "HTML");
  expect_outcome("gzip.nxs", "refused: gzip", "gunzip");
  expect_outcome("zip.nxs", "refused: zip", "ZIP");
  expect_outcome("text.nxs", "refused: not_hdf5", "beginning 5468697320697320");
  EXPECT_EQ(report("text.nxs").reader().getFile().getSha256().size(), 32u) << "a refusal names the bytes it is about";
}

TEST_F(BadInputsTest, JunkAfterTheEndIsHashedToo) {  // recipe 7
  expect_whole("junk_after.nxs");
  std::ifstream stream(path("junk_after.nxs"), std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  auto hash = report("junk_after.nxs").reader().getFile().getSha256().asChars();
  EXPECT_EQ(std::string(hash.begin(), hash.end()), base::as_bytes(base::sha256(bytes)));
}

TEST_F(BadInputsTest, RunNumberThatIsNoneIsUnknownWithItsReason) {  // recipe 8
  expect_no_number("number_absent.nxs", "", "has no run_number");
  expect_no_number("number_group.nxs", "", "run_number is a group");
  expect_no_number("number_compound.nxs", "", "run_number is a compound");
  expect_no_number("number_array.nxs", "[1, 2, 3]", "run_number is an array of shape [3]");
  expect_no_number("number_nan.nxs", "nan", "run_number is a floating-point number");
  expect_no_number("number_float.nxs", "28001.5", "run_number is a floating-point number");
  expect_no_number("number_negative.nxs", "-1", "run_number is negative");
  expect_no_number("number_zero.nxs", "0", "run_number is 0");
  expect_no_number("number_huge.nxs", "18446744073709551615", "run_number is too large");
  expect_no_number("number_null.nxs", "", "run_number has no value (a null dataspace)");
  expect_no_number("number_no_elements.nxs", "", "run_number has no value (shape [0])");
  expect_no_number("number_shell.nxs", "0x12; rm -rf /", "run_number is not a number in digits");
}

TEST_F(BadInputsTest, RunNumberIsReadInEveryShape) {
  expect_number("number_text.nxs", 28001);
  expect_number("number_vlen_text.nxs", 28001);
  expect_number("number_byte.nxs", 7);
  expect_number("number_big_endian.nxs", 28001);
}

TEST_F(BadInputsTest, TextsAreKeptOrReplacedVisibly) {  // recipes 9, 10
  auto title = [](std::string_view name) { return std::string(report(name).run().getTitle().getValue().cStr()); };
  EXPECT_EQ(title("title_latin1.nxs"), "caf\\xe9 \\xc5");
  EXPECT_TRUE(report("title_latin1.nxs").has_problem("title is not UTF-8"));
  EXPECT_EQ(title("title_control.nxs"), "a\\x00b\x1b[31mred\r\n\\xff.");
  EXPECT_TRUE(report("title_control.nxs").has_problem("title holds a NUL"));
  EXPECT_EQ(title("title_utf8.nxs"), "Größe 中文");
  EXPECT_TRUE(report("title_utf8.nxs").problems().empty());
  EXPECT_EQ(title("title_template.nxs"), "a/b\nc\"; $(id) {{7*7}} <script>");
  EXPECT_FALSE(report("title_blank.nxs").run().getTitle().getKnown());
  EXPECT_EQ(std::string(report("experiment_path.nxs").run().getExperiment().getValue().cStr()), "../../../../etc/cron.d");
  EXPECT_FALSE(report("experiment_blank.nxs").run().getExperiment().getKnown());
  EXPECT_EQ(std::string(report("experiment_blank.nxs").run().getExperiment().getRaw().cStr()), " ");
}

TEST_F(BadInputsTest, NumberThatNamesNoExperimentIsKeptAndSaid) {
  auto experiment = [](std::string_view name) { return std::string(report(name).run().getExperiment().getValue().cStr()); };
  for (std::string_view name : {"minus", "zero", "number", "zeros"}) {
    EXPECT_TRUE(report("experiment_" + std::string(name) + ".nxs").has_problem("which names no experiment")) << name;
  }
  EXPECT_EQ(experiment("experiment_minus.nxs"), "-1");
  EXPECT_EQ(experiment("experiment_number.nxs"), "-1");
  EXPECT_EQ(experiment("experiment_zero.nxs"), "0");
  EXPECT_EQ(experiment("experiment_elsewhere.nxs"), "2010001") << "the next field that says something";
  EXPECT_TRUE(report("experiment_elsewhere.nxs").problems().empty());
  EXPECT_TRUE(report("experiment_like.nxs").problems().empty());
  EXPECT_TRUE(report("experiment_blank.nxs").problems().empty());
}

TEST_F(BadInputsTest, LongTitleIsCutAndSaid) {
  Report found = report("title_50mb.nxs");
  ASSERT_EQ(found.outcome(), "run");
  EXPECT_LE(found.run().getTitle().getValue().size(), 1024u);
  EXPECT_GT(found.run().getTitle().getValue().size(), 1000u);
  EXPECT_TRUE(found.has_problem("title is 50000000 bytes long"));
}

TEST_F(BadInputsTest, OtherFilesAreNotRead) {  // recipes 12, 17, 18
  EXPECT_TRUE(report("external_missing.nxs").has_problem("/raw_data_1/detector_2 -> nosuch.h5 : /x"));
  EXPECT_TRUE(report("external_passwd.nxs").has_problem("/etc/passwd"));
  for (const char* name : {"external_title.nxs", "external_storage.nxs"}) {
    Report found = report(name);
    ASSERT_EQ(found.outcome(), "run") << name;
    EXPECT_FALSE(found.run().getTitle().getKnown()) << name;
    EXPECT_EQ(found.run().getRunNumber().getValue(), 28001) << name;
  }
  EXPECT_TRUE(report("external_title.nxs").has_problem("title is a link to another file"));
  EXPECT_TRUE(report("external_storage.nxs").has_problem("title keeps its data in another file (/etc/hostname)"));
  EXPECT_TRUE(report("virtual.nxs").has_problem("1 virtual dataset"));
  EXPECT_FALSE(report("virtual_charge.nxs").run().getProtonCharge().getKnown());
  EXPECT_TRUE(report("virtual_charge.nxs").has_problem("proton_charge is a virtual dataset"));
}

TEST_F(BadInputsTest, LinksInCirclesEnd) {  // recipes 13, 14
  expect_no_number("soft_circle.nxs", "", "run_number is a soft link that leads in a circle");
  expect_whole("soft_field.nxs");
  expect_whole("hard_cycle.nxs");
  expect_whole("nested.nxs");
  expect_whole("many_soft.nxs");
}

TEST_F(BadInputsTest, WalkEndsAtItsLimitsAndSaysSo) {
  nexus::ExamineOptions few;
  few.objects_most = 20;
  EXPECT_TRUE(Report(path("base.nxs"), "", few).has_problem("goes beyond 20 objects"));
  nexus::ExamineOptions flat;
  flat.depth_most = 100;
  EXPECT_TRUE(Report(path("nested.nxs"), "", flat).has_problem("goes beyond 100 levels"));
  nexus::ExamineOptions hurried;
  hurried.walk_time = std::chrono::milliseconds(-1);
  EXPECT_TRUE(Report(path("base.nxs"), "", hurried).has_problem("only part of the file's structure was checked"));
}

TEST_F(BadInputsTest, ClaimedShapeIsNotAllocated) { expect_whole("huge_shape.nxs"); }  // recipe 15

TEST_F(BadInputsTest, DamagedDataLeaveTheMetadataRight) {  // recipe 19
  expect_number("damaged_chunk.nxs", 28001);
  EXPECT_TRUE(report("damaged_chunk.nxs").has_problem("chunk 0 of /raw_data_1/detector_1/counts"));
}

TEST_F(BadInputsTest, EntryIsChosenByRule) {  // recipes 21, 22
  expect_number("two_entries.nxs", 28002);
  EXPECT_TRUE(report("two_entries.nxs").has_problem("different run numbers (28002, 28001); /a_second is read, the first by name"));
  expect_number("two_entries_default.nxs", 28001);
  EXPECT_TRUE(report("two_entries_default.nxs").has_problem("/raw_data_1 is read, named by the attribute default"));
  EXPECT_EQ(report("two_entries.nxs").run().getEntryCount(), 2u);
  expect_outcome("no_class.nxs", "refused: no_entry", "/raw_data_1 has no NX_class");
  expect_outcome("integer_class.nxs", "refused: no_entry", "NX_class of /raw_data_1 is not a text");
  expect_outcome("nothing_inside.nxs", "refused: no_entry", "the file holds nothing");
  expect_whole("array_class.nxs");
}

TEST_F(BadInputsTest, OddTimesAreKeptAsGivenAndSaid) {  // recipes 23, 24
  EXPECT_TRUE(report("end_before_start.nxs").has_problem("end_time 2015-07-01T15:00:00 is before start_time 2015-07-01T15:29:17"));
  EXPECT_TRUE(report("end_2099.nxs").has_problem("later than the file itself"));
  EXPECT_TRUE(report("end_empty.nxs").has_problem("end_time is empty"));
  Report invalid = report("end_no_date.nxs");
  EXPECT_FALSE(invalid.run().getEndTime().getKnown());
  EXPECT_EQ(std::string(invalid.run().getEndTime().getRaw().cStr()), "1999-13-45T99:99:99");
  EXPECT_TRUE(invalid.has_problem("end_time is not a time"));
  EXPECT_EQ(std::string(report("end_integers.nxs").run().getEndTime().getRaw().cStr()), "[1319617013, -1075840652]");
  Report repeated = report("start_repeated_hour.nxs");
  EXPECT_TRUE(repeated.run().getStartTime().getKnown());
  EXPECT_FALSE(repeated.run().getStartTime().getZoned());
}

TEST_F(BadInputsTest, ContainersOfOtherVersionsAreReadOrNamed) {  // recipes 25, 26
  expect_whole("user_block.nxs");
  expect_whole("superblock_v3.nxs");
  expect_outcome("superblock_v9.nxs", "refused: unsupported_version", "superblock has version 9");
}

TEST_F(BadInputsTest, FileOfAKilledWriterIsNeverClosed) {  // recipe 27
  expect_outcome("killed.nxs", "not yet: unclosed_writer", "never closed by its writer");
  expect_outcome("killed_swmr.nxs", "not yet: unclosed_writer", "h5clear");
}

TEST_F(BadInputsTest, EventsAreCountedOncePerBank) {
  auto counts = report("event_banks.nxs").run().getTotalCounts();
  EXPECT_TRUE(counts.getKnown());
  EXPECT_EQ(counts.getValue(), 100);
}

}  // namespace
