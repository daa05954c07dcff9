#include "daemons/ledger_files/export_log.h"

#include <fmt/format.h>
#include <kj/exception.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/version.h"
#include "ledger/canonical.h"
#include "ledger/proof/checkpoint.h"
#include "ledger/proof/tree_proof.h"
#include "ledger/transfer/export_writer.h"
#include "rpc/answers.h"
#include "rpc/service/answers.h"

namespace daemons {
namespace {

using ledger::view;
using rpc::status_of;

/// The tree of the events before leaf `index`, from that leaf's inclusion path in a tree of `size`: its left siblings are their peaks.
ledger::TreeEdge edge_before(uint64_t index, uint64_t size, const std::vector<base::Sha256>& path) {
  std::array<base::Sha256, 64> peaks{};
  uint64_t node = index, last = size - 1;
  int level = 0;
  for (const base::Sha256& sibling : path) {
    if (node & 1 || node == last) {
      for (; !(node & 1) && node != 0; node >>= 1, last >>= 1) ++level;
      peaks[level] = sibling;
    }
    node >>= 1;
    last >>= 1;
    ++level;
  }
  return ledger::TreeEdge(index, [&](int at, uint64_t) { return peaks[at]; });
}

/// One export under way.
class Export : public kj::Refcounted {
 public:
  Export(schema::Gateway::Client gateway, ExportOrder order, std::function<void(uint64_t, uint64_t)> progress)
      : gateway_(kj::mv(gateway)), order_(std::move(order)), progress_(std::move(progress)) {
    header_.from = order_.from;
    header_.release = base::version();
  }

  kj::Promise<base::Result<Exported>> run() {
    return gateway_.infoRequest()
        .send()
        .then([this](auto&& response) {
          header_.ledger_id = view(response.getInfo().getLedgerId());
          return log_in();
        })
        .then([this](auto&& response) {
          require(status_of(response.getRefusal()));
          return response.getSession().auditorRequest().send();
        })
        .then([this](auto&& response) {
          require(status_of(response.getRefusal()));
          auditor_ = response.getAuditor();
          return read_checkpoint();
        })
        .then([this] { return read_edge(); })
        .then([this] { return copy(); })
        .then([this]() -> base::Result<Exported> {
          const auto& writer = *writer_;
          Exported done{header_.ledger_id, header_.from, header_.to, writer->bytes(), writer->root(), unsigned_because_};
          if (!checkpoint_.empty() && done.root != signed_root_) {
            return base::Status(base::Code::kCorruption, fmt::format("the events copied lead to root {}, the ledger signed {}; nothing was written",
                                                                     base::hex(done.root), base::hex(signed_root_)));
          }
          if (base::Status finished = writer->finish(checkpoint_); !finished.is_ok()) return finished;
          return done;
        })
        .catch_([this](kj::Exception&& problem) -> base::Result<Exported> {
          if (!stopped_.is_ok()) return stopped_;
          return base::Status(base::Code::kUnavailable, problem.getDescription().cStr());
        });
  }

 private:
  class Sink final : public schema::CopySink::Server {
   public:
    explicit Sink(kj::Own<Export> owner) : owner_(kj::mv(owner)) {}
    /// ledgerd lets go of it when it copies no more.
    ~Sink() noexcept(false) { owner_->done_.fulfiller->reject(KJ_EXCEPTION(DISCONNECTED, "ledgerd ended the copy; try again")); }
    kj::Promise<void> push(PushContext context) override {
      owner_->take(context.getParams());
      return kj::READY_NOW;
    }

   private:
    kj::Own<Export> owner_;
  };

  capnp::RemotePromise<schema::Gateway::LoginResults> log_in() {
    auto request = gateway_.loginRequest();
    if (!order_.token.empty()) request.initCredentials().setToken(order_.token.c_str());
    return request.send();
  }

  /// Ends the export with this status.
  void require(const base::Status& status) {
    if (status.is_ok()) return;
    stopped_ = status;
    kj::throwFatalException(rpc::fault(status));
  }

  /// The signed end of the log is the end of the export. Where nothing is signed the export is not either; but for a log that is not the one
  /// signed before that must have been asked for.
  kj::Promise<void> read_checkpoint() {
    return auditor_->checkpointRequest().send().then(
        [this](auto&& response) -> kj::Promise<void> {
          if (const base::Status refused = status_of(response.getRefusal()); !refused.is_ok()) return go_unsigned(refused);
          checkpoint_ = view(response.getNote());
          return auditor_->keyRequest().send().then([this](auto&& answer) {
            const auto key = ledger::NoteKey::parse(view(answer.getPublicKey()));
            require(key.status());
            const auto checkpoint = ledger::Checkpoint::open(checkpoint_, {*key});
            require(checkpoint.status());
            header_.to = checkpoint->size;
            signed_root_ = checkpoint->root;
          });
        },
        [this](kj::Exception&& problem) -> kj::Promise<void> {
          if (problem.getType() != kj::Exception::Type::UNIMPLEMENTED) return kj::mv(problem);
          return go_unsigned({base::Code::kUnsupportedVersion, "this ledgerd signs no checkpoints"});
        });
  }
  kj::Promise<void> go_unsigned(const base::Status& refused) {
    if (refused.code() == base::Code::kCorruption && !order_.even_unsigned) {
      require(base::Status(base::Code::kCorruption, fmt::format("{} would bear no checkpoint: {}; nothing was written, export it all the same with --unsigned",
                                                                order_.file.string(), refused.message())));
    }
    unsigned_because_ = refused;
    auto request = log_in().getSession().runsRequest().send().getRuns().statusRequest();
    return request.send().then([this](auto&& response) { header_.to = response.getStatus().getHead(); });
  }

  /// The tree of what is not exported, from the proof of the last event before.
  kj::Promise<void> read_edge() {
    if (header_.to < header_.from) {
      require({base::Code::kNotFound, fmt::format("there is nothing to export from event {} on: the log ends at {}", header_.from, header_.to)});
    }
    if (header_.from == 1) return kj::READY_NOW;
    auto request = auditor_->proveRequest();
    request.initEvents(1).set(0, header_.from - 1);
    return request.send().then([this](auto&& response) {
      require(status_of(response.getRefusal()));
      const auto proof = response.getProofs()[0];
      const std::vector<base::Sha256> path = rpc::path_of(proof.getPath());
      const std::string_view text = view(response.getCheckpoint());
      const auto checkpoint = ledger::Checkpoint::parse(text.substr(0, text.find("\n\n") + 1));
      require(checkpoint.status());
      const base::Sha256 leaf = ledger::leaf_hash(view(proof.getEvent()));
      const uint64_t index = header_.from - 2;
      require(ledger::check_inclusion(leaf, index, checkpoint->size, path, checkpoint->root).in(fmt::format("the proof of event {}", index + 1)));
      header_.before = edge_before(index, checkpoint->size, path);
      header_.before.append(leaf, [](int, uint64_t, const base::Sha256&) {});
    });
  }

  kj::Promise<void> copy() {
    auto writer = ledger::ExportWriter::create(order_.file, header_);
    require(writer.status());
    writer_ = std::move(*writer);
    auto request = auditor_->copyRequest();
    request.setFrom(header_.from);
    request.setSink(kj::heap<Sink>(kj::addRef(*this)));
    return request.send().then([this](auto&& response) {
      require(status_of(response.getRefusal()));
      subscription_ = response.getSubscription();
      return kj::mv(done_.promise);
    }).then([this] { subscription_ = nullptr; });
  }

  void take(schema::CopySink::PushParams::Reader params) {
    auto& writer = **writer_;
    if (writer.next() > header_.to) return;
    for (auto blob : params.getBlobs()) writer.hold(std::string(view(blob)));
    for (auto event : params.getEvents()) {
      if (writer.next() > header_.to) break;
      if (base::Status added = writer.add(view(event)); !added.is_ok()) {
        stopped_ = added;
        return done_.fulfiller->reject(rpc::fault(added));
      }
    }
    progress_(writer.next() - header_.from, header_.to + 1 - header_.from);
    if (writer.next() > header_.to) done_.fulfiller->fulfill();
  }

  schema::Gateway::Client gateway_;
  const ExportOrder order_;
  const std::function<void(uint64_t, uint64_t)> progress_;
  ledger::ExportHeader header_;
  std::string checkpoint_;
  base::Status unsigned_because_;
  base::Sha256 signed_root_{};
  kj::Maybe<schema::Subscription::Client> subscription_;
  std::optional<schema::Auditor::Client> auditor_;
  std::optional<std::unique_ptr<ledger::ExportWriter>> writer_;
  kj::PromiseFulfillerPair<void> done_ = kj::newPromiseAndFulfiller<void>();
  base::Status stopped_;
};

}  // namespace

kj::Promise<base::Result<Exported>> export_log(schema::Gateway::Client gateway, ExportOrder order, std::function<void(uint64_t, uint64_t)> progress) {
  auto work = kj::refcounted<Export>(kj::mv(gateway), std::move(order), std::move(progress));
  auto promise = work->run();
  return promise.attach(kj::mv(work));
}

}  // namespace daemons
