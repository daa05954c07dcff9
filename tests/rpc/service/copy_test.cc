#include "rpc/service/copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/sha256.h"
#include "ledger/follow.h"
#include "rpc/service/allowance.h"
#include "rpc/service/gateway.h"
#include "tests/support/served_ledger.h"

namespace {

/// Keeps what comes; holds the answer to a push back while told to.
class KeepingSink final : public schema::CopySink::Server {
 public:
  struct Kept {
    std::vector<uint64_t> seqs;
    std::vector<std::string> blobs;
    std::vector<uint64_t> proven_to;  // of each piece the size of its checkpoint
    size_t pushes = 0;
    bool stall = false;
    ledger::NoteKey key;
  };
  explicit KeepingSink(Kept& kept) : kept_(kept) {}
  kj::Promise<void> push(PushContext context) override {
    kept_.pushes += 1;
    prove(context.getParams());
    for (auto event : context.getParams().getEvents()) kept_.seqs.push_back(ledger::Row<schema::Event>(ledger::view(event)).get().getSeq());
    for (auto blob : context.getParams().getBlobs()) kept_.blobs.emplace_back(ledger::view(blob));
    if (kept_.stall) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }

 private:
  /// As a follower does it: the tree of what came so far is the beginning of that of the checkpoint.
  void prove(schema::CopySink::PushParams::Reader params) {
    for (auto event : params.getEvents()) edge_.append(ledger::leaf_hash(ledger::view(event)), [](int, uint64_t, const base::Sha256&) {});
    std::vector<base::Sha256> path;
    for (auto hash : params.getPath()) std::copy(hash.begin(), hash.end(), path.emplace_back().begin());
    const auto checked = ledger::check_source(kept_.key, edge_, {std::string(ledger::view(params.getCheckpoint())), std::move(path)});
    kept_.proven_to.push_back(checked.is_ok() ? checked->size : 0);
  }
  Kept& kept_;
  ledger::TreeEdge edge_;
};

class CopyTest : public testing::Test {
 protected:
  CopyTest() {
    served.must(support::configure_instrument("configure", "MARI"));
    served.must(support::register_script("script", "MARI"));
    served.must(support::detect_run("detect", "MARI", 1));
    served.must(support::queue_job("queue", "MARI", 1).cause(3));
    kept.key = served.ledger->checkpoint_key()->public_key();
  }
  /// Until so many events came.
  void wait_for(size_t events) {
    auto late = served.loop.timer().afterDelay(60 * kj::SECONDS).then([]() -> kj::Promise<void> { return KJ_EXCEPTION(FAILED, "nothing came"); });
    auto there = until([this, events] { return kept.seqs.size() >= events; });
    served.loop.wait(there.exclusiveJoin(kj::mv(late)));
  }
  kj::Promise<void> until(std::function<bool()> condition) {
    if (condition()) return kj::READY_NOW;
    return served.loop.timer().afterDelay(1 * kj::MILLISECONDS).then([this, condition] { return until(condition); });
  }
  auto ask(schema::Session::Client session, uint64_t from) {
    auto request = session.auditorRequest().send().getAuditor().copyRequest();
    request.setFrom(from);
    request.setSink(kj::heap<KeepingSink>(kept));
    return request.send();
  }
  schema::Subscription::Client copy(uint64_t from) { return ask(served.session(), from).getSubscription(); }
  KeepingSink::Kept kept;
  support::ServedLedger served;
};

TEST_F(CopyTest, EveryEventComesOnceWithItsDocumentsAndThenLiveOnes) {
  const auto subscription = copy(1);
  const uint64_t head = served.ledger->head();
  wait_for(head);
  EXPECT_EQ(std::count(kept.blobs.begin(), kept.blobs.end(), "def main(input_file, output_dir):\n    pass\n"), 1);
  served.must(support::detect_run("live", "MARI", 2));
  wait_for(head + 1);
  std::vector<uint64_t> all(head + 1);
  for (uint64_t i = 0; i <= head; ++i) all[i] = i + 1;
  EXPECT_EQ(kept.seqs, all);
}

TEST_F(CopyTest, EveryPieceIsProvenUnderACheckpoint) {
  for (uint64_t run = 10; run < 1210; ++run) served.must(support::detect_run("many" + std::to_string(run), "MARI", run));
  const auto subscription = copy(1);
  const uint64_t head = served.ledger->head();
  wait_for(head);
  ASSERT_GE(kept.proven_to.size(), 3u);
  EXPECT_THAT(kept.proven_to, testing::Each(head));
  served.must(support::detect_run("live", "MARI", 2));
  wait_for(head + 1);
  EXPECT_EQ(kept.proven_to.back(), head + 1);
  EXPECT_LE(ledger::read_witness_file(served.folder / "witness", kept.key)->size(), 1u) << "the file keeps its own pace";
}

TEST_F(CopyTest, StartBehindTheEndIsRefused) {
  auto request = served.session().auditorRequest().send().getAuditor().copyRequest();
  request.setFrom(served.ledger->head() + 2);
  request.setSink(kj::heap<KeepingSink>(kept));
  served.loop.wait(request.send().then([](auto&& answer) {
    EXPECT_EQ(answer.getRefusal().getCode(), schema::Refusal::Code::INVALID_ARGUMENT);
  }));
}

TEST_F(CopyTest, LaterStartLeavesOutWhatIsBefore) {
  const auto subscription = copy(3);
  wait_for(served.ledger->head() - 2);
  EXPECT_EQ(kept.seqs.front(), 3u);
}

TEST_F(CopyTest, StalledSinkGetsOnePieceAndHoldsUpNobody) {
  kept.stall = true;
  const auto subscription = copy(1);
  wait_for(1);
  const size_t first = kept.seqs.size();
  for (int i = 0; i < 5; ++i) served.must(support::detect_run("more" + std::to_string(i), "MARI", 10 + i));
  KeepingSink::Kept other;
  auto request = served.session().auditorRequest().send().getAuditor().copyRequest();
  request.setFrom(1);
  request.setSink(kj::heap<KeepingSink>(other));
  const auto second = request.send().getSubscription();
  served.loop.wait(until([&] { return other.seqs.size() >= served.ledger->head(); }));
  EXPECT_EQ(kept.seqs.size(), first);
  EXPECT_EQ(kept.pushes, 1u);
}

TEST_F(CopyTest, ConnectionMayHaveSoManyCopies) {
  kept.stall = true;
  auto session = served.session();
  const auto refusal = [&](schema::Session::Client from) {
    return served.loop.wait(ask(from, 1).then([](auto&& answer) { return std::string(answer.getRefusal().getText().cStr()); }));
  };
  std::vector<schema::Subscription::Client> all;
  for (size_t i = 0; i < rpc::Allowances::kMaxCopies; ++i) all.push_back(ask(session, 1).getSubscription());
  EXPECT_THAT(refusal(session), testing::HasSubstr("4 copies of the log"));
  EXPECT_EQ(refusal(served.session()), "") << "another connection has its own";
  served.loop.wait(all.back().whenResolved());
  all.pop_back();
  EXPECT_EQ(refusal(session), "");
}

TEST_F(CopyTest, WitnessFileThatHangsKeepsOneThreadOfThePoolNotAll) {
  // Every export and follower waited on a thread of its own for the signing in flight: a file server that hung took the whole pool.
  const auto file = served.folder / "witness";
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);  // opening it hangs
  std::vector<schema::Subscription::Client> copies;
  for (int i = 0; i < 20; ++i) copies.push_back(copy(1));
  for (auto& each : copies) served.loop.wait(each.whenResolved());
  auto late = served.loop.timer().afterDelay(20 * kj::SECONDS).then([] { return false; });
  EXPECT_TRUE(served.loop.wait(served.loop.on_pool([] { return true; }).exclusiveJoin(kj::mv(late))));
  EXPECT_EQ(kept.pushes, 0u);
  std::filesystem::rename(file, served.folder / "hung");
  std::fstream(served.folder / "hung", std::ios::in | std::ios::out);  // whoever waits reads its end
  wait_for(20 * served.ledger->head());
}

}  // namespace
