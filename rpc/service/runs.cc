#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ledger/erasure.h"
#include "ledger/event_bytes.h"
#include "ledger/recorded_subjects.h"
#include "ledger/view_rows.h"
#include "rpc/service/allowance.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/event_filter.h"
#include "rpc/service/gateway.h"
#include "rpc/service/presence.h"
#include "rpc/service/rerun_limit.h"
#include "rpc/service/seen_rows.h"
#include "rpc/service/service.h"
#include "rpc/service/status_answer.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

constexpr size_t kBlobBytesACall = 1u << 20;

size_t page_size(uint32_t asked, size_t usual, size_t most) { return asked == 0 ? usual : std::min<size_t>(asked, most); }

/// How much of what is about a subject a caller sees.
enum class Extent { kAll, kNothing, kSome };
struct Seen {
  Extent extent = Extent::kAll;
  std::optional<Resource> hidden = {};  // there, and not to be told of
};

Seen seen_of(const ledger::Snapshot& snapshot, const Sight& sight, schema::Subject::Reader subject) {
  if (sight.is_everything()) return {};
  switch (subject.which()) {
    case schema::Subject::RUN: {
      const auto run = ledger::find_run(snapshot, view(subject.getRun().getInstrument()), subject.getRun().getRunNumber());
      if (!run) return {Extent::kNothing};
      return sees(sight, run->get()) ? Seen() : Seen{Extent::kNothing, resource_of(run->get())};
    }
    case schema::Subject::JOB: {
      const auto job = ledger::find_job(snapshot, subject.getJob());
      if (!job) return {Extent::kNothing};
      return sees(snapshot, sight, job->get()) ? Seen() : Seen{Extent::kNothing, resource_of(snapshot, job->get())};
    }
    case schema::Subject::EXPERIMENT: return {sight.sees_all_of_experiment(view(subject.getExperiment())) ? Extent::kAll : Extent::kSome};
    default: return {Extent::kSome};
  }
}

struct History {
  std::vector<kj::Array<capnp::word>> events;
  uint64_t next = 0;
  base::Status status;
};

History read_all(const ledger::Snapshot& snapshot, const std::string& key, uint64_t after, size_t limit) {
  History history;
  const std::vector<uint64_t> seqs = snapshot.subject(key, after + 1, limit);
  for (const uint64_t seq : seqs) {
    auto event = snapshot.event(seq);
    if (!event.is_ok()) return {{}, 0, event.status()};
    history.events.push_back(std::move(*event));
  }
  if (seqs.size() == limit) history.next = seqs.back();
  return history;
}

/// Those that are seen. A page ends at the last of them, or at a place that does not depend on what lies there: its end tells nothing of the rest.
History read_seen(const ledger::Snapshot& snapshot, const EventSight& sight, const std::string& key, uint64_t after, size_t limit) {
  constexpr uint64_t kSeqsAPage = 65536;
  constexpr size_t kSeqsARead = 1000;
  History history;
  ledger::RecordedSubjects subjects;
  const uint64_t to = std::min(after > UINT64_MAX - kSeqsAPage ? UINT64_MAX : after + kSeqsAPage, snapshot.head());
  for (uint64_t from = after + 1; from <= to;) {
    const std::vector<uint64_t> seqs = snapshot.subject(key, from, kSeqsARead);
    for (const uint64_t seq : seqs) {
      if (seq > to) break;
      auto event = snapshot.event(seq);
      if (!event.is_ok()) return {{}, 0, event.status()};
      const auto about = subjects.of(snapshot, ledger::StoredEvent(*event).get());
      if (!about.is_ok()) return {{}, 0, about.status()};
      if (!sight.sees(*about)) continue;
      history.events.push_back(std::move(*event));
      if (history.events.size() == limit) {
        history.next = seq;
        return history;
      }
    }
    if (seqs.size() < kSeqsARead) break;
    from = seqs.back() + 1;
  }
  if (to < snapshot.head()) history.next = to;
  return history;
}

/// One event, if it is seen; who does not see everything is not told whether one is there.
History read_one(const ledger::Snapshot& snapshot, const EventSight& sight, uint64_t seq, std::optional<Resource>& hidden) {
  ledger::RecordedSubjects subjects;
  bool is_hidden = false;
  auto event = seen_event(snapshot, sight, seq, subjects, is_hidden);
  if (is_hidden) hidden = Resource{.what = fmt::format("event {}", seq)};
  History history;
  history.status = event.status();
  if (event.is_ok()) history.events.push_back(std::move(*event));
  return history;
}

/// What was asked for and is not shown; noted while reading, put on record on the loop.
using Hidden = std::shared_ptr<std::optional<Resource>>;

class RunsServer final : public schema::Runs::Server {
 public:
  RunsServer(const Viewpoint& from, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances)
      : from_(from), authority_(std::move(authority)), allowances_(std::move(allowances)) {}

  kj::Promise<void> list(ListContext context) override {
    return from_.answer(context, [sight = authority_->sight()](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto filter = params.getFilter();
      ledger::RunSelection selection{std::string(view(filter.getInstrument())), std::string(view(filter.getExperiment())),
                                     filter.getFirstRun(), filter.getLastRun(), {}, areas_of(*sight)};
      for (auto state : filter.getStates()) selection.states.push_back(state);
      auto page = ledger::list_runs(snapshot, selection, page_size(params.getLimit(), 200, 1000), view(params.getAfter()));
      auto runs = results.initRuns(page.rows.size());
      for (size_t i = 0; i < page.rows.size(); ++i) runs.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    });
  }

  kj::Promise<void> show(ShowContext context) override {
    auto hidden = std::make_shared<std::optional<Resource>>();
    return from_.answer(
        context,
        [sight = authority_->sight(), hidden](const ledger::Snapshot& snapshot, auto params, auto results) {
          auto key = params.getRun();
          auto run = ledger::find_run(snapshot, view(key.getInstrument()), key.getRunNumber());
          if (run && !sees(*sight, run->get())) *hidden = resource_of(run->get());
          if (!run || *hidden) return write_refusal(unknown_run(key), results.initRefusal());
          results.setRun(run->get());
          auto ids = run->get().getJobs();
          auto versions = results.initVersions(ids.size());
          for (uint i = 0; i < ids.size(); ++i) {
            if (auto job = ledger::find_job(snapshot, ids[i])) versions.setWithCaveats(i, job->get());
          }
        },
        [authority = authority_, hidden](auto results) {
          if (*hidden) authority->hide(Action::kSeeRun, **hidden);
          authority->hand_out(results);
        });
  }

  kj::Promise<void> history(HistoryContext context) override {
    auto subject = context.getParams().getSubject();
    if (base::Status status = may_ask_about(subject); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    auto hidden = std::make_shared<std::optional<Resource>>();
    auto read = [sight = authority_->sight(), event_sight = authority_->event_sight(), hidden](const ledger::Snapshot& snapshot, auto params, auto results) {
      const size_t limit = page_size(params.getLimit(), 500, 5000);
      const auto about = params.getSubject();
      History history;
      if (about.isSeq()) {
        history = read_one(snapshot, *event_sight, about.getSeq(), *hidden);
      } else {
        const Seen seen = seen_of(snapshot, *sight, about);
        *hidden = seen.hidden;
        if (seen.extent == Extent::kAll) history = read_all(snapshot, subject_key(about), params.getAfter(), limit);
        if (seen.extent == Extent::kSome) history = read_seen(snapshot, *event_sight, subject_key(about), params.getAfter(), limit);
      }
      if (!history.status.is_ok()) return write_refusal(history.status, results.initRefusal());
      auto events = results.initEvents(history.events.size());
      for (size_t i = 0; i < history.events.size(); ++i) events.set(i, history.events[i].asBytes());
      results.setNext(history.next);
    };
    if (authority_->event_sight()->is_everything()) return from_.answer(context, std::move(read));
    auto told = [authority = authority_, hidden](auto results) {
      if (*hidden) authority->hide(Action::kSeeRun, **hidden);
      for (auto event : results.getEvents()) {
        ledger::Row<schema::Event> row(view(event));
        authority->hand_out(row.get());
      }
    };
    return from_.answer_on_pool(context, std::move(read), std::move(told));
  }

  kj::Promise<void> blob(BlobContext context) override {
    if (!authority_->may_read_blob(view(context.getParams().getSha256()))) {
      const auto snapshot = from_.snapshot();
      if (snapshot->has_blob(view(context.getParams().getSha256()))) authority_->hide(Action::kSeeRun, {.what = "document " + base::hex(view(context.getParams().getSha256()))});
      write_refusal(ledger::blob_unknown(view(context.getParams().getSha256())), context.getResults().initRefusal());
      return kj::READY_NOW;
    }
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
    results.setSubscription(make_subscription(from_.service(), authority_, from, std::move(*filter), params.getSink(), std::move(*use)));
    results.setHead(head);
    return kj::READY_NOW;
  }

  kj::Promise<void> rerun(RerunContext context) override {
    if (base::Status status = from_.may("ask for a reduction"); !status.is_ok()) {
      write_refusal(status, context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    return may_rerun(context.getParams().getRequest()).then([this, context](MayRerun may) mutable -> kj::Promise<void> {
      if (!may.identity.is_ok()) {
        write_refusal(may.identity.status(), context.getResults().initAnswer().initRefusal());
        return kj::READY_NOW;
      }
      auto params = context.getParams();
      CommandMessage command(view(params.getCommandId()));
      command.get().getBody().setRequestReduction(params.getRequest());
      return from_.service().submit(command.reader(), *may.identity).then([context, use = std::move(may.use)](ledger::Answer answer) mutable {
        write_answer(answer, context.getResults().initAnswer());
      });
    });
  }

  kj::Promise<void> status(StatusContext context) override { return answer_status(from_, authority_, context); }

  kj::Promise<void> instruments(InstrumentsContext context) override {
    const Caller& caller = authority_->caller();
    return from_.answer(context, [caller](const ledger::Snapshot& snapshot, auto, auto results) {
      auto rows = ledger::list_instruments(snapshot);
      auto instruments = results.initInstruments(rows.size());
      for (size_t i = 0; i < rows.size(); ++i) {
        auto config = rows[i].get().getConfig();
        if (decide(caller, Action::kSeeInstrument, {std::string(view(config.getInstrument()))}).allowed) {
          instruments.setWithCaveats(i, rows[i].get());
        } else {
          instruments[i].initConfig().setInstrument(config.getInstrument());
        }
      }
    }, [authority = authority_](auto results) { authority->hand_out(results); });
  }

  kj::Promise<void> experiments(ExperimentsContext context) override {
    const auto sight = authority_->sight();
    const auto read = [sight](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto page = seen_experiments(snapshot, *sight, page_size(params.getLimit(), 200, 1000), view(params.getAfter()));
      auto experiments = results.initExperiments(page.rows.size());
      for (size_t i = 0; i < page.rows.size(); ++i) experiments.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    };
    return sight->is_everything() ? from_.answer(context, read) : from_.answer_on_pool(context, read);
  }

 private:
  /// kOk where the subject may be asked about; what of it is seen is another question.
  base::Status may_ask_about(schema::Subject::Reader subject) {
    switch (subject.which()) {
      case schema::Subject::ACTOR: return authority_->require(Action::kSeeAccount, {.account = std::string(view(subject.getActor()))});
      case schema::Subject::WORKER: return authority_->require(Action::kSeeWorkers);
      case schema::Subject::DENIALS: return authority_->require(Action::kAudit);
      default: return base::Status::ok();
    }
  }

  static base::Status unknown_run(schema::RunKey::Reader key) {
    return {base::Code::kNotFound, fmt::format("{} {}: there is no such run; `runledger runs {}` lists those there are",
                                               view(key.getInstrument()), key.getRunNumber(), view(key.getInstrument()))};
  }

  struct MayRerun {
    base::Result<ledger::Identity> identity;
    RerunLimit::Use use = {};  // until it is answered
  };
  kj::Promise<MayRerun> may_rerun(schema::ReductionRequested::Reader request) {
    std::shared_ptr<const ledger::Snapshot> snapshot = from_.snapshot();
    const auto key = request.getRun();
    const auto run = ledger::find_run(*snapshot, view(key.getInstrument()), key.getRunNumber());
    require_read(*snapshot);
    if (!run) {
      if (authority_->event_sight()->is_everything()) return MayRerun{authority_->may(Action::kRerun, {std::string(view(key.getInstrument()))})};
      return MayRerun{unknown_run(key)};
    }
    const Resource resource = resource_of(run->get());
    if (!authority_->sight()->sees(resource.instrument, resource.experiment)) {
      authority_->hide(Action::kRerun, resource);
      return MayRerun{unknown_run(key)};
    }
    auto identity = authority_->may(Action::kRerun, resource);
    if (!identity.is_ok() || authority_->is_allowed(Action::kSetVariables, resource)) return MayRerun{std::move(identity)};
    // A member: so many at a time.
    size_t before = 0;
    auto use = from_.service().rerun_limit().begin(resource.experiment, authority_->caller().name, before);
    auto count = [snapshot, experiment = resource.experiment, account = authority_->caller().name] { return open_requests(*snapshot, experiment, account); };
    return from_.service().loop().on_pool(std::move(count)).then(
        [before, most = from_.service().access().settings().member_reruns, experiment = resource.experiment, identity = std::move(identity), use](size_t open) -> MayRerun {
          if (open + before < most) return {identity, use};
          return {base::Status(base::Code::kUnavailable, fmt::format("{} of your reductions of experiment {} wait or run, the most for a member; ask again when some are done",
                                                                     most, base::printable(experiment)))};
        });
  }

  const Viewpoint from_;
  const std::shared_ptr<Authority> authority_;
  const std::shared_ptr<Allowances> allowances_;
};

}  // namespace

schema::Runs::Client make_runs(const Viewpoint& from, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances) {
  return kj::heap<RunsServer>(from, std::move(authority), std::move(allowances));
}

}  // namespace rpc
