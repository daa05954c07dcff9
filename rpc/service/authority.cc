#include "rpc/service/authority.h"

#include <spdlog/spdlog.h>

#include "rpc/service/access_desk.h"
#include "rpc/service/answers.h"
#include "rpc/service/seen_campaigns.h"
#include "rpc/service/sessions.h"

namespace rpc {
namespace {

struct Ending {
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  kj::ForkedPromise<void> promise;
};

Ending new_ending() {
  auto pair = kj::newPromiseAndFulfiller<void>();
  return {kj::mv(pair.fulfiller), pair.promise.fork()};
}

}  // namespace

ledger::Identity identity_of(const Caller& caller, std::string right) {
  const auto kind = caller.kind == Caller::Kind::kDaemon ? schema::Actor::Kind::DAEMON : schema::Actor::Kind::PERSON;
  return {kind, caller.name, caller.proof, std::move(right)};
}

Authority::Authority(AccessDesk& desk, Caller caller, int64_t expires_at_ns)
    : desk_(desk), sessions_(desk.sessions()), caller_(std::move(caller)), expires_at_ns_(expires_at_ns), ended_(nullptr) {
  look();
  Ending ending = new_ending();
  ending_ = kj::mv(ending.fulfiller);
  ended_ = kj::mv(ending.promise);
  sessions_->enter(*this);
}

Authority::~Authority() { sessions_->leave(*this); }

base::Result<ledger::Identity> Authority::may(Action action, const Resource& resource) {
  if (!why_ended_.empty()) return base::Status(base::Code::kPermissionDenied, why_ended_);
  Verdict verdict = decide(caller_, action, resource);
  if (verdict.allowed) return identity_of(caller_, std::move(verdict.right));
  desk_.denied(caller_, action_word(action), resource_words(resource), verdict.code, verdict.reason);
  return base::Status(base::Code::kPermissionDenied, std::move(verdict.reason));
}

base::Status Authority::require(Action action, const Resource& resource) { return may(action, resource).status(); }

void Authority::hide(Action action, const Resource& resource) {
  if (!why_ended_.empty()) return;
  const Verdict verdict = decide(caller_, action, resource);
  if (!verdict.allowed) desk_.denied(caller_, action_word(action), resource_words(resource), verdict.code, verdict.reason);
}

void Authority::note_denied(Action action, const std::string& what, std::string_view code, std::string_view reason) {
  if (why_ended_.empty()) desk_.denied(caller_, action_word(action), what, code, reason);
}

void Authority::hand_out_event(schema::Event::Reader event) {
  const auto body = event.getBody();
  if (body.isCampaignStarted() && !sees_plan(caller_, body.getCampaignStarted(), view(event.getActor().getName()))) return;
  hand_out(event);
}

void Authority::become(std::vector<Grant> grants) {
  if (!why_ended_.empty() || grants == caller_.grants) return;
  caller_.grants = std::move(grants);
  handed_out_ = HandedOut();  // what he was told of may be another's now
  look();
}

void Authority::look() {
  sight_ = std::make_shared<const Sight>(Sight::of(caller_));
  event_sight_ = std::make_shared<const EventSight>(caller_);
}

void Authority::end(const std::string& why) {
  if (!why_ended_.empty()) return;
  why_ended_ = why;
  Caller nobody;
  sight_ = std::make_shared<const Sight>(Sight::of(nobody));
  event_sight_ = std::make_shared<const EventSight>(nobody);
  handed_out_ = HandedOut();
  ending_->reject(fault({base::Code::kPermissionDenied, why}));
}

void Authority::end_after(kj::Promise<void> when, std::string why) {
  expiring_ = when.then([this, why = std::move(why)] { end(why); }).eagerlyEvaluate([](kj::Exception&& problem) {
    spdlog::error("a session's time is not watched any more: {}", problem.getDescription().cStr());
  });
}

}  // namespace rpc
