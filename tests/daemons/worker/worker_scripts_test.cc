// What run_script.py tells of a script, as it arrives on record.
#include <gmock/gmock.h>

#include "tests/daemons/worker/worker_case.h"

namespace {

using schema::FailureKind;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using Outcome = schema::AttemptRow::Outcome;
namespace fs = std::filesystem;

class WorkerScriptsTest : public support::WorkerCase {
 protected:
  struct Found {
    std::vector<std::string> declared, others, outside, remarks;
  };
  Found found_in(schema::AttemptRow::Reader attempt) {
    static const char* const kWords[] = {"created ", "changed ", "removed "};
    ledger::Row<schema::OutputManifest> manifest(ledger.blob(attempt.getOutputs().getManifest()));
    Found found;
    for (auto file : manifest.get().getFiles()) (file.getDeclared() ? found.declared : found.others).emplace_back(ledger::view(file.getPath()));
    for (auto file : manifest.get().getOutside()) {
      found.outside.push_back(kWords[static_cast<size_t>(file.getWhat())] + std::string(ledger::view(file.getPath())));
    }
    for (auto remark : manifest.get().getRemarks()) found.remarks.emplace_back(ledger::view(remark));
    return found;
  }
  uint64_t queue_fia(const std::string& script) {
    return queue(script, [](schema::JobQueued::Builder job) { job.setContract(schema::Contract::FIA); });
  }
};

TEST_F(WorkerScriptsTest, DirectoryThatMainReturnsGetsACopy) {
  auto attempt = reduce("def main(input_file, output_dir):\n    open(output_dir + 'a.nxs', 'w').write('1')\n    return ['" +
                        (folder / "extra").string() + "', 'a.nxs']\n");
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(read(folder / "extra/a.nxs"), "1");
  EXPECT_THAT(found_in(attempt).declared, ElementsAre("a.nxs"));
  EXPECT_THAT(found_in(attempt).remarks, Contains(HasSubstr("the output is copied there")));
  expect_nothing_left();
}

TEST_F(WorkerScriptsTest, FilesWrittenElsewhereAreOnRecord) {
  write(folder / "shared.csv", "one\n");
  auto attempt = reduce("import os\ndef main(input_file, output_dir):\n    open('" + (folder / "shared.csv").string() +
                        "', 'a').write('two\\n')\n    open('" + (folder / "new.txt").string() + "', 'w')\n" +
                        "    open(os.path.expanduser('~/mine.txt'), 'w')\n    open('here.txt', 'w')\n");
  EXPECT_EQ(attempt.getOutputs().getFiles(), 0u);
  EXPECT_THAT(found_in(attempt).outside,
              ElementsAre("created " + (folder / "new.txt").string(), "changed " + (folder / "shared.csv").string()));
}

TEST_F(WorkerScriptsTest, FiaScriptWritesWhereItAlwaysDid) {
  auto attempt = work(queue_fia("open('/output/a.nxs', 'w').write('1')\noutput = ['a.nxs', 'b.nxs']\nprint('done')\n"));
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED);
  EXPECT_EQ(attempt.getOutputs().getFiles(), 1u);
  EXPECT_THAT(found_in(attempt).declared, ElementsAre("a.nxs"));
  EXPECT_THAT(found_in(attempt).others, ElementsAre("reduction_log/reduce.log", "reduction_log/reduce.py"));
  EXPECT_THAT(found_in(attempt).remarks, Contains(HasSubstr("b.nxs")));
}

TEST_F(WorkerScriptsTest, FiaScriptsLastLineDecides) {
  auto attempt = work(queue_fia("print('{\"status\": \"Error\", \"status_message\": \"no peak\", \"stacktrace\": \"line 7\"}')\n"));
  EXPECT_EQ(attempt.getOutcome(), Outcome::FAILED);
  EXPECT_EQ(std::string(attempt.getMessage().cStr()), "no peak");
  EXPECT_EQ(traceback_of(attempt), "line 7");
  EXPECT_EQ(attempt.getOutputs().getFiles(), 0u);
  EXPECT_TRUE(fs::exists(output.string() + ".failed-attempt-1/reduction_log/reduce.py")) << "the text with its values is kept";
}

TEST_F(WorkerScriptsTest, NeighbourThatIsNotOnRecordIsSeenAndSaid) {
  write(folder / "scripts/table.csv", "1,2\n");
  auto attempt = reduce("import os\ndef main(input_file, output_dir):\n    print(open(os.path.join(os.path.dirname(__file__), 'table.csv')).read())\n");
  EXPECT_EQ(log_of(attempt), "1,2\n\n");
  EXPECT_THAT(found_in(attempt).remarks, Contains(HasSubstr("read table.csv beside the script")));
}

TEST_F(WorkerScriptsTest, SummaryScriptsComplaintFailsNothing) {
  uint64_t job = queue("print('reduced')\n", [&](schema::JobQueued::Builder queued) {
    queued.setContract(schema::Contract::SNS);
    queued.setStderrFails(true);
    auto sibling = queued.initSiblings(1)[0];
    sibling.setName("sumRun_MARI.py");
    sibling.setSha256(ledger::data(ledger.store("import sys\nsys.stderr.write('Error: no line\\n')\nsys.exit(2)\n")));
  });
  auto attempt = work(job);
  EXPECT_EQ(attempt.getOutcome(), Outcome::SUCCEEDED) << attempt.getMessage().cStr();
  EXPECT_THAT(found_in(attempt).remarks, Contains(HasSubstr("sumRun_MARI.py ended with status 2")));
}

}  // namespace
