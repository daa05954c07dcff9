#include <fmt/format.h>

#include <algorithm>

#include "ledger/event_bytes.h"
#include "ledger/log_state.h"
#include "ledger/past.h"
#include "ledger/proof/tree_proof.h"
#include "ledger/recorded_subjects.h"
#include "ledger/role_history.h"
#include "ledger/verify.h"
#include "ledger/witness.h"
#include "rpc/service/allowance.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/copy.h"
#include "rpc/service/gateway.h"
#include "rpc/service/moment.h"
#include "rpc/service/progress.h"
#include "rpc/service/seen_rows.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

constexpr size_t kMaxProofs = 1000;

using Path = base::Result<std::vector<base::Sha256>>;

/// Events with their paths, as the pool reads them.
struct Proofs {
  base::Status status;
  uint64_t hidden = 0;  // an event that is not the caller's to see
  std::vector<kj::Array<capnp::word>> events;
  std::vector<std::vector<base::Sha256>> paths;
};

Proofs read_proofs(const ledger::Snapshot& snapshot, const EventSight& sight, uint64_t size, const std::vector<uint64_t>& seqs) {
  Proofs proofs;
  ledger::RecordedSubjects subjects;
  for (const uint64_t seq : seqs) {
    bool is_hidden = false;
    auto event = seen_event(snapshot, sight, seq, subjects, is_hidden);
    if (is_hidden) proofs.hidden = seq;
    if (event.is_ok() && seq > size) {
      proofs.status = {base::Code::kUnavailable,
                       fmt::format("event {} cannot be proven yet: the last checkpoint of the source that was reached is of {} events", seq, size)};
    } else if (event.is_ok()) {
      Path path = ledger::inclusion_path(seq - 1, size, ledger::nodes_of(snapshot));
      proofs.status = path.status();
      if (path.is_ok()) proofs.paths.push_back(std::move(*path));
      proofs.events.push_back(std::move(*event));
    } else {
      proofs.status = event.status();
    }
    if (!proofs.status.is_ok()) break;
  }
  return proofs;
}

using Entries = base::Result<std::vector<ledger::Witnessed>>;

Entries read_witness(const ledger::Witness& witness) {
  if (!witness.key().is_ok()) return witness.key().status();
  return ledger::read_witness_file(witness.file(), *witness.key());
}

/// Everything, or what lies behind the last witnessed checkpoint before `from`.
base::Result<ledger::VerifyReport> verify(const ledger::Verification& verification, const Entries& entries, const std::string& file, uint64_t from,
                                          ledger::Verification::Options options) {
  if (base::Status there = verification.require_event(from); !there.is_ok()) return there;
  const base::Status held = options.hold_against(entries.is_ok() ? *entries : std::vector<ledger::Witnessed>(), file, from);
  if (!held.is_ok()) return held;
  ledger::VerifyReport report = verification.run(options);
  if (!entries.is_ok()) {
    report.ok = false;
    report.finding_count += 1;
    if (report.findings.size() < ledger::kMaxFindings) report.findings.push_back(entries.status().message());
  }
  return report;
}

class AuditorServer final : public schema::Auditor::Server {
 public:
  AuditorServer(LedgerService& service, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances)
      : service_(service), authority_(std::move(authority)), allowances_(std::move(allowances)) {}

  kj::Promise<void> key(KeyContext context) override {
    const auto& key = service_.witness()->key();
    if (!key.is_ok()) return fault(key.status());
    context.getResults().setOrigin(key->name);
    context.getResults().setPublicKey(key->line());
    return kj::READY_NOW;
  }

  kj::Promise<void> checkpoint(CheckpointContext context) override {
    if (base::Status status = authority_->require(Action::kProve); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    return service_.sign_checkpoint().then([context](SignedCheckpoint checkpoint) mutable {
      if (checkpoint.note.is_ok()) {
        context.getResults().setNote(*checkpoint.note);
      } else {
        write_refusal(checkpoint.note.status(), context.getResults().initRefusal());
      }
    });
  }

  kj::Promise<void> prove(ProveContext context) override {
    if (base::Status status = authority_->require(Action::kProve); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    std::vector<uint64_t> seqs;
    for (uint64_t seq : context.getParams().getEvents()) seqs.push_back(seq);
    if (seqs.size() > kMaxProofs) {
      write_refusal({base::Code::kInvalidArgument, fmt::format("{} events are named; prove at most {} at once", seqs.size(), kMaxProofs)},
                    context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    return service_.sign_checkpoint().then([this, context, seqs = std::move(seqs)](SignedCheckpoint checkpoint) mutable -> kj::Promise<void> {
      if (!checkpoint.note.is_ok()) {
        write_refusal(checkpoint.note.status(), context.getResults().initRefusal());
        return kj::READY_NOW;
      }
      context.getResults().setCheckpoint(*checkpoint.note);
      return service_.loop()
          .on_pool([snapshot = checkpoint.snapshot, sight = authority_->event_sight(), size = checkpoint.size, seqs = std::move(seqs)] {
            return read_proofs(*snapshot, *sight, size, seqs);
          })
          .then([context, authority = authority_](Proofs proofs) mutable {
            auto results = context.getResults();
            if (proofs.hidden != 0) authority->hide(Action::kSeeRun, {.what = fmt::format("event {}", proofs.hidden)});
            if (!proofs.status.is_ok()) return write_refusal(proofs.status, results.initRefusal());
            auto list = results.initProofs(proofs.events.size());
            for (size_t i = 0; i < proofs.events.size(); ++i) {
              list[i].setEvent(proofs.events[i].asBytes());
              write_path(proofs.paths[i], list[i].initPath(proofs.paths[i].size()));
            }
          });
    });
  }

  kj::Promise<void> consistency(ConsistencyContext context) override {
    std::shared_ptr<const ledger::Snapshot> snapshot = service_.snapshot();
    const uint64_t from = context.getParams().getFromSize();
    const uint64_t to = context.getParams().getToSize() == 0 ? snapshot->head() : context.getParams().getToSize();
    if (from == 0 || from > to || to > snapshot->head()) {
      write_refusal({base::Code::kInvalidArgument, fmt::format("there is no proof from {} events to {}: the log has {}", from, to, snapshot->head())},
                    context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    return service_.loop()
        .on_pool([snapshot, from, to] { return ledger::consistency_path(from, to, ledger::nodes_of(*snapshot)); })
        .then([context](Path path) mutable {
          if (!path.is_ok()) return write_refusal(path.status(), context.getResults().initRefusal());
          write_path(*path, context.getResults().initPath(path->size()));
        });
  }

  kj::Promise<void> verify(VerifyContext context) override {
    if (base::Status status = authority_->require(Action::kVerify); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    if (!service_.verifying().expired()) {
      write_refusal({base::Code::kUnavailable, "the ledger is being verified already; try again when that has ended"},
                    context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    auto teller = kj::heap<ProgressTeller>(service_.loop(), context.getParams().getProgress());
    service_.verifying() = teller->token();
    ledger::Verification::Options options;
    options.progress = teller->report();
    // The witness file first: it may then not say more than the ledger that is looked at.
    return service_.loop()
        .on_pool([witness = service_.witness()] { return read_witness(*witness); })
        .then([this, context, options = std::move(options)](Entries entries) mutable {
          std::shared_ptr<const ledger::Verification> verification = service_.ledger().verification();
          const uint64_t from = context.getParams().getFrom();
          return service_.loop().on_pool([verification, entries = std::move(entries), file = service_.witness()->file().string(), from,
                                          options = std::move(options)] { return rpc::verify(*verification, entries, file, from, options); });
        })
        .then([context](base::Result<ledger::VerifyReport> report) mutable {
          if (!report.is_ok()) return write_refusal(report.status(), context.getResults().initRefusal());
          auto results = context.getResults().initReport();
          results.setOk(report->ok);
          results.setEvents(report->events);
          if (report->ok) results.setRoot(ledger::data(base::as_bytes(report->root)));
          results.setFirstBad(report->first_bad);
          results.setFindingCount(report->finding_count);
          results.setTrusted(report->trusted);
          auto findings = results.initFindings(report->findings.size());
          for (size_t i = 0; i < report->findings.size(); ++i) findings.set(i, report->findings[i]);
          auto losses = results.initLosses(report->loss_words.size());
          for (size_t i = 0; i < report->loss_words.size(); ++i) losses.set(i, report->loss_words[i]);
        })
        .attach(kj::mv(teller));
  }

  kj::Promise<void> copy(CopyContext context) override {
    if (base::Status status = authority_->require(Action::kCopyLog); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    return copy_log(service_, authority_, allowances_->copies, context);
  }

  kj::Promise<void> whoCouldSee(WhoCouldSeeContext context) override {
    if (base::Status status = authority_->require(Action::kAudit); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    struct Found {
      FoundMoment moment;
      base::Result<std::vector<ledger::Row<schema::GrantRow>>> grants;
    };
    auto find = [now = std::make_shared<std::unique_ptr<ledger::Snapshot>>(service_.snapshot()), params = capnp::clone(context.getParams())] {
      FoundMoment moment{{}, (*now)->head(), time_of(**now, (*now)->head())};
      if (params->hasMoment()) moment = find_moment(**now, params->getMoment());
      if (!moment.status.is_ok()) return Found{moment, moment.status};
      const ledger::Past past(std::move(*now), moment.seq);
      return Found{moment, ledger::who_could_see(past, view(params->getExperiment()))};
    };
    return service_.loop().on_pool(std::move(find)).then([context](Found found) mutable {
      auto results = context.getResults();
      if (!found.grants.is_ok()) return write_refusal(found.grants.status(), results.initRefusal());
      auto accounts = results.initAccounts(static_cast<unsigned>(found.grants->size()));
      for (unsigned i = 0; i < accounts.size(); ++i) accounts.setWithCaveats(i, (*found.grants)[i].get());
      results.setSeq(found.moment.seq);
      results.setTime(found.moment.time_ns);
    });
  }

 private:
  LedgerService& service_;
  const std::shared_ptr<Authority> authority_;
  const std::shared_ptr<Allowances> allowances_;
};

}  // namespace

schema::Auditor::Client make_auditor(LedgerService& service, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances) {
  return kj::heap<AuditorServer>(service, std::move(authority), std::move(allowances));
}

}  // namespace rpc
