#include "rpc/service/copy.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ledger/log_copy.h"
#include "ledger/log_state.h"
#include "ledger/proof/tree_proof.h"
#include "rpc/service/allowance.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

/// The checkpoint the pieces come under until its end is reached.
struct Seal {
  std::string note;
  uint64_t size = 0;
};

/// A piece with what proves it; without a checkpoint where none is to be had.
struct Sealed {
  ledger::LogCopy::Piece piece;
  std::string checkpoint;
  std::vector<base::Sha256> path;
};

base::Result<Sealed> read(ledger::LogCopy& copy, const Seal& seal, const ledger::Snapshot& snapshot, uint64_t to) {
  Sealed sealed;
  if (seal.size > 0) to = std::min(to, seal.size);
  auto piece = copy.read(snapshot, to);
  if (!piece.is_ok()) return piece.status();
  sealed.piece = std::move(*piece);
  if (seal.size == 0 || sealed.piece.empty()) return sealed;
  sealed.checkpoint = seal.note;
  auto path = ledger::consistency_path(copy.next() - 1, seal.size, ledger::nodes_of(snapshot));
  if (!path.is_ok()) return path.status();
  sealed.path = std::move(*path);
  return sealed;
}

/// Reads pieces on the pool and pushes them; one push in flight, so a stalled sink costs one piece.
class CopyServer final : public schema::Subscription::Server {
 public:
  CopyServer(LedgerService& service, std::shared_ptr<Authority> authority, uint64_t from, schema::CopySink::Client sink, Allowance::Use use)
      : use_(std::move(use)), authority_(std::move(authority)), service_(service), copy_(std::make_shared<ledger::LogCopy>(from)), sink_(kj::mv(sink)) {
    task_ = go_on().exclusiveJoin(authority_->on_end()).eagerlyEvaluate([this](kj::Exception&& problem) {
      sink_ = schema::CopySink::Client(nullptr);  // lets the other side know
      if (problem.getType() != kj::Exception::Type::DISCONNECTED) spdlog::warn("a copy of the log ended: {}", problem.getDescription().cStr());
    });
  }

 private:
  kj::Promise<void> go_on() {
    return service_.when_committed(copy_->next()).then([this] { return piece(); }).then([this] { return go_on(); });
  }

  kj::Promise<void> piece() {
    if (base::Status allowed = authority_->require(Action::kCopyLog); !allowed.is_ok()) return fault(allowed);  // roles may have changed
    if (copy_->next() <= seal_->size) return push_piece();
    return service_.vouch().then([this](SignedCheckpoint checkpoint) {
      seal_ = std::make_shared<const Seal>(checkpoint.note.is_ok() ? Seal{std::move(*checkpoint.note), checkpoint.size} : Seal());
      return push_piece();
    });
  }

  kj::Promise<void> push_piece() {
    std::shared_ptr<const ledger::Snapshot> snapshot = service_.snapshot();
    const uint64_t to = std::min(service_.head(), snapshot->head());
    auto work = [copy = copy_, seal = seal_, snapshot, to] { return read(*copy, *seal, *snapshot, to); };
    return service_.loop()
        .on_pool(std::move(work))
        .then([this, to](base::Result<Sealed> sealed) -> kj::Promise<void> {
          if (!sealed.is_ok()) return fault(sealed.status());
          if (sealed->piece.empty()) return service_.when_committed(to + 1);  // a copy that catches up itself: nothing that is signed yet
          const ledger::LogCopy::Piece* piece = &sealed->piece;
          auto request = sink_.pushRequest();
          request.setCheckpoint(sealed->checkpoint);
          write_path(sealed->path, request.initPath(sealed->path.size()));
          auto events = request.initEvents(piece->events.size());
          for (size_t i = 0; i < piece->events.size(); ++i) events.set(i, piece->events[i].asBytes());
          auto blobs = request.initBlobs(piece->blobs.size());
          for (size_t i = 0; i < piece->blobs.size(); ++i) blobs.set(i, ledger::data(piece->blobs[i]));
          return request.send().ignoreResult();
        });
  }

  const Allowance::Use use_;
  const std::shared_ptr<Authority> authority_;
  LedgerService& service_;
  // With whatever the pool still reads.
  const std::shared_ptr<ledger::LogCopy> copy_;
  std::shared_ptr<const Seal> seal_ = std::make_shared<const Seal>();
  schema::CopySink::Client sink_;
  kj::Promise<void> task_ = nullptr;
};

}  // namespace

kj::Promise<void> copy_log(LedgerService& service, std::shared_ptr<Authority> authority, Allowance& copies, capnp::CallContext<schema::Auditor::CopyParams, schema::Auditor::CopyResults> context) {
  auto params = context.getParams();
  const uint64_t from = std::max<uint64_t>(params.getFrom(), 1);
  if (const uint64_t head = service.ledger().head(); from > head + 1) {
    write_refusal({base::Code::kInvalidArgument, fmt::format("event {} is not there yet: the last one is {}; copy from at most {}", from, head, head + 1)},
                  context.getResults().initRefusal());
    return kj::READY_NOW;
  }
  auto use = copies.take();
  if (!use.is_ok()) {
    write_refusal(use.status(), context.getResults().initRefusal());
    return kj::READY_NOW;
  }
  context.getResults().setHead(service.head());
  context.getResults().setSubscription(kj::heap<CopyServer>(service, std::move(authority), from, params.getSink(), std::move(*use)));
  return kj::READY_NOW;
}

}  // namespace rpc
