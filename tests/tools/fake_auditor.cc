#include "tests/tools/fake_auditor.h"

#include "ledger/proof/checkpoint.h"
#include "ledger/proof/merkle.h"
#include "ledger/proof/tree_proof.h"

namespace fake {
namespace {

using ::ledger::leaf_hash;

base::Sha256 node(const Ledger& ledger, int level, uint64_t index) {
  if (level == 0) return leaf_hash(canonical(ledger.events[index].read()));
  return ::ledger::node_hash(node(ledger, level - 1, 2 * index), node(ledger, level - 1, 2 * index + 1));
}
::ledger::ReadNode reader_of(const Ledger& ledger) {
  return [&ledger](int level, uint64_t index) -> base::Result<base::Sha256> { return node(ledger, level, index); };
}

void refuse(schema::Refusal::Builder refusal, schema::Refusal::Code code, const char* text) {
  refusal.setCode(code);
  refusal.setText(text);
}

class Auditor final : public schema::Auditor::Server {
 public:
  explicit Auditor(Ledger& ledger) : ledger_(ledger) {}

  kj::Promise<void> key(KeyContext context) override {
    context.getResults().setOrigin(checkpoint_key().public_key().name);
    context.getResults().setPublicKey(checkpoint_key().public_key().line());
    return kj::READY_NOW;
  }
  kj::Promise<void> checkpoint(CheckpointContext context) override {
    context.getResults().setNote(checkpoint_of(ledger_, ledger_.events.size()));
    return kj::READY_NOW;
  }
  kj::Promise<void> prove(ProveContext context) override {
    const auto seqs = context.getParams().getEvents();
    auto results = context.getResults();
    results.setCheckpoint(checkpoint_of(ledger_, ledger_.events.size()));
    auto proofs = results.initProofs(seqs.size());
    for (uint32_t i = 0; i < seqs.size(); ++i) {
      if (seqs[i] == 0 || seqs[i] > ledger_.events.size()) {
        refuse(results.initRefusal(), schema::Refusal::Code::NOT_FOUND, "there is no such event");
        return kj::READY_NOW;
      }
      std::string event = canonical(ledger_.events[seqs[i] - 1].read());
      if (ledger_.rewritten) event.back() ^= 1;
      proofs[i].setEvent(as_data(event));
      const auto path = *::ledger::inclusion_path(seqs[i] - 1, ledger_.events.size(), reader_of(ledger_));
      write(path, proofs[i].initPath(static_cast<unsigned>(path.size())));
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> consistency(ConsistencyContext context) override {
    const auto params = context.getParams();
    const auto path = *::ledger::consistency_path(params.getFromSize(), params.getToSize(), reader_of(ledger_));
    write(path, context.getResults().initPath(static_cast<unsigned>(path.size())));
    return kj::READY_NOW;
  }
  kj::Promise<void> verify(VerifyContext context) override {
    ledger_.asked.push_back("verify from " + std::to_string(context.getParams().getFrom()));
    if (!ledger_.refuse_changes.empty()) {
      refuse(context.getResults().initRefusal(), schema::Refusal::Code::NOT_FOUND, ledger_.refuse_changes.c_str());
    } else {
      context.getResults().setReport(ledger_.report.read());
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> whoCouldSee(WhoCouldSeeContext context) override {
    who_could_see(ledger_.access, context.getParams(), context.getResults());
    return kj::READY_NOW;
  }

 private:
  static void write(const std::vector<base::Sha256>& path, capnp::List<capnp::Data>::Builder list) {
    for (uint32_t i = 0; i < path.size(); ++i) list.set(i, as_data(base::as_bytes(path[i])));
  }
  Ledger& ledger_;
};

}  // namespace

const ::ledger::SigningKey& checkpoint_key() {
  static const auto key = ::ledger::SigningKey::generate(::ledger::checkpoint_origin("0123")).value();
  return key;
}

std::string checkpoint_of(const Ledger& ledger, uint64_t size) {
  ::ledger::TreeEdge edge;
  for (uint64_t i = 0; i < size; ++i) edge.append(leaf_hash(canonical(ledger.events[i].read())), [](int, uint64_t, const base::Sha256&) {});
  return checkpoint_key().sign(::ledger::Checkpoint{checkpoint_key().public_key().name, size, edge.root()}.text()).value();
}

schema::Auditor::Client make_auditor(Ledger& ledger) { return kj::heap<Auditor>(ledger); }

}  // namespace fake
