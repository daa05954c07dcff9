#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ledger/erasure.h"
#include "ledger/view_rows.h"
#include "rpc/service/allowance.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/event_filter.h"
#include "rpc/service/gateway.h"
#include "rpc/service/presence.h"
#include "rpc/service/service.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

constexpr size_t kBlobBytesACall = 1u << 20;

size_t page_size(uint32_t asked, size_t usual, size_t most) { return asked == 0 ? usual : std::min<size_t>(asked, most); }

const char* health_word(ledger::Health::State state) {
  switch (state) {
    case ledger::Health::State::kOk: return "ok";
    case ledger::Health::State::kStorageLow: return "storage-low";
    case ledger::Health::State::kReadOnly: return "read-only";
  }
  return "unknown";
}

/// "view runs is folded again, 1024 of 5000 events are done; ..."; empty when none is.
std::string folding_words(const std::vector<ledger::ViewProgress>& views) {
  std::string words;
  for (const auto& view : views) {
    words += fmt::format("{}view {} is folded again, {} of {} events are done", words.empty() ? "" : "; ", view.view, view.folded, view.total);
  }
  return words;
}

class RunsServer final : public schema::Runs::Server {
 public:
  RunsServer(const Viewpoint& from, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances)
      : from_(from), identity_(identity_of(authority->caller(), {})), allowances_(std::move(allowances)) {}

  kj::Promise<void> list(ListContext context) override {
    return from_.answer(context, [](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto filter = params.getFilter();
      ledger::RunSelection selection{std::string(view(filter.getInstrument())), std::string(view(filter.getExperiment())),
                                     filter.getFirstRun(), filter.getLastRun(), {}};
      for (auto state : filter.getStates()) selection.states.push_back(state);
      auto page = ledger::list_runs(snapshot, selection, page_size(params.getLimit(), 200, 1000), view(params.getAfter()));
      auto runs = results.initRuns(page.rows.size());
      for (size_t i = 0; i < page.rows.size(); ++i) runs.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    });
  }

  kj::Promise<void> show(ShowContext context) override {
    return from_.answer(context, [](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto key = params.getRun();
      auto run = ledger::find_run(snapshot, view(key.getInstrument()), key.getRunNumber());
      if (!run) return write_refusal(unknown_run(key), results.initRefusal());
      results.setRun(run->get());
      auto ids = run->get().getJobs();
      auto versions = results.initVersions(ids.size());
      for (uint i = 0; i < ids.size(); ++i) {
        if (auto job = ledger::find_job(snapshot, ids[i])) versions.setWithCaveats(i, job->get());
      }
    });
  }

  kj::Promise<void> history(HistoryContext context) override {
    return from_.answer(context, [](const ledger::Snapshot& snapshot, auto params, auto results) {
      const size_t limit = page_size(params.getLimit(), 500, 5000);
      std::vector<uint64_t> seqs;
      if (params.getSubject().isSeq()) {
        seqs.push_back(params.getSubject().getSeq());
      } else {
        seqs = snapshot.subject(subject_key(params.getSubject()), params.getAfter() + 1, limit);
      }
      auto events = results.initEvents(seqs.size());
      for (size_t i = 0; i < seqs.size(); ++i) {
        auto event = snapshot.event(seqs[i]);
        if (!event.is_ok()) return write_refusal(event.status(), results.initRefusal());
        events.set(i, event->asBytes());
      }
      if (seqs.size() == limit) results.setNext(seqs.back());
    });
  }

  kj::Promise<void> blob(BlobContext context) override {
    return from_.answer(context, [](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto bytes = snapshot.blob(view(params.getSha256()));
      if (!bytes) {
        require_read(snapshot);
        return write_refusal(ledger::blob_missing(snapshot, view(params.getSha256())), results.initRefusal());
      }
      const size_t offset = std::min<uint64_t>(params.getOffset(), bytes->size());
      const size_t limit = page_size(params.getLimit(), kBlobBytesACall, kBlobBytesACall);
      results.setBytes(ledger::data(std::string_view(*bytes).substr(offset, limit)));
      results.setTotalBytes(bytes->size());
    });
  }

  kj::Promise<void> watch(WatchContext context) override {
    auto params = context.getParams();
    auto results = context.getResults();
    if (base::Status status = from_.may("watch"); !status.is_ok()) {
      write_refusal(status, results.initRefusal());
      return kj::READY_NOW;
    }
    uint64_t head = from_.service().head();
    uint64_t from = params.getFrom() == 0 ? head + 1 : params.getFrom();
    if (from > head + 1) {
      write_refusal({base::Code::kInvalidArgument, fmt::format("event {} is not there yet: the last one is {}; watch from at most {}", from, head,
                                                               head + 1)},
                    results.initRefusal());
      return kj::READY_NOW;
    }
    auto filter = EventFilter::parse(params.getFilter());
    if (!filter.is_ok()) {
      write_refusal(filter.status(), results.initRefusal());
      return kj::READY_NOW;
    }
    auto use = allowances_->watches.take();
    if (!use.is_ok()) {
      write_refusal(use.status(), results.initRefusal());
      return kj::READY_NOW;
    }
    results.setSubscription(make_subscription(from_.service(), from, std::move(*filter), params.getSink(), std::move(*use)));
    results.setHead(head);
    return kj::READY_NOW;
  }

  kj::Promise<void> rerun(RerunContext context) override {
    if (base::Status status = from_.may("ask for a reduction"); !status.is_ok()) {
      write_refusal(status, context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    command.get().getBody().setRequestReduction(params.getRequest());
    return from_.service().submit(command.reader(), identity_).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

  kj::Promise<void> status(StatusContext context) override {
    const std::string facility = from_.service().facility();
    if (from_.is_past()) {
      return from_.answer(context, [facility](const ledger::Snapshot& snapshot, auto, auto results) {
        auto status = results.initStatus();
        status.setFacility(facility);
        status.setHead(snapshot.head());
        status.setNow(time_of(snapshot, snapshot.head()));
        write_counts(snapshot, status);
      });
    }
    LedgerService& service = from_.service();
    const auto snapshot = from_.snapshot();
    auto status = context.getResults().initStatus();
    const ledger::Health health = service.ledger().health();
    status.setHead(service.head());
    status.setLedger(health_word(health.state));
    status.setLedgerDetail(detail_words(health));
    status.setFacility(facility);
    status.setNow(service.clock().now_ns());
    status.setStartedAt(service.started_at());
    if (const Following* following = service.following()) {
      write_following(*following, status);
      if (following->state == schema::FollowState::STOPPED && health.state == ledger::Health::State::kOk) status.setLedger("stopped-following");
    }
    write_counts(*snapshot, status);
    write_daemons(*snapshot, status);
    if (snapshot->status().code() == base::Code::kUnavailable) {  // a view it reads is being folded; all the rest of it says so
      if (health.state == ledger::Health::State::kOk) status.setLedger("rebuilding");
      status.disownCounts();
      status.disownInstruments();
      status.disownDaemons();
    } else {
      require_read(*snapshot);
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> instruments(InstrumentsContext context) override {
    return from_.answer(context, [](const ledger::Snapshot& snapshot, auto, auto results) {
      auto rows = ledger::list_instruments(snapshot);
      auto instruments = results.initInstruments(rows.size());
      for (size_t i = 0; i < rows.size(); ++i) instruments.setWithCaveats(i, rows[i].get());
    });
  }

  kj::Promise<void> experiments(ExperimentsContext context) override {
    return from_.answer(context, [](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto page = ledger::list_experiments(snapshot, page_size(params.getLimit(), 200, 1000), view(params.getAfter()));
      auto experiments = results.initExperiments(page.rows.size());
      for (size_t i = 0; i < page.rows.size(); ++i) experiments.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    });
  }

 private:
  /// Why the ledger is not as it should be: its storage, views being folded, a clock that went back, checkpoints that cannot be signed.
  std::string detail_words(const ledger::Health& health) const {
    std::vector<std::string> parts;
    if (!health.detail.empty()) parts.push_back(health.detail);
    if (const Following* following = from_.service().following(); following && !following->detail.empty()) parts.push_back(following->detail);
    if (std::string folding = folding_words(from_.service().ledger().rebuilding()); !folding.empty()) parts.push_back(std::move(folding));
    if (std::string clock = from_.service().clock_problem(); !clock.empty()) parts.push_back(std::move(clock));
    if (const base::Status problem = checkpoint_problem(); !problem.is_ok()) {
      parts.push_back("no checkpoint can be signed: " + problem.message());
    }
    return fmt::format("{}", fmt::join(parts, "; "));
  }
  base::Status checkpoint_problem() const { return from_.service().witness() ? from_.service().witness()->problem() : base::Status(); }
  static base::Status unknown_run(schema::RunKey::Reader key) {
    return {base::Code::kNotFound, fmt::format("{} {}: there is no such run; `runledger runs {}` lists those there are",
                                               view(key.getInstrument()), key.getRunNumber(), view(key.getInstrument()))};
  }

  static void write_following(const Following& following, schema::Status::Builder status) {
    auto follow = status.initFollow();
    follow.setSource(following.source);
    follow.setState(following.state);
    follow.setSince(following.since_ns);
    follow.setDetail(following.detail);
    follow.setSourceHead(following.source_head);
    follow.setCheckpointSize(following.checkpoint_size);
    follow.setCheckpointAt(following.checkpoint_at_ns);
  }

  static void write_counts(const ledger::Snapshot& snapshot, schema::Status::Builder status) {
    auto totals = ledger::run_counts(snapshot);
    auto counts = status.initCounts(totals.size());
    uint next = 0;
    for (uint64_t runs : totals) {
      counts[next].setState(static_cast<schema::RunState>(next));
      counts[next++].setRuns(runs);
    }
    auto rows = ledger::list_instruments(snapshot);
    std::erase_if(rows, [](const auto& row) { return row.get().getConfig().getRetired(); });
    auto instruments = status.initInstruments(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      auto row = rows[i].get();
      std::string name(view(row.getConfig().getInstrument()));
      instruments[i].setInstrument(name);
      instruments[i].setPaused(row.getPaused());
      instruments[i].setPauseReason(row.getPauseReason().getText());
      instruments[i].setLastRun(ledger::last_run(snapshot, name));
      instruments[i].setRuns(ledger::total_runs(snapshot, name));
      instruments[i].setWaiting(ledger::waiting_jobs(snapshot, name));
    }
  }

  /// Every daemon seen since this ledgerd started, and every worker that has joined and not left.
  void write_daemons(const ledger::Snapshot& snapshot, schema::Status::Builder status) {
    std::map<std::string, Presence::Entry> entries = from_.service().presence()->entries();
    for (const auto& row : ledger::list_workers(snapshot)) {
      if (row.get().getLeft() || from_.service().following()) continue;  // in a copy they are the source's
      Presence::Entry& entry = entries["workerd/" + std::string(view(row.get().getWorker().getWorker()))];
      if (entry.last_seen_ns == 0) entry.last_seen_ns = from_.service().started_at();
    }
    auto daemons = status.initDaemons(entries.size());
    uint next = 0;
    for (const auto& [name, entry] : entries) {
      daemons[next].setName(name);
      daemons[next].setConnected(entry.connections > 0);
      daemons[next].setLastSeenAt(entry.last_seen_ns);
      daemons[next++].setDetail(entry.detail);
    }
  }

  const Viewpoint from_;
  ledger::Identity identity_;
  const std::shared_ptr<Allowances> allowances_;
};

}  // namespace

schema::Runs::Client make_runs(const Viewpoint& from, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances) {
  return kj::heap<RunsServer>(from, std::move(authority), std::move(allowances));
}

}  // namespace rpc
