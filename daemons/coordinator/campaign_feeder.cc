#include "daemons/coordinator/campaign_feeder.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>

#include <sys/stat.h>

#include "base/text.h"
#include "schema/document.capnp.h"

namespace daemons {
namespace {

using ledger::view;
using State = schema::CampaignRow::State;
using schema::RunState;

constexpr uint32_t kPage = 1000;

/// The first of these files that cannot be read now, and why. Blocking.
std::string gone(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return fmt::format("{}: {}", path, std::strerror(errno));
  }
  return {};
}

bool is_busy(schema::RunRow::Reader run) {
  const auto state = run.getState();
  return state == RunState::DETECTED || state == RunState::QUEUED || state == RunState::HELD || state == RunState::RUNNING || run.getPendingRequest() != 0;
}

bool is_unfinished(schema::CampaignRow::Reader row) { return row.getFinishedAt() == 0 && row.getState() != State::FINISHED; }

uint32_t open_jobs(schema::CampaignCounts::Reader counts) { return counts.getWaiting() + counts.getRunning(); }

}  // namespace

void CampaignFeeder::taskFailed(kj::Exception&& exception) {
  spdlog::error("campaigns: {}", exception.getDescription().cStr());
  broken_(kj::mv(exception));
}

// ---- which campaigns there are ----

void CampaignFeeder::begin() { tasks_.add(find_unfinished({})); }

kj::Promise<void> CampaignFeeder::find_unfinished(std::string after) {
  auto request = campaigns().listRequest();
  request.setLimit(kPage);
  request.setAfter(ledger::data(after));
  return request.send().then([this](auto&& page) -> kj::Promise<void> {
    for (auto row : page.getCampaigns()) {
      if (is_unfinished(row)) look_at(row.getCampaign());
    }
    if (page.getNext().size() == 0) return kj::READY_NOW;
    return find_unfinished(std::string(view(page.getNext())));
  });
}

void CampaignFeeder::look_at(uint64_t id) {
  Shared& campaign = campaigns_[id];
  if (!campaign) {
    campaign = std::make_shared<Campaign>();
    campaign->id = id;
  }
  campaign->again = true;
  if (campaign->looking) return;
  campaign->looking = true;
  tasks_.add(kj::evalLater([this, campaign] { return look(campaign); }));
}

void CampaignFeeder::look_at_all() {
  for (auto& [id, campaign] : std::map(campaigns_)) look_at(id);
}

kj::Promise<CampaignFeeder::CampaignRow> CampaignFeeder::show(uint64_t campaign) {
  auto request = campaigns().showRequest();
  request.setCampaign(campaign);
  return request.send().then([](auto&& response) {
    return std::make_shared<const capnp::Response<schema::Campaigns::ShowResults>>(kj::mv(response));
  });
}

// ---- one campaign ----

kj::Promise<void> CampaignFeeder::look(Shared campaign) {
  if (!campaign->again) {
    campaign->looking = false;
    return kj::READY_NOW;
  }
  campaign->again = false;
  return show(campaign->id)
      .then([this, campaign](CampaignRow&& row) -> kj::Promise<void> {
        campaign->row = kj::mv(row);
        if (!is_unfinished(campaign->row->getCampaign())) {
          campaigns_.erase(campaign->id);
          return kj::READY_NOW;
        }
        if (campaign->loaded) return feed(campaign);
        return load(campaign).then([this, campaign] { return feed(campaign); });
      })
      .then([this, campaign] { return look(campaign); });
}

kj::Promise<void> CampaignFeeder::load(Shared campaign) {
  return record_.blob(std::string(view(campaign->row->getCampaign().getStarted().getPlan())))
      .then([this, campaign](std::string&& document) {
        ledger::Row<schema::CampaignPlan> plan(document);
        for (auto planned : plan.get().getRuns()) {
          RunName run(planned.getRun());
          campaign->left[run.instrument].push_back({run, planned.getBasis()});
        }
        return load_runs(campaign, {}, std::make_shared<std::map<std::string, uint64_t>>());
      })
      .then([campaign] { campaign->loaded = true; });
}

/// Takes from what is left the runs that have a job or were passed; `first` collects the first job of each instrument.
kj::Promise<void> CampaignFeeder::load_runs(Shared campaign, std::string after, std::shared_ptr<std::map<std::string, uint64_t>> first) {
  auto request = campaigns().runsRequest();
  request.setCampaign(campaign->id);
  request.setLimit(kPage);
  request.setAfter(ledger::data(after));
  return request.send().then([this, campaign, first](auto&& page) -> kj::Promise<void> {
    std::set<RunName> done;
    for (auto row : page.getRuns()) {
      RunName run(row.getRun());
      done.insert(run);
      if (row.getJob() == 0) continue;
      uint64_t& job = first->try_emplace(run.instrument, row.getJob()).first->second;
      job = std::min(job, row.getJob());
    }
    for (auto& [instrument, left] : campaign->left) std::erase_if(left, [&](const PlannedRun& planned) { return done.contains(planned.run); });
    if (page.getNext().size() > 0) return load_runs(campaign, std::string(view(page.getNext())), first);
    kj::Vector<kj::Promise<void>> reads;
    for (const auto& [instrument, job] : *first) {
      reads.add(record_.job(job).then([campaign, instrument = instrument](Record::Job&& found) { campaign->first_jobs[instrument] = kj::mv(found); }));
    }
    return kj::joinPromises(reads.releaseAsArray());
  });
}

/// The next run, if there is room for one.
kj::Promise<void> CampaignFeeder::feed(Shared campaign) {
  auto row = campaign->row->getCampaign();
  std::erase_if(campaign->left, [](const auto& instrument) { return instrument.second.empty(); });
  if (row.getState() == State::STOPPED) campaign->left.clear();
  if (campaign->left.empty() && campaign->busy.empty() && open_jobs(row.getCounts()) == 0) return finish(campaign);
  if (row.getState() != State::RUNNING || open_jobs(row.getCounts()) + campaign->busy.size() >= settings_.most_open) return kj::READY_NOW;
  auto next = campaign->left.begin();
  while (next != campaign->left.end() && campaign->busy.contains(next->first)) ++next;
  if (next == campaign->left.end()) return kj::READY_NOW;

  PlannedRun planned = next->second.front();
  next->second.pop_front();
  campaign->busy.insert(next->first);
  campaign->again = true;
  auto work = feed_run(campaign, planned)
                  .then([this, campaign, instrument = next->first] {
                    campaign->busy.erase(instrument);
                    look_at(campaign->id);
                  })
                  .fork();
  auto done = work.addBranch();
  tasks_.add(work.addBranch());
  return done.exclusiveJoin(loop_.timer().afterDelay(settings_.patience_ms * kj::MILLISECONDS));
}

kj::Promise<void> CampaignFeeder::finish(Shared campaign) {
  auto row = campaign->row->getCampaign();
  if (row.getState() == State::PAUSED) return kj::READY_NOW;
  Command command(fmt::format("coordinatord/campaign/{}/finish/{}", campaign->id, row.getReason().getEvent()), campaign->id);
  auto finished = command.body().initFinishCampaign();
  finished.setCampaign(campaign->id);
  finished.getReason().setCode("campaign_finished");
  finished.getReason().setText(fmt::format("campaign {}: all of its runs have ended", campaign->id));
  campaigns_.erase(campaign->id);
  return submitter_.submit(kj::mv(command)).then([id = campaign->id](CommandAnswer&& answer) {
    if (!answer.status.is_ok()) spdlog::warn("campaign {}: {}", id, answer.status.message());
  });
}

// ---- one run ----

kj::Promise<void> CampaignFeeder::feed_run(Shared campaign, PlannedRun planned) {
  return record_.run(planned.run)
      .then([this, campaign, planned](Record::Run&& shown) -> kj::Promise<void> {
        auto run = shown->getRun();
        const std::string name = planned.run.text();
        if (run.getState() == RunState::REFUSED) {
          return pass(*campaign, planned.run, "file_refused", fmt::format("{} has no file that can be reduced: {}", name, view(run.getReason().getText())));
        }
        if (is_busy(run)) {
          return pass(*campaign, planned.run, "run_busy", fmt::format("{} waits or runs already; what comes of it is newer than what was chosen", name));
        }
        std::vector<std::string> paths;
        for (auto file : run.getRawFiles()) paths.emplace_back(view(file.getPath()));
        return loop_.on_pool([paths = std::move(paths)] { return gone(paths); })
            .then([this, campaign, planned, name, shown = kj::mv(shown)](std::string&& missing) mutable -> kj::Promise<void> {
              if (!missing.empty()) {
                return pass(*campaign, planned.run, "raw_file_gone",
                            fmt::format("{}: its raw file is not there ({}); bring it back, then `runledger rerun {}`", name, missing, name));
              }
              auto jobs = shown->getRun().getJobs();
              kj::Promise<Record::Job> basis = Record::Job();
              if (planned.basis >= 1 && planned.basis <= jobs.size()) basis = record_.job(jobs[planned.basis - 1]);
              return basis.then([this, campaign, planned, shown = kj::mv(shown)](Record::Job&& job) mutable {
                return queue(campaign, planned, kj::mv(shown), kj::mv(job));
              });
            });
      })
      .catch_([this, campaign, planned](kj::Exception&& problem) -> kj::Promise<void> {
        if (problem.getType() == kj::Exception::Type::DISCONNECTED) kj::throwFatalException(kj::mv(problem));
        spdlog::error("campaign {}, {}: {}", campaign->id, planned.run.text(), problem.getDescription().cStr());
        return pass(*campaign, planned.run, "internal_fault",
                    fmt::format("{}: no job was made, by a fault of coordinatord ({})", planned.run.text(), base::to_utf8(problem.getDescription().cStr(), 1000)));
      });
}

/// A replay makes what failed once more as it was, and what has no job as if it were new.
Wish CampaignFeeder::wish_of(const Campaign& campaign, schema::RunRow::Reader run, Record::Job basis) {
  auto row = campaign.row->getCampaign();
  auto started = row.getStarted();
  Wish wish = wish_for(run, campaign.id);
  wish.interpreter = view(started.getInterpreter());
  wish.given = {started.getVariables(), std::string(view(row.getOwner().getName())), row.getStartedAt(), campaign.id, campaign.row, is_by_member(row.getOwner())};
  const bool replay = started.getKind() == schema::CampaignStarted::Kind::REPLAY;
  const auto script = replay ? schema::ReductionRequested::ScriptChoice::STORED : started.getScript();
  take_basis(wish, kj::mv(basis), script, !replay && started.getFreshVariables());
  auto first = campaign.first_jobs.find(wish.instrument);
  if (!replay && script == schema::ReductionRequested::ScriptChoice::CURRENT && first != campaign.first_jobs.end()) {
    wish.script = stored_script(first->second->getJob().getQueued());
  }
  return wish;
}

kj::Promise<void> CampaignFeeder::queue(Shared campaign, PlannedRun planned, Record::Run shown, Record::Job basis) {
  auto row = campaign->row->getCampaign();
  // A refusal is what its id is answered for ever: once resumed, the campaign asks under another one.
  const uint64_t since = row.getReason().getEvent();
  std::string id = fmt::format("coordinatord/campaign/{}/{}/{}", campaign->id, planned.run.instrument, planned.run.number);
  if (since != 0 && since != campaign->id) id += fmt::format("/{}", since);
  JobOrder order{std::move(id), campaign->id, kCampaignPriority, "campaign",
                 fmt::format("campaign {} of {}: {}", campaign->id, view(row.getOwner().getName()), view(row.getStarted().getPurpose()))};
  return planner_.plan(wish_of(*campaign, shown->getRun(), kj::mv(basis)))
      .then([this, campaign, planned, shown = kj::mv(shown), order = std::move(order)](Planned&& plan) -> kj::Promise<void> {
        if (plan.decline) return pass(*campaign, planned.run, plan.decline->code, fmt::format("{}: {}", planned.run.text(), plan.decline->text));
        Command command = queue_reduction(order, plan.content, shown->getRun());
        command.body().getQueueJob().setCampaign(campaign->id);
        return submitter_.submit(kj::mv(command)).then([this, campaign, planned](CommandAnswer&& answer) -> kj::Promise<void> {
          if (!answer.status.is_ok()) return refused(campaign, planned, answer.status.message());
          if (answer.events.empty() || campaign->first_jobs.contains(planned.run.instrument)) return kj::READY_NOW;
          return record_.job(answer.events.front()).then([campaign, planned](Record::Job&& job) { campaign->first_jobs[planned.run.instrument] = kj::mv(job); });
        });
      });
}

/// Paused or stopped meanwhile, the run is left for later.
kj::Promise<void> CampaignFeeder::refused(Shared campaign, PlannedRun planned, std::string why) {
  return show(campaign->id).then([this, campaign, planned, why = std::move(why)](CampaignRow&& row) -> kj::Promise<void> {
    if (row->getCampaign().getState() == State::RUNNING) {
      return pass(*campaign, planned.run, "not_queued", fmt::format("{}: the ledger refused the job: {}", planned.run.text(), why));
    }
    campaign->left[planned.run.instrument].push_front(planned);
    return kj::READY_NOW;
  });
}

kj::Promise<void> CampaignFeeder::pass(const Campaign& campaign, const RunName& run, const std::string& code, const std::string& text) {
  Command command(fmt::format("coordinatord/campaign/{}/{}/{}/pass", campaign.id, run.instrument, run.number), campaign.id);
  auto passed = command.body().initPassCampaignRun();
  passed.setCampaign(campaign.id);
  run.write(passed.initRun());
  passed.getReason().setCode(code);
  passed.getReason().setText(base::to_utf8(text, kLongestReasonBytes));
  return submitter_.submit(kj::mv(command)).then([text](CommandAnswer&& answer) {
    if (!answer.status.is_ok()) spdlog::info("{} ({})", text, answer.status.message());
  });
}

}  // namespace daemons
