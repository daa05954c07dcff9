#include "daemons/coordinator/trials.h"

#include <fmt/format.h>

namespace daemons {

using ledger::view;

kj::Promise<void> Trials::asked_for(Kept kept) {
  RunName name(kept->get().getBody().getTrialRequested().getRun());
  auto instrument = record_.instrument(name.instrument);
  return record_.run(name)
      .then([kept, instrument = kj::mv(instrument)](Record::Run&& shown) mutable {
        return instrument.then([kept, shown = kj::mv(shown)](Record::Instrument&& found) mutable { return std::pair(kj::mv(shown), kj::mv(found)); });
      })
      .then([this, kept, name](std::pair<Record::Run, Record::Instrument>&& found) -> kj::Promise<void> {
        auto event = kept->get();
        auto asked = event.getBody().getTrialRequested();
        const uint64_t seq = event.getSeq();
        std::string by(view(event.getActor().getName()));
        Wish wish = wish_for(found.first->getRun(), seq);
        wish.next_step = "try again";
        wish.asked = true;
        wish.lenient = true;
        wish.interpreter = view(asked.getInterpreter());
        wish.given = {asked.getVariables(), by, event.getTime(), seq, kept};
        StoredScript script{std::string(view(asked.getScriptPath())), found.second->getInstrument().getConfig().getContract(), to_hash(asked.getScriptSha256()), {}, {}};
        for (auto sibling : asked.getSiblings()) script.siblings.emplace_back(view(sibling.getName()), to_hash(sibling.getSha256()));
        wish.script = std::move(script);
        std::string text = fmt::format("{} tries {} on {}", by, view(asked.getScriptPath()), name.text());
        if (asked.getComment().size() > 0) text += fmt::format(": {}", view(asked.getComment()));
        JobOrder order{fmt::format("coordinatord/trial/{}", seq), seq, kTrialPriority, "trial_requested", std::move(text)};
        return planner_.plan(std::move(wish)).then([this, name, shown = kj::mv(found.first), order = std::move(order)](Planned&& planned) -> kj::Promise<void> {
          if (planned.decline) return reductions_.skip(name, order.cause, "trial-skip", planned.decline->code, planned.decline->text);
          Command command = queue_reduction(order, planned.content, shown->getRun());
          set_position(command, lines_, order.cause);
          auto job = command.body().getQueueJob();
          job.setKind(schema::JobKind::TRIAL);
          job.setOutputDirectory((folder_ / "{job}").string());
          job.setFlatFolder("");
          return submitter_.submit(kj::mv(command)).then([this, name, cause = order.cause](CommandAnswer&& answer) -> kj::Promise<void> {
            if (answer.status.is_ok()) return kj::READY_NOW;
            return reductions_.skip(name, cause, "trial-skip", "not_queued", fmt::format("the ledger refused the trial: {}", answer.status.message()));
          });
        });
      });
}

}  // namespace daemons
