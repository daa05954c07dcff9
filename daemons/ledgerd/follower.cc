#include "daemons/ledgerd/follower.h"

#include <fmt/format.h>
#include <kj/debug.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

#include "base/counted.h"
#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/log_state.h"
#include "rpc/answers.h"

namespace daemons {
namespace {

using base::Status;
using ledger::view;
using rpc::path_of;
using rpc::status_of;

}  // namespace

/// A piece on its way: made on the pool, checked on the writer's thread, read again on the loop when both are done.
struct Follower::Delivered {
  ledger::CopiedPiece piece;
  ledger::SourceWord word;
  base::Result<ledger::Checkpoint> checkpoint = Status(base::Code::kInternal, "nothing was checked");
};

/// The source may hold it longer than its copy lives: then it takes nothing any more.
class Follower::Sink final : public schema::CopySink::Server {
 public:
  Sink(std::weak_ptr<Follower*> owner, kj::Own<kj::PromiseFulfiller<void>> ended) : owner_(std::move(owner)), ended_(kj::mv(ended)) {}
  ~Sink() noexcept(false) { ended_->reject(KJ_EXCEPTION(DISCONNECTED, "the source ended the copy")); }

  kj::Promise<void> push(PushContext context) override {
    auto owner = owner_.lock();
    if (!owner || !ended_->isWaiting()) return KJ_EXCEPTION(DISCONNECTED, "this copy has ended");
    return kj::evalNow([&] { return (*owner)->take(context.getParams()); }).catch_([this](kj::Exception&& problem) {
      ended_->reject(kj::cp(problem));
      kj::throwFatalException(kj::mv(problem));
    });
  }

 private:
  const std::weak_ptr<Follower*> owner_;
  kj::Own<kj::PromiseFulfiller<void>> ended_;
};

Follower::Follower(rpc::Loop& loop, rpc::LedgerService& service, const base::Clock& clock, std::string address, ledger::NoteKey key, Connect connect)
    : Follower(loop, service, clock, std::move(address), std::move(key), std::move(connect), Pauses()) {}

Follower::Follower(rpc::Loop& loop, rpc::LedgerService& service, const base::Clock& clock, std::string address, ledger::NoteKey key, Connect connect,
                   Pauses pauses)
    : loop_(loop),
      service_(service),
      clock_(clock),
      key_(std::move(key)),
      connect_(std::move(connect)),
      pauses_(pauses),
      taking_(kj::Promise<void>(kj::READY_NOW).fork()) {
  state_->source = std::move(address);
  state_->since_ns = clock_.now_ns();
  const auto known = ledger::Checkpoint::open(service_.snapshot()->held_checkpoint(), {key_});
  if (known.is_ok()) state_->checkpoint_size = known->size;
}

kj::Promise<void> Follower::run() { return attempt(pauses_.first); }

kj::Promise<void> Follower::attempt(kj::Duration pause) {
  taken_ = false;
  return once().catch_([this](kj::Exception&& problem) {
    subscription_ = nullptr;
    if (!stopped_) enter(schema::FollowState::UNREACHABLE, base::printable(problem.getDescription().cStr()));
    return taking_.addBranch();
  }).then([this, pause]() -> kj::Promise<void> {
    if (stopped_) return kj::NEVER_DONE;
    const kj::Duration wait = taken_ ? pauses_.first : pause;
    return loop_.timer().afterDelay(wait).then([this, wait] { return attempt(std::min(wait * 2, pauses_.longest)); });
  });
}

/// Rejects, sooner or later.
kj::Promise<void> Follower::once() {
  auto gateway = kj::heap<kj::Maybe<schema::Gateway::Client>>();
  auto& kept = *gateway;
  return connect_()
      .then([&kept](schema::Gateway::Client connected) {
        kept = connected;
        return connected.infoRequest().send();
      })
      .then([this, &kept](auto&& response) {
        const std::string_view id = view(response.getInfo().getLedgerId());
        if (id != ledger::ledger_id(key_)) {
          require({base::Code::kConflict, fmt::format("it is ledger {}, the key in [follow] is of ledger {}", base::printable(id), ledger::ledger_id(key_))});
        }
        return KJ_ASSERT_NONNULL(kept).loginRequest().send();
      })
      .then([this](auto&& response) {
        require_now(status_of(response.getRefusal()));
        return response.getSession().auditorRequest().send();
      })
      .then([this](auto&& response) {
        require_now(status_of(response.getRefusal()));
        schema::Auditor::Client auditor = response.getAuditor();
        return look_at_source(auditor).then([this, auditor]() mutable { return copy(auditor); });
      })
      .attach(kj::mv(gateway));
}

kj::Promise<void> Follower::look_at_source(schema::Auditor::Client auditor) {
  return auditor.checkpointRequest().send().then([this, auditor](auto&& response) mutable -> kj::Promise<void> {
    const Status refused = status_of(response.getRefusal());
    if (refused.code() == base::Code::kNotFound && held() == 0) {  // both are empty
      enter(schema::FollowState::FOLLOWING);
      return kj::READY_NOW;
    }
    require_now(refused.in("it signs no checkpoint"));
    return prove_continuation(auditor, std::string(view(response.getNote())));
  });
}

/// What is held here must be the beginning of what the source has.
kj::Promise<void> Follower::prove_continuation(schema::Auditor::Client auditor, std::string note) {
  const auto snapshot = service_.snapshot();
  const auto edge = ledger::load_edge(*snapshot, snapshot->head());
  require_now(edge.status());
  const auto checkpoint = ledger::Checkpoint::open(note, {key_});
  const auto check = [this, edge = *edge, note](std::vector<base::Sha256> path) {
    const auto checked = ledger::check_source(key_, edge, {note, std::move(path)});
    require(checked.status());
    verified(*checked);
  };
  if (!checkpoint.is_ok() || checkpoint->size <= edge->size() || edge->size() == 0) {
    check({});
    return kj::READY_NOW;
  }
  auto request = auditor.consistencyRequest();
  request.setFromSize(edge->size());
  request.setToSize(checkpoint->size);
  return request.send().then([this, check](auto&& response) {
    if (const Status refused = status_of(response.getRefusal()); !refused.is_ok()) {
      require({base::Code::kConflict, "it does not prove that it continues what is held here: " + refused.message()});
    }
    check(path_of(response.getPath()));
  });
}

kj::Promise<void> Follower::copy(schema::Auditor::Client auditor) {
  auto ended = kj::newPromiseAndFulfiller<void>();
  auto request = auditor.copyRequest();
  request.setFrom(held() + 1);
  request.setSink(kj::heap<Sink>(self_, kj::mv(ended.fulfiller)));
  return request.send().then([this, ended = kj::mv(ended.promise)](auto&& response) mutable {
    require_now(status_of(response.getRefusal()));
    subscription_ = response.getSubscription();
    return kj::mv(ended);
  });
}

kj::Promise<void> Follower::take(schema::CopySink::PushParams::Reader params) {
  auto delivered = std::make_shared<Delivered>();
  for (auto event : params.getEvents()) delivered->piece.events.emplace_back(view(event));
  for (auto blob : params.getBlobs()) delivered->piece.blobs.emplace_back(view(blob));
  delivered->word = {std::string(view(params.getCheckpoint())), path_of(params.getPath())};
  if (delivered->piece.events.empty()) return kj::READY_NOW;
  if (delivered->word.checkpoint.empty()) require_now({base::Code::kUnavailable, "it signs no checkpoint (its status says why); nothing is copied without"});
  auto writing = write(delivered);
  auto result = writing.fork();
  taking_ = result.addBranch().catch_([](kj::Exception&&) {}).fork();
  return pushes_.wrap(result.addBranch());
}

kj::Promise<void> Follower::write(std::shared_ptr<Delivered> delivered) {
  return loop_.on_pool([delivered] { return ledger::arrange(std::move(delivered->piece)); })
      .then([this, delivered](base::Result<std::vector<ledger::Delivery::Event>> events) -> kj::Promise<Status> {
        if (!events.is_ok()) return events.status();
        ledger::Delivery delivery;
        delivery.events = std::move(*events);
        // Kept where it is of exactly these events; a forged one is not kept, as nothing of its piece is.
        const auto claimed = ledger::Checkpoint::open(delivered->word.checkpoint, {key_});
        if (claimed.is_ok() && claimed->size == held() + delivery.events.size()) delivery.checkpoint = delivered->word.checkpoint;
        delivery.check = [delivered, key = key_](const ledger::TreeEdge& with) {
          delivered->checkpoint = ledger::check_source(key, with, delivered->word);
          return delivered->checkpoint.status();
        };
        return service_.take(std::move(delivery));
      })
      .then([this, delivered](Status status) {
        if (status.code() == base::Code::kUnavailable) require_now(status.in("what it sent cannot be written here"));
        require(status);
        taken_ = true;
        verified(*delivered->checkpoint);
      });
}

void Follower::verified(const ledger::Checkpoint& checkpoint) {
  state_->checkpoint_size = checkpoint.size;
  state_->checkpoint_at_ns = clock_.now_ns();
  state_->source_head = std::max(state_->source_head, checkpoint.size);
  enter(held() < state_->source_head ? schema::FollowState::CATCHING_UP : schema::FollowState::FOLLOWING);
}

void Follower::enter(schema::FollowState state, std::string detail) {
  std::string sentence;
  if (!detail.empty()) sentence = fmt::format("the source {}: {}", state_->source, detail);
  if (state == state_->state && sentence == state_->detail) return;
  if (state != state_->state) state_->since_ns = clock_.now_ns();
  state_->state = state;
  state_->detail = std::move(sentence);
  switch (state) {
    case schema::FollowState::CATCHING_UP:
      return spdlog::info("{} held, the source {} has {}", base::counted(held(), "event"), state_->source, state_->source_head);
    case schema::FollowState::FOLLOWING:
      return spdlog::info("everything of the source {} is here: {}", state_->source, base::counted(held(), "event"));
    case schema::FollowState::UNREACHABLE: return spdlog::warn("{}; trying again", state_->detail);
    case schema::FollowState::STOPPED: return spdlog::critical("{}", state_->detail);
    case schema::FollowState::CONNECTING: return;
  }
}

void Follower::stop(const Status& why) {
  stopped_ = true;
  const std::string kept = held() == 0 ? "nothing is copied" : fmt::format("nothing more is copied, events 1 to {} are served as they were verified", held());
  enter(schema::FollowState::STOPPED, fmt::format("{}; {}; find out what happened to the source, then start ledgerd again", why.message(), kept));
}

void Follower::require(const Status& status) {
  if (status.is_ok()) return;
  stop(status);
  require_now(status);
}

void Follower::require_now(const Status& status) {
  if (status.is_ok()) return;
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::heapString(status.message().c_str())));
}

}  // namespace daemons
