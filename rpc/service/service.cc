#include "rpc/service/service.h"

#include <fmt/format.h>

#include <algorithm>

#include "rpc/service/access_desk.h"
#include "rpc/service/answers.h"
#include "rpc/service/dispatcher.h"
#include "rpc/service/event_feed.h"
#include "rpc/service/gateway.h"
#include "rpc/service/presence.h"

namespace rpc {
namespace {

constexpr int64_t kClockBehindSeconds = 5;  // less is no more than a clock being trimmed

/// "50 s", "23 h", "12 days"
std::string rough_duration(int64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 120 * 60) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / 86'400);
}

}  // namespace

CommandMessage::CommandMessage(std::string_view id) : command_(message_.initRoot<schema::Command>()) {
  command_.setId(kj::StringPtr(std::string(id).c_str()));
}

LedgerService::LedgerService(Loop& loop, ledger::Ledger& ledger, const base::Clock& clock, std::string facility)
    : loop_(loop),
      ledger_(ledger),
      clock_(clock),
      facility_(std::move(facility)),
      started_at_(clock.now_ns()),
      head_(ledger.head()),
      access_(std::make_unique<AccessDesk>(*this, AccessSettings(), nullptr)),
      dispatcher_(std::make_shared<Dispatcher>(*this)),
      presence_(std::make_shared<Presence>(clock)),
      feed_(std::make_shared<EventFeed>([this] { return snapshot(); }, head_)) {
  ledger_.on_commit([this](uint64_t head) { loop_.post([this, head] { committed(head); }); });
}

LedgerService::~LedgerService() { feed_->close(); }

schema::Gateway::Client LedgerService::gateway(ledger::Identity identity) {
  Caller owner;
  owner.kind = Caller::Kind::kOwner;
  owner.name = std::move(identity.name);
  owner.proof = std::move(identity.proof);
  owner.source = "process";
  return gateway(Peer{.caller = std::move(owner), .source = "process"});
}

schema::Gateway::Client LedgerService::gateway(Peer peer) { return make_gateway(*this, std::move(peer)); }

void LedgerService::use_access(const AccessSettings& settings, std::shared_ptr<Accounts> accounts) {
  access_ = std::make_unique<AccessDesk>(*this, settings, std::move(accounts));
}

kj::Promise<ledger::Answer> LedgerService::submit(schema::Command::Reader command, const ledger::Identity& identity) {
  auto paf = kj::newPromiseAndFulfiller<ledger::Answer>();
  uint64_t ticket = answers_.next++;
  answers_.waiting.emplace(ticket, kj::mv(paf.fulfiller));
  ledger_.submit(command, identity, [this, ticket](ledger::Answer answer) {
    loop_.post([this, ticket, answer = std::move(answer)]() mutable {
      answers_.waiting.extract(ticket).mapped()->fulfill(std::move(answer));
    });
  });
  return kj::mv(paf.promise);
}

kj::Promise<std::vector<ledger::Answer>> LedgerService::submit_all(capnp::List<schema::Command>::Reader commands,
                                                                   const ledger::Identity& identity) {
  auto paf = kj::newPromiseAndFulfiller<std::vector<ledger::Answer>>();
  uint64_t ticket = batches_.next++;
  batches_.waiting.emplace(ticket, kj::mv(paf.fulfiller));
  ledger_.submit_all(commands, identity, [this, ticket](std::vector<ledger::Answer> answers) {
    loop_.post([this, ticket, answers = std::move(answers)]() mutable {
      batches_.waiting.extract(ticket).mapped()->fulfill(std::move(answers));
    });
  });
  return kj::mv(paf.promise);
}

kj::Promise<base::Status> LedgerService::take(ledger::Delivery delivery) {
  auto paf = kj::newPromiseAndFulfiller<base::Status>();
  uint64_t ticket = deliveries_.next++;
  deliveries_.waiting.emplace(ticket, kj::mv(paf.fulfiller));
  ledger_.take(std::move(delivery), [this, ticket](base::Status status) {
    loop_.post([this, ticket, status = std::move(status)]() mutable {
      deliveries_.waiting.extract(ticket).mapped()->fulfill(std::move(status));
    });
  });
  return kj::mv(paf.promise);
}

kj::Promise<LedgerService::Findings> LedgerService::rebuild_views(const std::vector<std::string>& names, ledger::Ledger::Progress progress) {
  auto paf = kj::newPromiseAndFulfiller<Findings>();
  uint64_t ticket = findings_.next++;
  findings_.waiting.emplace(ticket, kj::mv(paf.fulfiller));
  ledger_.rebuild_views(names, std::move(progress), [this, ticket](base::Status status) {
    loop_.post([this, ticket, status = std::move(status)] {
      Findings findings = status.is_ok() ? Findings(std::vector<std::string>()) : Findings(status);
      findings_.waiting.extract(ticket).mapped()->fulfill(std::move(findings));
    });
  });
  return kj::mv(paf.promise);
}

kj::Promise<LedgerService::Findings> LedgerService::check_views(const std::vector<std::string>& names, ledger::Ledger::Progress progress) {
  auto paf = kj::newPromiseAndFulfiller<Findings>();
  uint64_t ticket = findings_.next++;
  findings_.waiting.emplace(ticket, kj::mv(paf.fulfiller));
  ledger_.check_views(names, std::move(progress), [this, ticket](Findings findings) {
    loop_.post([this, ticket, findings = std::move(findings)]() mutable {
      findings_.waiting.extract(ticket).mapped()->fulfill(std::move(findings));
    });
  });
  return kj::mv(paf.promise);
}

kj::Promise<void> LedgerService::when_committed(uint64_t seq) {
  if (seq <= head_) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  commit_waiters_.emplace(seq, kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

kj::Promise<SignedCheckpoint> LedgerService::checkpoint(MakeCheckpoint make) {
  auto paf = kj::newPromiseAndFulfiller<SignedCheckpoint>();
  auto turn = last_signing_.addBranch()
                  .then([this, make] {
                    std::shared_ptr<const ledger::Snapshot> snapshot = ledger_.snapshot();
                    auto work = [snapshot, make, witness = witness_, now_ns = clock_.now_ns()] {
                      SignedCheckpoint made{(*witness.*make)(*snapshot, now_ns), snapshot};
                      if (!made.note.is_ok()) return made;
                      const auto checkpoint = ledger::Checkpoint::open(*made.note, {*witness->key()});
                      checkpoint.is_ok() ? void(made.size = checkpoint->size) : void(made.note = checkpoint.status());
                      return made;
                    };
                    return loop_.on_pool(std::move(work));
                  })
                  .then([fulfiller = kj::mv(paf.fulfiller)](SignedCheckpoint checkpoint) mutable { fulfiller->fulfill(std::move(checkpoint)); });
  last_signing_ = turn.eagerlyEvaluate([](kj::Exception&&) {}).fork();
  return kj::mv(paf.promise);
}

std::string LedgerService::clock_problem() const {
  const auto snapshot = ledger_.snapshot();
  if (following_ || snapshot->head() == 0) return {};
  const int64_t last_ns = time_of(*snapshot, snapshot->head());
  const int64_t behind_s = (last_ns - clock_.now_ns()) / 1'000'000'000;
  if (behind_s < kClockBehindSeconds) return {};
  return fmt::format("the clock is {} behind the log's last event ({}): events keep that time until it has caught up; set the clock right",
                     rough_duration(behind_s), base::iso_time(last_ns));
}

bool LedgerService::is_folded() const {
  const auto views = ledger_.rebuilding();
  return std::all_of(views.begin(), views.end(), [](const ledger::ViewProgress& view) { return view.serves; });
}

kj::Promise<void> LedgerService::when_folded() {
  if (is_folded()) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  fold_waiters_.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void LedgerService::committed(uint64_t head) {
  head_ = std::max(head_, head);
  feed_->committed(head_);
  if (!fold_waiters_.empty() && is_folded()) {
    for (auto& waiter : std::exchange(fold_waiters_, {})) waiter->fulfill();
  }
  while (!commit_waiters_.empty() && commit_waiters_.begin()->first <= head_) {
    commit_waiters_.extract(commit_waiters_.begin()).mapped()->fulfill();
  }
  dispatcher_->dispatch();
}

}  // namespace rpc
