#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ledger/erasure.h"
#include "ledger/event_bytes.h"
#include "ledger/run_selection.h"
#include "ledger/stale.h"
#include "ledger/view_rows.h"
#include "rpc/service/allowance.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/event_filter.h"
#include "rpc/service/gateway.h"
#include "rpc/service/history.h"
#include "rpc/service/job_documents.h"
#include "rpc/service/presence.h"
#include "rpc/service/run_filter.h"
#include "rpc/service/run_requests.h"
#include "rpc/service/seen_campaigns.h"
#include "rpc/service/seen_rows.h"
#include "rpc/service/service.h"
#include "rpc/service/status_answer.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

constexpr size_t kBlobBytesACall = 1u << 20;
constexpr uint64_t kConsideredAPage = 20'000;  // runs: some tenths of a second

void write_stale(const ledger::RowReader& rows, const ledger::RunPick& pick, size_t limit, std::string_view after, schema::Runs::StaleResults::Builder results) {
  std::vector<std::pair<ledger::Row<schema::RunRow>, ledger::StaleResult>> found;
  ledger::RunPicker picker(rows, pick);
  ledger::StaleLook look(rows);
  uint64_t considered = 0;
  std::string next;
  picker.visit(
      [&](schema::RunRow::Reader run) {
        if (found.size() == limit || considered == kConsideredAPage) {
          next = ledger::RunPicker::key(run);
          return false;
        }
        ++considered;
        if (!picker.matches(run)) return true;
        if (auto result = look.look(run); result.is_stale()) found.emplace_back(ledger::canonical_bytes(run), std::move(result));
        return true;
      },
      after);
  auto list = results.initResults(static_cast<uint32_t>(found.size()));
  for (uint32_t i = 0; i < list.size(); ++i) {
    const ledger::StaleResult& result = found[i].second;
    list[i].setRun(found[i].first.get().getRun());
    list[i].setVersion(result.version);
    list[i].setJob(result.job);
    auto why = list[i].initWhy(static_cast<uint32_t>(result.why.size()));
    for (uint32_t k = 0; k < why.size(); ++k) {
      why[k].setKind(static_cast<schema::StaleReason::Kind>(result.why[k].kind));
      why[k].setName(result.why[k].name);
      why[k].setWas(result.why[k].was);
      why[k].setNow(result.why[k].now);
      why[k].setEvent(result.why[k].event);
    }
  }
  results.setConsidered(considered);
  results.setNext(ledger::data(next));
}

class RunsServer final : public schema::Runs::Server {
 public:
  RunsServer(const Viewpoint& from, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances)
      : from_(from), authority_(std::move(authority)), allowances_(std::move(allowances)) {}

  kj::Promise<void> list(ListContext context) override {
    auto pick = read_filter(context.getParams().getFilter(), *authority_->sight());
    if (!pick.is_ok()) {
      write_refusal(pick.status(), context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    const bool simple = is_simple(*pick);
    auto read = [pick = std::move(*pick), simple](const ledger::Snapshot& snapshot, auto params, auto results) {
      const size_t limit = page_size(params.getLimit(), 200, 1000);
      const ledger::Page<schema::RunRow> page = simple ? ledger::list_runs(snapshot, pick.runs, limit, view(params.getAfter()))
                                                       : ledger::pick_runs(snapshot, pick, limit, kConsideredAPage, view(params.getAfter()));
      auto runs = results.initRuns(page.rows.size());
      for (size_t i = 0; i < page.rows.size(); ++i) runs.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    };
    return simple ? from_.answer(context, std::move(read)) : from_.answer_on_pool(context, std::move(read));
  }

  kj::Promise<void> stale(StaleContext context) override {
    auto pick = read_filter(context.getParams().getFilter(), *authority_->sight());
    if (!pick.is_ok()) {
      write_refusal(pick.status(), context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    pick->stale = false;  // it is looked at here
    return from_.answer_on_pool(context, [pick = std::move(*pick)](const ledger::Snapshot& snapshot, auto params, auto results) {
      write_stale(snapshot, pick, page_size(params.getLimit(), 200, 1000), view(params.getAfter()), results);
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

  kj::Promise<void> history(HistoryContext context) override { return answer_history(from_, authority_, context); }

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
    return may_rerun(from_, authority_, context.getParams().getRequest()).then([this, context](MayRerun may) mutable -> kj::Promise<void> {
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

  kj::Promise<void> trial(TrialContext context) override {
    auto params = context.getParams();
    const auto request = params.getRequest();
    auto identity = may_ask(from_, *authority_, Action::kTryScript, request.getRun());
    base::Status status = identity.status();
    if (status.is_ok()) status = check_texts(*authority_, request, params.getFiles());
    if (!status.is_ok()) {
      write_refusal(status, context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    CommandMessage command(view(params.getCommandId()));
    command.get().setBlobs(params.getFiles());
    command.get().getBody().setRequestTrial(request);
    return from_.service().submit(command.reader(), *identity).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

  kj::Promise<void> combine(CombineContext context) override {
    auto params = context.getParams();
    auto identity = may_combine(from_, *authority_, params.getRequest());
    if (!identity.is_ok()) {
      write_refusal(identity.status(), context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    CommandMessage command(view(params.getCommandId()));
    command.get().getBody().setRequestCombination(params.getRequest());
    return from_.service().submit(command.reader(), *identity).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

  kj::Promise<void> job(JobContext context) override {
    auto hidden = std::make_shared<std::optional<Resource>>();
    auto manifests = std::make_shared<std::vector<std::string>>();
    return from_.answer(
        context,
        [sight = authority_->sight(), caller = authority_->caller(), hidden, manifests](const ledger::Snapshot& snapshot, auto params, auto results) {
          const auto job = ledger::find_job(snapshot, params.getJob());
          if (job && !sees(snapshot, *sight, job->get()) && !is_own_trial(caller, job->get())) *hidden = resource_of(snapshot, job->get());
          if (!job || *hidden) return write_refusal(unknown_job(params.getJob()), results.initRefusal());
          results.setJob(job->get());
          *manifests = source_manifests(snapshot, job->get());
        },
        [authority = authority_, hidden, manifests](auto results) {
          if (*hidden) authority->hide(Action::kSeeRun, **hidden);
          authority->hand_out(results);
          for (const std::string& manifest : *manifests) authority->hand_out_document(manifest);
        });
  }

  kj::Promise<void> stageResults(StageResultsContext context) override {
    const std::string instrument(view(context.getParams().getInstrument()));
    const auto sight = authority_->sight();
    auto read = [sight](const ledger::Snapshot& snapshot, auto params, auto results) {
      const auto page = seen_stage_results(snapshot, *sight, view(params.getInstrument()), view(params.getStage()), page_size(params.getLimit(), 200, 1000),
                                           view(params.getAfter()));
      auto list = results.initResults(static_cast<uint32_t>(page.rows.size()));
      for (uint32_t i = 0; i < list.size(); ++i) list.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    };
    return sight->sees_all_of(instrument) ? from_.answer(context, std::move(read)) : from_.answer_on_pool(context, std::move(read));
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
  static base::Status unknown_job(uint64_t id) {
    return {base::Code::kNotFound, fmt::format("job {}: there is no such job; `runledger show RUN` lists those of a run", id)};
  }
  static bool is_own_trial(const Caller& caller, schema::JobRow::Reader job) {
    const auto asked_by = job.getRequestedBy();
    return job.getQueued().getKind() == schema::JobKind::TRIAL && asked_by.getKind() == schema::Actor::Kind::PERSON && view(asked_by.getName()) == caller.name;
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
