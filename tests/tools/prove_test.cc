// prove and verify: what an auditor takes away, and what whoever asks is told.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "ledger/proof/proof_file.h"
#include "tests/support/temporary_folder.h"
#include "tests/tools/commands_fixture.h"
#include "tests/tools/fake_auditor.h"
#include "tools/commands/commands.h"

namespace fake {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ProveTest : public CommandsTest {
 protected:
  void SetUp() override {
    CommandsTest::SetUp();
    script = ledger.add_blob("def main(): pass");
    log = ledger.add_blob("printed");
    auto detected = ledger.add_event("monitord").getBody().initRunDetected();
    detected.getRun().setInstrument("MARI");
    detected.getRun().setRunNumber(28001);
    ledger.add_run("MARI", 28001);
    ledger.add_version(1).setJob(2);  // as the event that queued it
    auto queued = ledger.add_event().getBody().initJobQueued();
    queued.setScriptSha256(as_data(script));
    auto failed = ledger.add_event().getBody().initAttemptFailed();
    failed.setJob(2);
    failed.setLog(as_data(log));
    ledger.add_event("alice").getBody().initInstrumentPaused().setInstrument("SANS2D");
  }
  std::string path(const char* name) const { return (folder / name).string(); }
  static std::string contents(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }
  static std::vector<::ledger::NoteKey> keys() { return {checkpoint_key().public_key()}; }
  static ::ledger::ProofFile proof(const std::string& text) {
    auto file = ::ledger::ProofFile::parse(text);
    EXPECT_TRUE(file.is_ok()) << file.status().message();
    return file.is_ok() ? *file : ::ledger::ProofFile();
  }
  support::TemporaryFolder folder;
  std::string script, log;
};

TEST_F(ProveTest, EventIsProvenInAFileThatChecks) {
  const Ran ran = command({"prove", "4", "-o", path("four.proof")});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("four.proof: 1 event and 0 documents proven under a checkpoint of 4 events"));
  const auto file = proof(contents(path("four.proof")));
  EXPECT_EQ(file.check(keys())->size, 4u);
  EXPECT_EQ(file.events.at(0).seq, 4u);
  EXPECT_EQ(proof(command({"prove", "4"}).out).events.size(), 1u) << "without -o on standard output";
}

TEST_F(ProveTest, RunIsProvenWithItsDocumentsAndWithoutItsLogs) {
  const json said = json_of({"prove", "MARI", "28001"});
  EXPECT_EQ(said["events"], (json{1, 2, 3}));
  EXPECT_EQ(said["file"], nullptr);
  const auto file = proof(said["text"]);
  EXPECT_TRUE(file.check(keys()).is_ok());
  EXPECT_EQ(file.documents.size(), 1u);
  EXPECT_TRUE(file.documents.contains(script));
}

TEST_F(ProveTest, ErasedDocumentIsLeftOutAndThatIsSaid) {
  ledger.blobs.erase(script);
  const Ran ran = command({"prove", "MARI/28001", "-o", path("run.proof")});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("document " + base::hex(script) + " of event 2 is not in the ledger any more; the proof is without it"));
  EXPECT_TRUE(proof(contents(path("run.proof"))).check(keys()).is_ok());
}

TEST_F(ProveTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(command({"prove", "5"}).exit_code, 1);
  EXPECT_EQ(command({"prove", "MARI", "1"}).exit_code, 1);
}

TEST_F(ProveTest, AnswerThatProvesNothingIsNoProof) {
  ledger.rewritten = true;
  const Ran ran = command({"prove", "2", "-o", path("bad.proof")});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("the ledger's answer proves nothing, run 'runledger verify'"));
  EXPECT_FALSE(std::filesystem::exists(path("bad.proof")));
}

TEST_F(ProveTest, CheckpointAndKeyAreThoseOfTheLedger) {
  EXPECT_EQ(command({"prove", "--checkpoint"}).out, checkpoint_of(ledger, 4));
  EXPECT_EQ(command({"prove", "--key"}).out, checkpoint_key().public_key().line() + "\n");
  EXPECT_EQ(json_of({"prove", "--checkpoint"})["size"], 4);
}

TEST_F(ProveTest, LaterLogContinuesAnEarlierCheckpointOrThatIsRefused) {
  folder.write("old", checkpoint_of(ledger, 2));
  const auto file = ::ledger::ConsistencyFile::parse(command({"prove", "--consistency", path("old")}).out);
  ASSERT_TRUE(file.is_ok()) << file.status().message();
  EXPECT_EQ(file->check(keys())->from.size, 2u);

  const ::ledger::Checkpoint other{checkpoint_key().public_key().name, 2, base::sha256("another history")};
  folder.write("other", checkpoint_key().sign(other.text()).value());
  const Ran rewritten = command({"prove", "--consistency", path("other")});
  EXPECT_EQ(rewritten.exit_code, 2);
  EXPECT_THAT(rewritten.err, HasSubstr("the ledger does not continue " + path("other")));
  folder.write("none", "no checkpoint\n");
  EXPECT_THAT(command({"prove", "--consistency", path("none")}).err, HasSubstr("give a file as `runledger prove --checkpoint -o FILE` writes it"));
  EXPECT_THAT(command({"prove", "--consistency", path("nowhere")}).err, HasSubstr("nowhere: cannot be read"));
}

TEST_F(ProveTest, DiskThatTakesNoTilesIsNotTheLedgersFault) {
  folder.write("file", "no folder");
  const Ran ran = command({"prove", "--tiles", path("file/tiles")});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("file/tiles"));
  EXPECT_THAT(ran.err, testing::Not(HasSubstr("ledgerd")));
}

TEST_F(ProveTest, OneThingIsProvenAtATime) {
  EXPECT_EQ(command({"prove"}).exit_code, 2);
  EXPECT_THAT(command({"prove", "1", "--key"}).err, HasSubstr("name one thing to prove"));
  EXPECT_EQ(command({"prove", "--tiles", path("tiles"), "-o", path("file")}).exit_code, 2);
}

class VerifyTest : public CommandsTest {
 protected:
  /// As the command asks a running ledger.
  Ran verify(uint64_t from = 0, bool as_json = false) {
    std::ostringstream out, err;
    tools::Context context(out, err, {}, reach_of(ledger), tools::TokenStore({}));
    context.options.json = as_json;
    context.finish(tools::verify_running(context, from));
    return {context.exit_code, out.str(), err.str()};
  }
  void report(bool ok, const std::vector<std::string>& findings, uint64_t finding_count, uint64_t first_bad = 0,
              const std::vector<std::string>& losses = {}) {
    auto builder = ledger.report.get();
    builder.setOk(ok);
    builder.setEvents(7);
    if (ok) builder.setRoot(as_data(std::string(32, 'r')));
    builder.setFirstBad(first_bad);
    builder.setFindingCount(finding_count);
    auto list = builder.initFindings(static_cast<unsigned>(findings.size()));
    for (unsigned i = 0; i < list.size(); ++i) list.set(i, findings[i].c_str());
    list = builder.initLosses(static_cast<unsigned>(losses.size()));
    for (unsigned i = 0; i < list.size(); ++i) list.set(i, losses[i].c_str());
  }
};

TEST_F(VerifyTest, WholeLedgerIsOneLine) {
  report(true, {}, 0);
  const Ran ran = verify();
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "7 events verified, root " + base::hex(std::string(32, 'r')) + "\n");
  EXPECT_EQ(json::parse(verify(0, true).out)["trusted"], 0);
}

TEST_F(VerifyTest, EventsACheckpointSpeaksForAreCounted) {
  report(true, {}, 0);
  ledger.report.get().setTrusted(2);
  EXPECT_EQ(verify(4).out, "events 3 to 7 verified, those before taken from the checkpoint of 2 events, root " + base::hex(std::string(32, 'r')) + "\n");
  EXPECT_THAT(ledger.asked, testing::ElementsAre("verify from 4"));
  EXPECT_EQ(json::parse(verify(4, true).out)["trusted"], 2);
}

TEST_F(VerifyTest, FindingsAreToldAndTheFirstBadEventIsNamed) {
  report(false, {"event 3 is not what it was\x1b[2J", "the tree lacks a node"}, 2, 3);
  const Ran ran = verify();
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, "event 3 is not what it was\\x1b[2J\nthe tree lacks a node\nNOT verified: 2 findings, first bad event 3\n");
  const json said = json::parse(verify(0, true).out);
  EXPECT_EQ(said["first_bad"], 3);
  EXPECT_EQ(said["root"], nullptr);
  EXPECT_EQ(said["findings"].size(), 2u);
}

TEST_F(VerifyTest, StatedLossIsNoFindingAndNoSilence) {
  report(true, {}, 0, 0, {"event 5 accepts that events 5 to 9 were lost"});
  EXPECT_THAT(verify().out, StartsWith("stated loss: event 5 accepts that events 5 to 9 were lost\n7 events verified"));
  const json said = json::parse(verify(0, true).out);
  EXPECT_TRUE(said["findings"].empty());
  EXPECT_EQ(said["losses"], json{"event 5 accepts that events 5 to 9 were lost"});
}

TEST_F(VerifyTest, MoreFindingsThanAreToldAreCounted) {
  report(false, std::vector<std::string>(100, "wrong"), 250, 0, {"event 5 accepts a loss"});
  const Ran ran = verify();
  EXPECT_THAT(ran.out, StartsWith("stated loss: event 5 accepts a loss\nwrong\n"));
  EXPECT_THAT(ran.out, HasSubstr("and 150 more\nNOT verified: 250 findings\n"));
}

TEST_F(VerifyTest, CheckpointThatIsNotThereIsAMistakeInTheQuestion) {
  ledger.refuse_changes = "no checkpoint of less than 3 events is in witness/checkpoints; verify the whole log";
  const Ran ran = verify(3);
  EXPECT_EQ(ran.exit_code, 2) << "not: found not verified";
  EXPECT_THAT(ran.err, HasSubstr("verify the whole log"));
}

}  // namespace
}  // namespace fake
