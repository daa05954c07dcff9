// What coordinatord sees of scripts and support files, with a job and without one.
#include "daemons/coordinator/looking_again.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/daemons/coordinator/coordinated.h"

namespace {

using namespace coordinator_test;
using Choice = schema::ReductionRequested::ScriptChoice;

class LookingAgainTest : public Coordinated {
 protected:
  LookingAgainTest() { stop(); }
  ~LookingAgainTest() noexcept override {}

  void start_looking() {
    look_again_ms = 1;
    start();
  }
  ledger::Row<schema::JobRow> job_of(uint64_t number) {
    detect(number);
    EXPECT_EQ(state(number), RunState::QUEUED) << sentence(number);
    return job(run(number).get().getJob());
  }
  /// Version 1 once more.
  ledger::Row<schema::JobRow> repeat(uint64_t number, Choice script, bool fresh_variables) {
    cancel(run(number).get().getJob());
    auto next = rerun(number, [&](schema::ReductionRequested::Builder wanted) {
      wanted.setScript(script);
      wanted.setFreshVariables(fresh_variables);
      wanted.setBasis(1);
    });
    if (!next) throw std::runtime_error(sentence(number));
    return std::move(*next);
  }
  std::string script_on_record() { return std::string(ledger::view(served.mari().get().getScript().getSha256())); }
  std::optional<ledger::Row<schema::SupportFileRow>> on_record(const std::string& name) {
    return ledger::find_support_file(*served.ledger->snapshot(), "MARI", (served.folder / name).string());
  }
  bool has_content(const std::string& name, std::string_view bytes) {
    auto row = on_record(name);
    return row && ledger::view(row->get().getFile().getSha256()) == base::as_bytes(base::sha256(bytes));
  }
  static std::string content_of(const ledger::Row<schema::JobRow>& job) {
    auto files = job.get().getQueued().getSupportFiles();
    return files.size() == 1 ? std::string(ledger::view(files[0].getSha256())) : std::to_string(files.size()) + " files";
  }
  static std::string hash(std::string_view bytes) { return std::string(base::as_bytes(base::sha256(bytes))); }
};

TEST_F(LookingAgainTest, ChangedScriptIsOnRecordWithoutARun) {
  start_looking();
  served.until([&] { return script_on_record() == hash("def main(input_file, output_dir):\n    pass\n"); });
  write("reduce.py", "import helper\n");
  served.until([&] { return script_on_record() == hash("import helper\n"); });
  write("helper.py", "x = 1\n");
  served.until([&] { return served.mari().get().getScript().getSiblings().size() == 1; });
  write("reduce_vars.py", "standard_vars = {\n");
  served.until([&] { return served.mari().get().getScript().getProblem().size() > 0; });
  write("reduce_vars.py", "standard_vars = {'mon': 2}\n");
  served.until([&] { return served.mari().get().getScript().getDefaults().size() > 0; });
  EXPECT_EQ(served.mari().get().getScript().getProblem(), "");
  write("reduce.py", "def main(input_file, output_dir):\n    pass\n");
  served.until([&] { return script_on_record() == hash("def main(input_file, output_dir):\n    pass\n"); });
}

TEST_F(LookingAgainTest, SupportFileGoesWithTheJobAndItsChangesOnRecord) {
  write("reduce_vars.py", "standard_vars = {'mask': 'mask.xml', 'mon': 2}\n");
  write("mask.xml", "<one/>");
  start_looking();
  auto job = job_of(28001);
  ASSERT_EQ(job.get().getQueued().getSupportFiles().size(), 1u);
  auto file = job.get().getQueued().getSupportFiles()[0];
  EXPECT_EQ(file.getName(), "mask");
  EXPECT_EQ(std::string(file.getPath().cStr()), served.folder / "mask.xml");
  EXPECT_EQ(file.getSizeBytes(), 6u);
  EXPECT_TRUE(file.getKept());
  EXPECT_TRUE(has_content("mask.xml", "<one/>"));
  write("mask.xml", "<two/>");
  served.until([&] { return has_content("mask.xml", "<two/>"); });
  write("mask.xml", "<one/>");
  served.until([&] { return has_content("mask.xml", "<one/>"); });
  std::filesystem::remove(served.folder / "mask.xml");
  served.until([&] { return on_record("mask.xml")->get().getFile().getProblem().size() > 0; });
  EXPECT_THAT(on_record("mask.xml")->get().getFile().getProblem().cStr(), HasSubstr("mask.xml: No such file"));
  write("mask.xml", "<one/>");
  served.until([&] { return has_content("mask.xml", "<one/>"); });
}

TEST_F(LookingAgainTest, SupportFileThatCannotBeReadMakesNoJob) {
  write("reduce_vars.py", "standard_vars = {'mask': 'mask.xml'}\n");
  std::filesystem::create_symlink("/proc/version", served.folder / "mask.xml");
  start();
  detect(28001);
  EXPECT_EQ(reason(28001), "support_file_missing");
  EXPECT_THAT(sentence(28001),
              testing::MatchesRegex("MARI 28001: mask names a file that cannot be had: .*mask.xml: it is being written to; mend that, then `runledger rerun MARI 28001.*"));
}

TEST_F(LookingAgainTest, ValuesOfAVersionKeepTheContentTheyHad) {
  write("reduce_vars.py", "standard_vars = {'mask': 'mask.xml'}\n");
  write("mask.xml", "<bad/>");
  start();
  EXPECT_EQ(content_of(job_of(28001)), hash("<bad/>"));
  write("mask.xml", "<good/>");
  EXPECT_EQ(content_of(repeat(28001, Choice::STORED, false)), hash("<bad/>"));
  EXPECT_EQ(content_of(repeat(28001, Choice::STORED, true)), hash("<good/>"));
  EXPECT_EQ(content_of(repeat(28001, Choice::CURRENT, false)), hash("<bad/>")) << "the values are those of the version";
  EXPECT_EQ(content_of(repeat(28001, Choice::CURRENT, true)), hash("<good/>"));
  std::filesystem::remove(served.folder / "mask.xml");
  EXPECT_EQ(content_of(repeat(28001, Choice::STORED, false)), hash("<bad/>"));
}

TEST_F(LookingAgainTest, FileThatAMemberNamesIsRecordedByItsHashAlone) {
  // Members of an experiment see the documents of their jobs: what they name must not become one.
  write("reduce_vars.py", "standard_vars = {'mask': 'mask.xml', 'flood': ''}\n");
  write("mask.xml", "<mask/>");
  support::TemporaryFolder theirs;
  const std::string path = theirs.write("result.nxs", "of another experiment");
  start();
  job_of(28001);
  const auto ask = [&](const std::string& right) {
    support::CommandMessage command(id("ask"));
    auto wanted = command.get().getBody().initRequestReduction();
    wanted.initRun().setInstrument("MARI");
    wanted.getRun().setRunNumber(28001);
    wanted.setScript(Choice::CURRENT);
    auto given = wanted.initVariables(1)[0];
    given.setName("flood");
    given.setValue('"' + path + '"');
    cancel(run(28001).get().getJob());
    ledger::Identity who = support::person();
    who.right = right;
    served.must(command, who);
    served.until([&] { return run(28001).get().getPendingRequest() == 0; });
    return job(run(28001).get().getJob());
  };
  auto of_member = ask("member of 2010001 by group rb2010001");
  ASSERT_EQ(of_member.get().getQueued().getSupportFiles().size(), 2u);
  for (auto file : of_member.get().getQueued().getSupportFiles()) EXPECT_EQ(file.getKept(), file.getName() == "mask") << file.getName().cStr();
  EXPECT_FALSE(served.ledger->snapshot()->has_blob(hash("of another experiment")));
  auto of_scientist = ask("scientist of MARI by group isis_mari_team");
  for (auto file : of_scientist.get().getQueued().getSupportFiles()) EXPECT_TRUE(file.getKept()) << file.getName().cStr();
  EXPECT_TRUE(served.ledger->snapshot()->has_blob(hash("of another experiment")));
}

TEST_F(LookingAgainTest, InstrumentThatKeepsUsWaitingDelaysNoOther) {
  const std::string pipe = served.folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  write("reduce_vars.py", "standard_vars = {'mon': len(open('" + pipe + "').read())}\n");
  write("let/reduce.py", "pass\n");
  configure("LET", "let/reduce.py");
  start_looking();
  auto let = [&] { return std::string(ledger::view(ledger::find_instrument(*served.ledger->snapshot(), "LET")->get().getScript().getSha256())); };
  served.until([&] { return let() == hash("pass\n"); });
  write("let/reduce.py", "pass  # again\n");
  served.until([&] { return let() == hash("pass  # again\n"); });
  EXPECT_EQ(served.mari().get().getScriptSeq(), 0u);
  served.loop.wait(served.loop.on_pool([pipe] { close(open(pipe.c_str(), O_WRONLY)); }));  // opening it waits for the reader
  served.until([&] { return served.mari().get().getScriptSeq() != 0; });
}

}  // namespace
