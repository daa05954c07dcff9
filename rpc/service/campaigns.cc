#include <fmt/format.h>

#include <algorithm>

#include "ledger/view_rows.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/campaign_report.h"
#include "rpc/service/campaign_request.h"
#include "rpc/service/gateway.h"
#include "rpc/service/progress.h"
#include "rpc/service/seen_campaigns.h"
#include "rpc/service/service.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

base::Status unknown_campaign(uint64_t id) {
  return {base::Code::kNotFound, fmt::format("campaign {}: there is no such campaign; `runledger campaign list` lists those there are", id)};
}

/// What was asked for and is not shown; noted while reading, put on record on the loop.
using Hidden = std::optional<Resource>;

class CampaignsServer final : public schema::Campaigns::Server {
 public:
  CampaignsServer(const Viewpoint& from, std::shared_ptr<Authority> authority) : from_(from), authority_(std::move(authority)) {}

  kj::Promise<void> plan(PlanContext context) override {
    context.allowCancellation();
    auto teller = kj::heap<ProgressTeller>(from_.service().loop(), context.getParams().getProgress());
    return planned(context.getParams().getRequest(), teller->report()).attach(kj::mv(teller)).then([this, context](PlannedRequest made) mutable {
      auto estimate = context.getResults().initPlan();
      write_estimate(made, estimate);
      estimate.setWorkers(from_.is_past() ? 0 : slots());
    });
  }

  kj::Promise<void> start(StartContext context) override {
    const std::string id(view(context.getParams().getCommandId()));
    if (base::Status status = from_.may("start a campaign"); !status.is_ok()) return refuse(status, context.getResults().initAnswer());
    if (const auto first = from_.snapshot()->answered(identity_of(authority_->caller(), {}), id)) {
      write_started(*first, context.getResults());
      return kj::READY_NOW;
    }
    const std::string account = authority_->caller().name;
    size_t before = 0;
    auto use = from_.service().rerun_limit().begin({}, account, before);
    if (before > 0) {
      return refuse({base::Code::kUnavailable, "a campaign of yours is being started already; ask again when that is answered"}, context.getResults().initAnswer());
    }
    return planned(context.getParams().getRequest(), {}).then([this, context, id, use](PlannedRequest made) mutable -> kj::Promise<void> {
      auto request = context.getParams().getRequest();
      const Action action = action_of(request.getKind());
      const base::Status right = made.refused ? authority_->require(action, *made.refused) : base::Status::ok();  // goes on record
      if (!right.is_ok() && !made.allowed) return refuse(right, context.getResults().initAnswer());
      if (!made.problems.empty()) {
        return refuse({base::Code::kInvalidArgument, made.problems.front()}, context.getResults().initAnswer());
      }
      auto identity = authority_->may(action, *made.allowed);
      if (!identity.is_ok()) return refuse(identity.status(), context.getResults().initAnswer());
      CommandMessage command(id);
      write_start(request, made.plan, command.get());
      return from_.service().submit(command.reader(), *identity).then([context, use](ledger::Answer answer) mutable {
        write_started(answer, context.getResults());
      });
    });
  }

  kj::Promise<void> list(ListContext context) override {
    return answer_seen(context, [caller = authority_->caller()](const ledger::Snapshot& snapshot, auto params, auto results) {
      const auto page = seen_campaigns(snapshot, caller, page_size(params.getLimit(), 200, 1000), view(params.getAfter()));
      auto campaigns = results.initCampaigns(static_cast<uint32_t>(page.rows.size()));
      for (uint32_t i = 0; i < campaigns.size(); ++i) campaigns.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    }, [](auto) {});
  }

  kj::Promise<void> show(ShowContext context) override {
    const auto hidden = std::make_shared<Hidden>();
    return from_.answer(
        context,
        [caller = authority_->caller(), hidden](const ledger::Snapshot& snapshot, auto params, auto results) {
          const auto row = find(snapshot, caller, params.getCampaign(), *hidden);
          row ? results.setCampaign(row->get()) : write_refusal(unknown_campaign(params.getCampaign()), results.initRefusal());
        },
        [authority = authority_, hidden](auto results) {
          tell(*authority, *hidden);
          const auto row = results.getCampaign();
          if (results.hasCampaign() && sees_plan(authority->caller(), row.getStarted(), view(row.getOwner().getName()))) authority->hand_out(row);
        });
  }

  kj::Promise<void> runs(RunsContext context) override {
    const auto hidden = std::make_shared<Hidden>();
    auto read = [caller = authority_->caller(), sight = authority_->sight(), hidden](const ledger::Snapshot& snapshot, auto params, auto results) {
      if (!find(snapshot, caller, params.getCampaign(), *hidden)) return write_refusal(unknown_campaign(params.getCampaign()), results.initRefusal());
      const auto page = seen_campaign_runs(snapshot, *sight, params.getCampaign(), page_size(params.getLimit(), 200, 1000), view(params.getAfter()));
      auto runs = results.initRuns(static_cast<uint32_t>(page.rows.size()));
      for (uint32_t i = 0; i < runs.size(); ++i) runs.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    };
    return answer_seen(context, std::move(read), [authority = authority_, hidden](auto) { tell(*authority, *hidden); });
  }

  kj::Promise<void> report(ReportContext context) override {
    const auto hidden = std::make_shared<Hidden>();
    auto read = [caller = authority_->caller(), sight = authority_->sight(), hidden](const ledger::Snapshot& snapshot, auto params, auto results) {
      if (!find(snapshot, caller, params.getCampaign(), *hidden)) return write_refusal(unknown_campaign(params.getCampaign()), results.initRefusal());
      results.setNext(ledger::data(write_report(snapshot, *sight, params.getCampaign(), page_size(params.getLimit(), 200, 1000), view(params.getAfter()), results)));
    };
    return from_.answer_on_pool(context, std::move(read), [authority = authority_, hidden](auto) { tell(*authority, *hidden); });
  }

  kj::Promise<void> pause(PauseContext context) override {
    return control(context, "pause a campaign", [](auto params, auto body) {
      body.initPauseCampaign().setCampaign(params.getCampaign());
      body.getPauseCampaign().initReason().setText(params.getComment());
    });
  }

  kj::Promise<void> resume(ResumeContext context) override {
    return control(context, "resume a campaign", [](auto params, auto body) {
      body.initResumeCampaign().setCampaign(params.getCampaign());
      body.getResumeCampaign().initReason().setText(params.getComment());
    });
  }

  kj::Promise<void> stop(StopContext context) override {
    return control(context, "stop a campaign", [](auto params, auto body) {
      body.initStopCampaign().setCampaign(params.getCampaign());
      body.getStopCampaign().setKeepQueued(params.getKeepQueued());
      body.getStopCampaign().initReason().setText(params.getComment());
    });
  }

 private:
  static kj::Promise<void> refuse(const base::Status& status, schema::Answer::Builder answer) {
    write_refusal(status, answer.initRefusal());
    return kj::READY_NOW;
  }
  template <typename Results>
  static void write_started(const ledger::Answer& answer, Results results) {
    write_answer(answer, results.initAnswer());
    if (answer.status.is_ok() && !answer.events.empty()) results.setCampaign(answer.events.front());
  }

  /// The campaign, if it is seen; else `hidden` has it where there is one.
  static std::optional<ledger::Row<schema::CampaignRow>> find(const ledger::RowReader& rows, const Caller& caller, uint64_t id, Hidden& hidden) {
    auto row = ledger::find_campaign(rows, id);
    if (!row || sees(caller, row->get())) return row;
    hidden = resource_of(caller, Action::kSeeCampaign, row->get());
    return std::nullopt;
  }
  static void tell(Authority& authority, const Hidden& hidden) {
    if (hidden) authority.hide(Action::kSeeCampaign, *hidden);
  }

  /// At once for who sees everything; else rows that are hidden may have to be read, on the pool.
  template <typename Context, typename Read, typename Told>
  kj::Promise<void> answer_seen(Context context, Read read, Told told) const {
    if (authority_->sight()->is_everything()) return from_.answer(context, std::move(read), std::move(told));
    return from_.answer_on_pool(context, std::move(read), std::move(told));
  }

  /// On the pool; ends early when `report` says that nobody waits any more.
  kj::Promise<PlannedRequest> planned(schema::CampaignRequest::Reader request, ProgressTeller::Report report) const {
    auto work = [from = std::shared_ptr<const ledger::Snapshot>(from_.snapshot()), caller = authority_->caller(), settings = from_.service().access().settings(),
                 request = capnp::clone(request), report = std::move(report)] {
      const ledger::KeepGoing keep_going = [&](uint64_t considered) { return !report || report("choosing runs", considered, 0); };
      PlannedRequest made = plan_request(*from, caller, settings, *request, keep_going);
      require_read(*from);
      return made;
    };
    return from_.service().loop().on_pool(std::move(work));
  }

  /// Jobs that run at once: what the workers that are joined take.
  uint32_t slots() const {
    const auto snapshot = from_.snapshot();
    uint32_t count = 0;
    for (const auto& row : ledger::list_workers(*snapshot)) {
      if (!row.get().getLeft()) count += std::max<uint32_t>(row.get().getWorker().getSlots(), 1);
    }
    require_read(*snapshot);
    return count;
  }

  template <typename Context, typename Write>
  kj::Promise<void> control(Context context, std::string_view what, Write write) {
    if (base::Status status = from_.may(what); !status.is_ok()) return refuse(status, context.getResults().initAnswer());
    auto params = context.getParams();
    auto identity = may_control(params.getCampaign());
    if (!identity.is_ok()) return refuse(identity.status(), context.getResults().initAnswer());
    CommandMessage command(view(params.getCommandId()));
    write(params, command.get().getBody());
    return from_.service().submit(command.reader(), *identity).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

  base::Result<ledger::Identity> may_control(uint64_t id) {
    const auto snapshot = from_.snapshot();
    const Caller& caller = authority_->caller();
    const auto row = ledger::find_campaign(*snapshot, id);
    require_read(*snapshot);
    if (row && sees(caller, row->get())) return authority_->may(Action::kControlCampaign, resource_of(caller, Action::kControlCampaign, row->get()));
    if (row) authority_->hide(Action::kControlCampaign, resource_of(caller, Action::kControlCampaign, row->get()));
    return unknown_campaign(id);
  }

  const Viewpoint from_;
  const std::shared_ptr<Authority> authority_;
};

}  // namespace

schema::Campaigns::Client make_campaigns(const Viewpoint& from, std::shared_ptr<Authority> authority) {
  return kj::heap<CampaignsServer>(from, std::move(authority));
}

}  // namespace rpc
