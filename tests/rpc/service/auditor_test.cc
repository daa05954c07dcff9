#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "ledger/proof/proof_file.h"
#include "rpc/service/answers.h"
#include "tests/support/served_ledger.h"

namespace {

using testing::HasSubstr;
using rpc::view;

class CountingProgress final : public schema::Progress::Server {
 public:
  explicit CountingProgress(int& reports) : reports_(reports) {}
  kj::Promise<void> report(ReportContext) override {
    reports_ += 1;
    return kj::READY_NOW;
  }

 private:
  int& reports_;
};

std::vector<base::Sha256> path_of(capnp::List<capnp::Data>::Reader list) {
  std::vector<base::Sha256> path;
  for (auto hash : list) std::copy(hash.begin(), hash.end(), path.emplace_back().begin());
  return path;
}

class P10AuditorTest : public testing::Test {
 protected:
  P10AuditorTest() {
    served.must(support::configure_instrument("configure", "MARI"));
    served.must(support::register_script("script", "MARI"));
    for (uint64_t run = 28001; run < 28010; ++run) served.must(support::detect_run("detect" + std::to_string(run), "MARI", run));
  }
  ~P10AuditorTest() noexcept override {}
  auto key() {
    auto answer = served.loop.wait(kj::Promise<capnp::Response<schema::Auditor::KeyResults>>(auditor.keyRequest().send()));
    return *ledger::NoteKey::parse(view(answer.getPublicKey()));
  }
  std::string checkpoint() {
    auto answer = served.loop.wait(kj::Promise<capnp::Response<schema::Auditor::CheckpointResults>>(auditor.checkpointRequest().send()));
    EXPECT_EQ(answer.getRefusal().getCode(), schema::Refusal::Code::OK) << answer.getRefusal().getText().cStr();
    return std::string(view(answer.getNote()));
  }
  auto prove(const std::vector<uint64_t>& seqs) {
    auto request = auditor.proveRequest();
    auto events = request.initEvents(seqs.size());
    for (size_t i = 0; i < seqs.size(); ++i) events.set(i, seqs[i]);
    return served.loop.wait(kj::Promise<capnp::Response<schema::Auditor::ProveResults>>(request.send()));
  }
  auto verify(uint64_t from = 0) {
    auto request = auditor.verifyRequest();
    request.setFrom(from);
    request.setProgress(kj::heap<CountingProgress>(reports));
    return served.loop.wait(kj::Promise<capnp::Response<schema::Auditor::VerifyResults>>(request.send()));
  }
  support::ServedLedger served;
  schema::Auditor::Client auditor = served.session().auditorRequest().send().getAuditor();
  int reports = 0;
};

TEST_F(P10AuditorTest, EventsAreProvenUnderASignedCheckpoint) {
  auto answer = prove({1, 7, 11});
  ledger::ProofFile file;
  file.checkpoint = view(answer.getCheckpoint());
  const std::vector<uint64_t> seqs{1, 7, 11};
  for (uint i = 0; i < 3; ++i) file.events.push_back({seqs[i], std::string(view(answer.getProofs()[i].getEvent())), path_of(answer.getProofs()[i].getPath())});
  const auto proven = file.check({key()});
  ASSERT_TRUE(proven.is_ok()) << proven.status().message();
  EXPECT_EQ(proven->size, served.ledger->head());
}

TEST_F(P10AuditorTest, LaterCheckpointContinuesTheEarlierOne) {
  ledger::ConsistencyFile file;
  file.from = checkpoint();
  served.must(support::detect_run("later", "MARI", 28020));
  file.to = checkpoint();
  auto request = auditor.consistencyRequest();
  request.setFromSize(11);
  request.setToSize(12);
  auto answer = served.loop.wait(kj::Promise<capnp::Response<schema::Auditor::ConsistencyResults>>(request.send()));
  file.path = path_of(answer.getPath());
  const auto checked = file.check({key()});
  EXPECT_TRUE(checked.is_ok()) << checked.status().message();
}

TEST_F(P10AuditorTest, WhatIsNotThereIsRefused) {
  EXPECT_EQ(prove({12}).getRefusal().getCode(), schema::Refusal::Code::NOT_FOUND);
  EXPECT_EQ(prove(std::vector<uint64_t>(1001, 1)).getRefusal().getCode(), schema::Refusal::Code::INVALID_ARGUMENT);
  auto request = auditor.consistencyRequest();
  request.setFromSize(5);
  request.setToSize(400);
  auto answer = served.loop.wait(kj::Promise<capnp::Response<schema::Auditor::ConsistencyResults>>(request.send()));
  EXPECT_THAT(answer.getRefusal().getText().cStr(), HasSubstr("the log has 11"));
}

TEST_F(P10AuditorTest, WholeLedgerIsVerifiedWithProgress) {
  auto answer = verify();
  EXPECT_TRUE(answer.getReport().getOk());
  EXPECT_EQ(answer.getReport().getEvents(), 11u);
  EXPECT_EQ(answer.getReport().getRoot().size(), 32u);
  EXPECT_GT(reports, 0);
}

TEST_F(P10AuditorTest, LaterEventsAreVerifiedUnderAWitnessedCheckpoint) {
  EXPECT_THAT(verify(5).getRefusal().getText().cStr(), HasSubstr("verify the whole log"));
  checkpoint();
  served.must(support::detect_run("later", "MARI", 28020));
  auto answer = verify(12);
  EXPECT_TRUE(answer.getReport().getOk());
  EXPECT_EQ(answer.getReport().getEvents(), 12u);
  EXPECT_EQ(answer.getReport().getTrusted(), 11u);
}

TEST_F(P10AuditorTest, EventThatIsNotThereIsNoPlaceToVerifyFrom) {
  checkpoint();
  auto answer = verify(12);
  EXPECT_EQ(answer.getRefusal().getCode(), schema::Refusal::Code::INVALID_ARGUMENT);
  EXPECT_THAT(answer.getRefusal().getText().cStr(), HasSubstr("event 12 is not there: the log ends at event 11"));
}

TEST_F(P10AuditorTest, KeyThatCannotBeReadIsToldInItsOwnWords) {
  served.service->use_witness(std::make_shared<ledger::Witness>(base::Status(base::Code::kUnavailable, "checkpoint.pub: cannot be read"), served.folder / "witness"));
  std::string said;
  served.loop.wait(auditor.keyRequest().send().ignoreResult().catch_([&](kj::Exception&& problem) { said = problem.getDescription().cStr(); }));
  EXPECT_EQ(said, "checkpoint.pub: cannot be read");
}

TEST_F(P10AuditorTest, ForeignCheckpointInTheWitnessFileIsToldByVerifyAndStatus) {
  const auto foreign = ledger::SigningKey::generate(key().name);
  served.folder.write("witness", "--- 2026-11-01T12:00:00Z\n" + *foreign->sign(ledger::Checkpoint{key().name, 1, base::sha256("x")}.text()) + "\n");
  auto refused = served.loop.wait(kj::Promise<capnp::Response<schema::Auditor::CheckpointResults>>(auditor.checkpointRequest().send()));
  EXPECT_EQ(refused.getRefusal().getCode(), schema::Refusal::Code::PERMISSION_DENIED);
  auto answer = verify();
  EXPECT_FALSE(answer.getReport().getOk());
  EXPECT_THAT(answer.getReport().getFindings()[0].cStr(), HasSubstr("signed by another key"));
  auto runs = served.session().runsRequest().send().getRuns();
  auto status = served.loop.wait(kj::Promise<capnp::Response<schema::Runs::StatusResults>>(runs.statusRequest().send()));
  EXPECT_THAT(status.getStatus().getLedgerDetail().cStr(), HasSubstr("no checkpoint can be signed: "));
}

}  // namespace
