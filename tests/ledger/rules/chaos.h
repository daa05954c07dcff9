// A story at random, from a seed.
#pragma once

#include <random>
#include <string>

#include "tests/ledger/rules/story.h"

namespace rules_test {

/// Days at an instrument, at random: a few runs, jobs and workers, and everybody doing what they may at any time.
class Chaos {
 public:
  explicit Chaos(uint64_t seed) : random_(seed) {
    story.configure("MARI");
    story.configure("MERLIN");
    story.join("w1");
    story.join("w2");
    story.register_script(kScript, {{"mon", "2"}, {"mask", "\"m\""}});
    story.set_stage("peaks");
    story.set_stage("all", [](auto rule) { rule.setOver(schema::StageRule::Over::EXPERIMENT); });
    story.set_stage("sum", [](auto rule) { rule.setOver(schema::StageRule::Over::RUNS); });
  }
  void step() {
    uint64_t run = 1 + pick(12);
    std::string content = "content " + std::to_string(pick(3));
    std::string worker = pick(2) ? "w1" : "w2";
    switch (pick(38)) {
      case 0:
      case 1: story.detect(run, content, {}, "E" + std::to_string(pick(3)), pick(2) ? "MARI" : "MERLIN", {"p" + content}); break;
      case 2: story.detect(run, content, "/archive/copy/" + std::to_string(run), "E1"); break;
      case 3:
        story.refuse_file(run, "/archive/MARI/" + std::to_string(run) + (pick(2) ? ".nxs" : ".raw"), pick(2) ? "zip" : "html");
        break;
      case 4: story.refuse_file(0, "/archive/MARI/notes", "text_mode", "t", content); break;
      case 5: story.skip_run(run, pick(2) ? "a" : "b"); break;
      case 6: story.as_person("alice").request(run); break;
      case 7:
      case 8:
      case 9:
        story.as(schema::Actor::Kind::DAEMON, "coordinatord")
            .queue(
                run, [&](auto job) { job.setPriority(pick(2) ? 10 : 20); }, 0, pick(2) ? "MARI" : "MERLIN");
        break;
      case 10: pick(2) ? story.pause() : story.resume(); break;
      case 11:
      case 12: story.start(0, worker); break;
      case 13:
      case 14: with_attempt([&](auto job, auto number, auto fence) { story.succeed(job, number, fence); }); break;
      case 15:
      case 16: with_attempt([&](auto job, auto number, auto fence) { story.publish(job, number, fence); }); break;
      case 17:
        with_attempt([&](auto job, auto number, auto fence) {
          story.fail(job, number, fence, pick(2) ? schema::FailureKind::WORKER : schema::FailureKind::SCRIPT_EXIT);
        });
        break;
      case 18: with_attempt([&](auto job, auto number, auto fence) { story.lose(job, number, fence); }); break;
      case 19:
        with_attempt([&](auto job, auto number, auto fence) { pick(3) ? story.skip(job, number, fence) : story.cancel(job); });
        break;
      case 20: pick(2) ? story.join(worker) : story.leave(worker); break;
      case 21:
        pick(3) ? story.set({{"mon", std::to_string(pick(5))}}, [&](auto scope) { scope.setFromRun(1 + pick(5)); })
                : story.clear({}, [&](auto scope) { scope.setFromRun(1 + pick(5)); });
        break;
      case 22:
      case 23: campaign_step(run); break;
      case 24:
        if (pick(2)) story.as_person("alice").try_script(run);
        queue_trial();
        break;
      case 25:
      case 26: stage_step(run); break;
      case 27: story.see_file("/masks/" + std::to_string(pick(2)), content); break;
      case 32:
      case 33: stage_step(run); break;
      case 36:
      case 37:
        if (const uint64_t fence = story.start(0, worker).first()) {
          auto started = story.event(fence).getBody().getAttemptStarted();
          story.succeed(started.getJob(), started.getAttempt(), fence);
          story.publish(started.getJob(), started.getAttempt(), fence);
        }
        break;
      case 34:
      case 35:
      case 28: if_known(run, [&] { queue_for_campaign(run); }); break;
      case 29:
      case 30: with_other_job(run); break;
      case 31: {
        auto row = ledger::find_run(story.rows(), "MARI", run);
        if (row && row->get().getJob() != 0) story.cancel(row->get().getJob());
        break;
      }
    }
  }
  Story story;

 private:
  uint64_t pick(uint64_t below) { return random_() % below; }
  template <typename Act>
  void if_known(uint64_t run, Act&& act) {
    if (ledger::find_run(story.rows(), "MARI", run)) act();
  }
  uint64_t some_campaign() {
    auto rows = ledger::list_campaigns(story.rows(), 4).rows;
    return rows.empty() ? 0 : rows[pick(rows.size())].get().getCampaign();
  }
  void campaign_step(uint64_t run) {
    story.as_person("alice");
    const uint64_t campaign = some_campaign();
    switch (campaign == 0 ? 0 : pick(8)) {
      case 0: {
        std::vector<uint64_t> runs;
        for (uint64_t each = 1; each <= 12; ++each) {
          if (pick(2) && ledger::find_run(story.rows(), "MARI", each)) runs.push_back(each);
        }
        story.start_campaign(runs);
        break;
      }
      case 1: story.pause_campaign(campaign); break;
      case 2: story.resume_campaign(campaign); break;
      case 3: story.stop_campaign(campaign, pick(3) == 0); break;
      case 4: story.pass(campaign, run); break;
      case 5:
      case 6: if_known(run, [&] { story.queue_for(campaign, run); }); break;
      case 7: story.finish_campaign(campaign); break;
    }
  }
  void queue_for_campaign(uint64_t run) {
    if (const uint64_t campaign = some_campaign()) story.as(schema::Actor::Kind::DAEMON, "coordinatord").queue_for(campaign, run);
  }
  /// For some event that may have asked for it.
  void queue_trial() {
    for (int tries = 0; tries < 20; ++tries) {
      const uint64_t seq = 1 + pick(story.head());
      if (!story.event(seq).getBody().isTrialRequested()) continue;
      story.as(schema::Actor::Kind::DAEMON, "coordinatord");
      const uint64_t run = story.event(seq).getBody().getTrialRequested().getRun().getRunNumber();
      pick(4) ? story.queue_trial(run, seq) : story.skip_run(run, "variables_wrong", "w", seq);
      return;
    }
  }
  void stage_step(uint64_t run) {
    if (!ledger::find_run(story.rows(), "MARI", run)) return;
    std::vector<uint64_t> runs, known;
    const std::string experiment(ledger::view(story.run(run).get().getExperiment()));
    for (const auto& row : ledger::list_runs(story.rows(), {.instrument = "MARI", .experiment = experiment}, 100).rows) {
      known.push_back(row.get().getRun().getRunNumber());
      if (row.get().getResult() != 0) runs.push_back(row.get().getRun().getRunNumber());
    }
    if (runs.empty()) runs = known;
    const auto coordinator = [&]() -> Story& { return story.as(schema::Actor::Kind::DAEMON, "coordinatord"); };
    switch (pick(7)) {
      case 0: coordinator().queue_stage("peaks", {runs[pick(runs.size())]}); break;
      case 1:
      case 2: coordinator().queue_stage("all", runs); break;
      case 3: story.as_person("alice").combine("sum", pick(3) ? runs : known); break;
      case 4:
      case 5:
        for (const auto& row : ledger::pending_combinations(story.rows(), "MARI")) {
          if (pick(2)) continue;
          std::vector<uint64_t> asked;
          for (uint64_t each : row.get().getRuns()) asked.push_back(each);
          coordinator().queue_stage("sum", asked);
          break;
        }
        break;
      case 6:
        pick(2) ? story.set_stage("extra", [&](auto rule) { rule.setTimeLimitMs(pick(3)); }) : story.remove_stage("extra");
        break;
    }
  }
  /// Something becomes of a stage's job or a trial.
  void with_other_job(uint64_t run) {
    auto row = ledger::find_run(story.rows(), "MARI", run);
    if (!row || row->get().getOtherJobs().size() == 0) return;
    const auto others = row->get().getOtherJobs();
    const uint64_t id = others[others.size() - 1];
    auto job = story.job(id);
    auto attempts = job.get().getAttempts();
    if (attempts.size() == 0 || job.get().getState() == schema::RunState::QUEUED) {
      pick(4) ? story.start(id, "w1") : story.cancel(id);
      return;
    }
    auto attempt = attempts[attempts.size() - 1];
    if (attempt.getOutcome() == schema::AttemptRow::Outcome::PUBLISHING) {
      story.publish(id, attempt.getNumber(), attempt.getFence());
      return;
    }
    pick(3) ? story.succeed(id, attempt.getNumber(), attempt.getFence()) : story.fail(id, attempt.getNumber(), attempt.getFence());
  }
  /// Some job's latest attempt, open or long over.
  template <typename Act>
  void with_attempt(Act&& act) {
    uint64_t run = 1 + pick(12);
    auto row = ledger::find_run(story.rows(), pick(2) ? "MARI" : "MERLIN", run);
    if (!row || row->get().getJob() == 0) return;
    auto job = story.job(row->get().getJob());
    auto attempts = job.get().getAttempts();
    if (attempts.size() == 0) return;
    auto attempt = attempts[attempts.size() - 1];
    act(job.get().getJob(), attempt.getNumber(), attempt.getFence());
  }
  std::mt19937_64 random_;
};

}  // namespace rules_test
