// A follower holds what its source signed, and nothing else.
#include "daemons/ledgerd/follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/follow.h"
#include "ledger/proof/proof_file.h"
#include "ledger/verify.h"
#include "ledger/view_rows.h"
#include "tests/daemons/ledgerd/lying_source.h"
#include "tests/support/commands.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace {

using ledger::view;
using schema::FollowState;
using support::SentPiece;
using testing::HasSubstr;

constexpr const char* kAddress = "unix:/far/away.sock";
constexpr const char* kScript = "def main(input_file, output_dir):\n    pass\n";

struct Served {
  Served(rpc::Loop& its_loop, const base::Clock& clock, const std::filesystem::path& folder, const std::string& follows = {}) : loop(its_loop) {
    ledger::Ledger::Options options;
    options.sync = false;
    options.follows = follows;
    ledger = ledger::Ledger::open(folder, options, clock).value();
    service = std::make_unique<rpc::LedgerService>(loop, *ledger, clock, "Test");
    if (follows.empty()) service->use_witness(std::make_shared<ledger::Witness>(ledger->checkpoint_key(), folder.string() + ".witness"));
  }
  ~Served() {
    ledger.reset();
    // What its writer posted reaches the service before that goes; the loop goes on.
    auto posted = kj::newPromiseAndFulfiller<void>();
    loop.post([&] { posted.fulfiller->fulfill(); });
    loop.wait(kj::mv(posted.promise));
  }
  ledger::Answer apply(const support::CommandMessage& command, const ledger::Identity& who = support::person()) { return ledger->apply(command.reader(), who); }
  void must(const support::CommandMessage& command) {
    const auto answer = apply(command);
    ASSERT_TRUE(answer.status.is_ok()) << answer.status.message();
  }
  void detect(uint64_t first, uint64_t last) {
    for (uint64_t run = first; run <= last; ++run) must(support::detect_run("detect" + std::to_string(run), "MARI", run));
  }
  base::Sha256 root() const { return ledger->verification()->run({}).root; }
  schema::Gateway::Client gateway() { return service->gateway(support::person()); }
  schema::Auditor::Client auditor() { return gateway().loginRequest().send().getSession().auditorRequest().send().getAuditor(); }

  rpc::Loop& loop;
  std::unique_ptr<ledger::Ledger> ledger;
  std::unique_ptr<rpc::LedgerService> service;
};

class FollowerTest : public testing::Test {
 protected:
  FollowerTest() {
    source.emplace(loop, clock, folder / "source");
    key = source->ledger->checkpoint_key()->public_key();
    source->must(support::configure_instrument("configure", "MARI"));
    source->must(support::register_script("script", "MARI", kScript));
    source->detect(1, 10);
  }
  ~FollowerTest() noexcept override { end_copy(); }

  /// Opens the copy, as ledgerd does, and follows.
  void follow() {
    const base::Status prepared = ledger::prepare_copy(folder / "copy", key, clock);
    ASSERT_TRUE(prepared.is_ok()) << prepared.message();
    if (!copy) {
      copy.emplace(loop, clock, folder / "copy", kAddress);
      copy->service->use_witness(std::make_shared<ledger::Witness>(key, folder / "copy.witness"));
    }
    auto connect = [this]() -> kj::Promise<schema::Gateway::Client> {
      connections += 1;
      if (gone) return KJ_EXCEPTION(DISCONNECTED, "nobody listens there");
      return schema::Gateway::Client(kj::heap<support::LyingGateway>(source->gateway(), lies));
    };
    follower.emplace(loop, *copy->service, clock, kAddress, key, connect, daemons::Follower::Pauses{1 * kj::MILLISECONDS, 4 * kj::MILLISECONDS});
    copy->service->follow(follower->state());
    running = follower->run().eagerlyEvaluate(nullptr);
  }
  void end_following() {
    running = nullptr;
    follower.reset();
  }
  void end_copy() {
    end_following();
    copy.reset();
  }
  /// Looks at it again and again; a test that waits for a minute has failed.
  void until(const std::function<bool()>& condition, const char* what) {
    auto late = loop.timer().afterDelay(60 * kj::SECONDS).then([this, what]() -> kj::Promise<void> {
      return KJ_EXCEPTION(FAILED, what, static_cast<uint>(state().state), state().detail.c_str());
    });
    loop.wait(poll(condition).exclusiveJoin(kj::mv(late)));
  }
  kj::Promise<void> poll(std::function<bool()> condition) {
    if (condition()) return kj::READY_NOW;
    return loop.timer().afterDelay(1 * kj::MILLISECONDS).then([this, condition] { return poll(condition); });
  }
  void until_same() {
    const auto same = [this] {
      const uint64_t head = source->ledger->head();
      return copy->ledger->head() == head && state().checkpoint_size == head && state().state == FollowState::FOLLOWING;
    };
    until(same, "the same events");
  }
  void until_stopped() {
    until([this] { return state().state == FollowState::STOPPED; }, "stopped");
  }
  const rpc::Following& state() const { return *follower->state(); }
  /// Signed by somebody who took the name.
  static std::string signed_by_another(const std::string& note) {
    const std::string text = note.substr(0, note.find("\n\n") + 1);
    return *ledger::SigningKey::generate(text.substr(0, text.find('\n')))->sign(text);
  }

  support::TemporaryFolder folder;
  support::FakeClock clock;
  rpc::Loop loop;
  support::Lies lies;
  bool gone = false;
  size_t connections = 0;
  ledger::NoteKey key;
  std::optional<Served> source, copy;
  std::optional<daemons::Follower> follower;
  kj::Promise<void> running = nullptr;
};

TEST_F(FollowerTest, EverythingIsCopiedThenWhatComes) {
  follow();
  until_same();
  source->detect(11, 15);
  until_same();
  const ledger::VerifyReport report = copy->ledger->verification()->run({});
  EXPECT_TRUE(report.ok) << testing::PrintToString(report.findings);
  EXPECT_EQ(report.root, source->root());
  EXPECT_EQ(copy->ledger->id(), source->ledger->id());
  EXPECT_EQ(view(ledger::find_run(*copy->ledger->snapshot(), "MARI", 15)->get().getRun().getInstrument()), "MARI");
  EXPECT_EQ(copy->ledger->snapshot()->blob(base::as_bytes(base::sha256(kScript))), kScript);
  EXPECT_EQ(state().checkpoint_size, source->ledger->head());
  EXPECT_EQ(state().source_head, source->ledger->head());
}

TEST_F(FollowerTest, ManyPiecesComeUnderOneCheckpoint) {
  source->detect(100, 1400);
  size_t proven_on_the_way = 0;
  lies.piece = [&](SentPiece& piece) { proven_on_the_way += !piece.path.empty(); };
  follow();
  until_same();
  EXPECT_GE(proven_on_the_way, 2u);
  EXPECT_EQ(copy->root(), source->root());
}

TEST_F(FollowerTest, NothingIsDecidedHere) {
  follow();
  until_same();
  const auto refused = copy->apply(support::detect_run("mine", "MARI", 99));
  EXPECT_EQ(refused.status.code(), base::Code::kPermissionDenied);
  EXPECT_THAT(refused.status.message(), HasSubstr(kAddress));
  auto request = copy->gateway().loginRequest().send().getSession().daemonRequest();
  request.setName("monitord");
  loop.wait(request.send().then([](auto&& answer) {
    EXPECT_EQ(answer.getRefusal().getCode(), schema::Refusal::Code::PERMISSION_DENIED);
    EXPECT_THAT(answer.getRefusal().getText().cStr(), HasSubstr(kAddress));
  }));
  EXPECT_EQ(copy->root(), source->root());
}

TEST_F(FollowerTest, ItGoesOnWhereItWas) {
  follow();
  until_same();
  end_copy();
  source->detect(11, 20);
  size_t sent = 0;
  lies.piece = [&](SentPiece& piece) { sent += piece.events.size(); };
  follow();
  until_same();
  EXPECT_EQ(sent, 10u);
  EXPECT_EQ(copy->root(), source->root());
}

TEST_F(FollowerTest, LostSourceIsTriedAgainAndServedWithoutMeanwhile) {
  follow();
  until_same();
  end_copy();
  source->detect(11, 12);
  gone = true;
  follow();
  until([this] { return connections > 4; }, "tries");
  EXPECT_EQ(state().state, FollowState::UNREACHABLE);
  EXPECT_THAT(state().detail, HasSubstr("nobody listens there"));
  EXPECT_TRUE(ledger::find_run(*copy->ledger->snapshot(), "MARI", 10));
  gone = false;
  until_same();
  EXPECT_EQ(state().detail, "");
}

TEST_F(FollowerTest, SourceThatSignsNothingIsWaitedFor) {
  lies.piece = [](SentPiece& piece) { piece.checkpoint.clear(); };
  follow();
  until([this] { return connections > 2; }, "tries");
  EXPECT_EQ(copy->ledger->head(), 0u);
  std::string detail;
  until([&] { return !(detail = state().detail).empty(); }, "a reason");
  EXPECT_THAT(detail, HasSubstr("signs no checkpoint"));
  lies.piece = [](SentPiece&) {};
  until_same();
}

TEST_F(FollowerTest, ErasedDocumentIsErasedHereToo) {
  follow();
  until_same();
  const base::Sha256 script = base::sha256(kScript);
  ASSERT_TRUE(copy->ledger->snapshot()->has_blob(base::as_bytes(script)));
  support::CommandMessage erase("erase");
  auto body = erase.get().getBody().initEraseBlobs();
  body.initBlobs(1)[0].setSha256(support::data(script));
  body.initReason().setCode("asked_for");
  body.getReason().setText("embargo");
  source->must(erase);
  until_same();
  EXPECT_FALSE(copy->ledger->snapshot()->has_blob(base::as_bytes(script)));
  EXPECT_TRUE(copy->ledger->verification()->run({}).ok);
}

TEST_F(FollowerTest, ProofsOfACopyAreSignedByTheSource) {
  follow();
  until_same();
  auto request = copy->auditor().proveRequest();
  request.initEvents(1).set(0, 3);
  loop.wait(request.send().then([this](auto&& answer) {
    ledger::ProofFile file;
    file.checkpoint = view(answer.getCheckpoint());
    auto& event = file.events.emplace_back();
    event.seq = 3;
    event.bytes = view(answer.getProofs()[0].getEvent());
    for (auto hash : answer.getProofs()[0].getPath()) std::copy(hash.begin(), hash.end(), event.path.emplace_back().begin());
    const auto proven = file.check({key});
    ASSERT_TRUE(proven.is_ok()) << proven.status().message();
    EXPECT_EQ(proven->size, source->ledger->head());
  }));
  EXPECT_EQ(ledger::read_witness_file(folder / "copy.witness", key)->size(), 1u);
}

TEST_F(FollowerTest, CopyIsFollowedInTurn) {
  follow();
  until_same();
  ASSERT_TRUE(ledger::prepare_copy(folder / "second", key, clock).is_ok());
  Served second(loop, clock, folder / "second", kAddress);
  auto connect = [this]() -> kj::Promise<schema::Gateway::Client> { return copy->gateway(); };
  daemons::Follower next(loop, *second.service, clock, kAddress, key, connect);
  auto following = next.run().eagerlyEvaluate(nullptr);
  loop.wait(poll([&] { return second.ledger->head() == copy->ledger->head(); }));
  source->detect(11, 15);
  loop.wait(poll([&] { return second.ledger->head() == source->ledger->head(); }));
  EXPECT_EQ(second.root(), source->root());
  following = nullptr;
}

// ---- a source that is not to be trusted

struct Lie {
  const char* name;
  std::function<void(SentPiece&)> tell;
  const char* finding;
};

std::vector<Lie> lies_about_pieces() {
  return {
      {"ChangedByte", [](SentPiece& piece) { piece.events.back().back() ^= 1; }, "are not the beginning of"},
      {"LeftOutEvent", [](SentPiece& piece) { piece.events.erase(piece.events.begin() + 1); }, "was to come"},
      {"LeftOutLastEvent", [](SentPiece& piece) { piece.events.pop_back(); }, "are not the beginning of"},
      {"TwiceTheSame", [](SentPiece& piece) { piece.events.push_back(piece.events.back()); }, "was to come"},
      {"CutEvent", [](SentPiece& piece) { piece.events.front().resize(24); }, "event "},
      {"NoEvent", [](SentPiece& piece) { piece.events.front() = "no event at all"; }, "event "},
      {"ChangedDocument", [](SentPiece& piece) { piece.blobs.at(0)[0] ^= 1; }, "named by none of the events"},
      {"DocumentTooMany", [](SentPiece& piece) { piece.blobs.push_back("something else"); }, "named by none of the events"},
      {"AnotherKey", [](SentPiece& piece) { piece.checkpoint.replace(0, std::string::npos, "x"); }, "no signed note"},
      {"ForgedPath", [](SentPiece& piece) { piece.path.push_back(std::string(32, 'x')); }, "are not the beginning of"},
      {"ShortHash", [](SentPiece& piece) { piece.path.push_back("x"); }, "are not the beginning of"},
  };
}

TEST_F(FollowerTest, FalsePieceIsFoundOutAndNothingOfItIsWritten) {
  follow();
  until_same();
  const uint64_t held = copy->ledger->head();
  const base::Sha256 root = copy->root();
  end_following();
  source->must(support::register_script("another script", "MARI", "def main(input_file, output_dir):\n    return 1\n"));
  source->detect(21, 23);  // one piece with the script
  for (const Lie& lie : lies_about_pieces()) {
    lies.piece = lie.tell;
    follow();
    until_stopped();
    EXPECT_THAT(state().detail, HasSubstr(lie.finding)) << lie.name;
    EXPECT_THAT(state().detail, HasSubstr(kAddress)) << lie.name;
    EXPECT_EQ(copy->ledger->head(), held) << lie.name;
    EXPECT_EQ(copy->root(), root) << lie.name;
    EXPECT_TRUE(ledger::find_run(*copy->ledger->snapshot(), "MARI", 10)) << lie.name;
    end_following();
  }
  lies.piece = [](SentPiece&) {};
  follow();
  until_same();
  EXPECT_EQ(copy->root(), source->root()) << "the truth is taken when ledgerd is started again";
}

TEST_F(FollowerTest, WhatHasStoppedStaysStopped) {
  lies.piece = [](SentPiece& piece) { piece.events.back().back() ^= 1; };
  follow();
  until_stopped();
  lies.piece = [](SentPiece&) {};
  for (uint64_t run = 11; run < 15; ++run) {
    source->detect(run, run);
    loop.wait(source->service->when_committed(source->ledger->head()));
  }
  EXPECT_EQ(connections, 1u);
  EXPECT_EQ(lies.pieces, 1u);
  EXPECT_EQ(copy->ledger->head(), 0u);
}

TEST_F(FollowerTest, PieceSignedByAnotherKeyIsRefused) {
  follow();
  until_same();
  lies.piece = [](SentPiece& piece) { piece.checkpoint = signed_by_another(piece.checkpoint); };
  source->detect(11, 11);
  until_stopped();
  EXPECT_THAT(state().detail, HasSubstr("another key than " + key.line()));
}

TEST_F(FollowerTest, SourceSignedByAnotherKeyIsRefused) {
  lies.checkpoint = [](std::string& note) { note = signed_by_another(note); };
  follow();
  until_stopped();
  EXPECT_THAT(state().detail, HasSubstr("another key"));
  EXPECT_EQ(copy->ledger->head(), 0u);
}

TEST_F(FollowerTest, AnotherLedgerIsRefused) {
  lies.id = [](std::string& id) { id = std::string(32, 'a'); };
  follow();
  until_stopped();
  EXPECT_THAT(state().detail, HasSubstr("it is ledger aaaa"));
}

TEST_F(FollowerTest, ShorterSourceIsRefused) {
  std::filesystem::path older = folder / "older";
  source.reset();
  std::filesystem::copy(folder / "source", older, std::filesystem::copy_options::recursive);
  source.emplace(loop, clock, folder / "source");
  source->detect(11, 20);
  follow();
  until_same();
  end_copy();
  source.reset();
  source.emplace(loop, clock, older);  // somebody put back an old backup
  follow();
  until_stopped();
  EXPECT_THAT(state().detail, HasSubstr("it has 12 events, and 22 of them are known"));
  EXPECT_EQ(copy->ledger->head(), 22u);
}

TEST_F(FollowerTest, RewrittenSourceIsRefused) {
  std::filesystem::path older = folder / "older";
  source.reset();
  std::filesystem::copy(folder / "source", older, std::filesystem::copy_options::recursive);
  source.emplace(loop, clock, folder / "source");
  source->detect(11, 20);
  follow();
  until_same();
  const base::Sha256 root = copy->root();
  for (const uint64_t runs : {10, 30}) {  // as many events, and more
    end_copy();
    source.reset();
    std::filesystem::path rewritten = folder / ("rewritten" + std::to_string(runs));
    std::filesystem::copy(older, rewritten, std::filesystem::copy_options::recursive);
    source.emplace(loop, clock, rewritten);
    source->detect(101, 100 + runs);
    follow();
    until_stopped();
    EXPECT_THAT(state().detail, HasSubstr("events 1 to 22")) << runs;
    EXPECT_THAT(state().detail, HasSubstr("are not the beginning of")) << runs;
    EXPECT_EQ(copy->root(), root) << runs;
  }
}

}  // namespace
