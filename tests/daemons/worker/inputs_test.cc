#include "daemons/worker/inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "ledger/canonical.h"
#include "tests/support/temporary_folder.h"

namespace {

using daemons::PlannedInput;
using daemons::PlannedSupportFile;
using testing::ElementsAre;
using testing::HasSubstr;

std::string sha256(std::string_view bytes) { return std::string(base::as_bytes(base::sha256(bytes))); }

std::vector<std::string> taken(const std::vector<std::string>& paths, const std::vector<std::string>& patterns) {
  capnp::MallocMessageBuilder message;
  auto files = message.initRoot<schema::OutputManifest>().initFiles(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) files[i].setPath(paths[i]);
  std::vector<std::string> names;
  for (const PlannedInput& input : daemons::files_taken(message.getRoot<schema::OutputManifest>().asReader(), "/out/v1", patterns)) {
    names.push_back(input.path);
  }
  return names;
}

TEST(InputsTest, WithoutPatternsAllButTheLogsAreTaken) {
  EXPECT_THAT(taken({"a.nxspe", "plots/a.png", "reduction_log/a.log"}, {}), ElementsAre("/out/v1/a.nxspe", "/out/v1/plots/a.png"));
}

TEST(InputsTest, PatternsAreOfTheShell) {
  EXPECT_THAT(taken({"a.nxspe", "a.txt", "sub/b.nxspe"}, {"*.nxspe"}), ElementsAre("/out/v1/a.nxspe"));
  EXPECT_THAT(taken({"a.nxspe", "a.txt", "sub/b.nxspe"}, {"*.txt", "sub/*"}), ElementsAre("/out/v1/a.txt", "/out/v1/sub/b.nxspe"));
  EXPECT_THAT(taken({"a.nxspe"}, {"*.raw"}), ElementsAre());
}

TEST(InputsTest, PathsThatLeaveTheResultAreNotTaken) {
  EXPECT_THAT(taken({"../other/a", "/etc/passwd", "b"}, {}), ElementsAre("/out/v1/b"));
}

TEST(InputsTest, ResultsFileIsAlwaysReadAndNamedAsSuch) {
  support::TemporaryFolder folder;
  PlannedInput input{folder.write("a.nxspe", "abc"), 3, sha256("abc"), 0, "result's file"};
  EXPECT_EQ(daemons::input_problem({input}), "");
  folder.write("a.nxspe", "abd");
  EXPECT_THAT(daemons::input_problem({input}), HasSubstr("a.nxspe: its bytes have changed"));
  std::filesystem::remove(input.path);
  EXPECT_THAT(daemons::input_problem({input}), HasSubstr("a.nxspe: the result's file is not to be had"));
}

TEST(InputsTest, ReadingStopsWhenNobodyWantsIt) {
  support::TemporaryFolder folder;
  auto stop = std::make_shared<std::atomic<bool>>(true);
  EXPECT_THAT(daemons::input_problem({{folder.write("a", "abc"), 3, sha256("abc"), 0}}, stop), HasSubstr("stopped"));
}

TEST(InputsTest, LargeSupportFileMustStillBeWhatItWas) {
  support::TemporaryFolder folder;
  PlannedSupportFile file{schema::Variable::Group::STANDARD, "mask file", folder.write("mask.xml", "abc"), sha256("abc"), 3, false};
  EXPECT_EQ(daemons::support_file_problem({file}), "");
  folder.write("mask.xml", "abd");
  EXPECT_THAT(daemons::support_file_problem({file}), HasSubstr("mask.xml: its bytes have changed since it was recorded"));
  EXPECT_THAT(daemons::support_file_problem({file}), HasSubstr("(variable mask file)"));
  file.kept = true;
  EXPECT_EQ(daemons::support_file_problem({file}), "") << "the job gets a copy of what is on record";
}

}  // namespace
