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
  }
  void step() {
    uint64_t run = 1 + pick(12);
    std::string content = "content " + std::to_string(pick(3));
    std::string worker = pick(2) ? "w1" : "w2";
    switch (pick(22)) {
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
        with_attempt([&](auto job, auto number, auto fence) { pick(2) ? story.skip(job, number, fence) : story.cancel(job); });
        break;
      case 20: pick(2) ? story.join(worker) : story.leave(worker); break;
      case 21:
        pick(3) ? story.set({{"mon", std::to_string(pick(5))}}, [&](auto scope) { scope.setFromRun(1 + pick(5)); })
                : story.clear({}, [&](auto scope) { scope.setFromRun(1 + pick(5)); });
        break;
    }
  }
  Story story;

 private:
  uint64_t pick(uint64_t below) { return random_() % below; }
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
