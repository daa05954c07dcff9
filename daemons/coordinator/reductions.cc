#include "daemons/coordinator/reductions.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/text.h"

namespace daemons {

using ledger::view;

void set_position(Command& command, const InstrumentLines& lines, uint64_t seq) {
  command.get().getPosition().setDaemon("coordinatord");
  command.get().getPosition().setSeq(lines.position_after(seq));
}

kj::Promise<void> Reductions::of_file(uint64_t seq, const RunName& name, std::string code) {
  return record_.run(name).then([this, seq, code = std::move(code)](Record::Run&& shown) -> kj::Promise<void> {
    auto run = shown->getRun();
    if (run.getRevisedSeq() != seq) return kj::READY_NOW;  // a later revision speaks for the run
    Wish wish = wish_for(run, seq);
    std::string text = code == "new_run" ? fmt::format("{} was detected; its instrument's script reduces every new run", wish.subject)
                                         : fmt::format("the raw file of {} was written again with other bytes", wish.subject);
    return queue(kj::mv(shown), std::move(wish), {fmt::format("coordinatord/queue/{}", seq), seq, kNewRunPriority, code, std::move(text)});
  });
}

kj::Promise<void> Reductions::asked_for(Kept kept) {
  return record_.run(RunName(kept->get().getBody().getReductionRequested().getRun())).then([this, kept](Record::Run&& shown) -> kj::Promise<void> {
    auto event = kept->get();
    auto asked = event.getBody().getReductionRequested();
    auto run = shown->getRun();
    const uint64_t seq = event.getSeq();
    if (run.getPendingRequest() != seq) return kj::READY_NOW;
    std::string by(view(event.getActor().getName()));
    std::string text = fmt::format("asked for by {}", by);
    if (asked.getComment().size() > 0) text += fmt::format(": {}", view(asked.getComment()));

    Wish wish = wish_for(run, seq);
    wish.asked = true;
    wish.interpreter = view(asked.getInterpreter());
    wish.given = {asked.getVariables(), by, event.getTime(), seq, kept, is_by_member(event.getActor())};
    const uint16_t basis = asked.getBasis() == 0 ? run.getVersion() : asked.getBasis();
    kj::Promise<Record::Job> version = Record::Job();
    if (basis >= 1 && basis <= run.getJobs().size()) version = record_.job(run.getJobs()[basis - 1]);
    return version.then([this, kept, asked, shown = kj::mv(shown), wish = std::move(wish), seq, text = std::move(text)](Record::Job&& repeated) mutable {
      take_basis(wish, kj::mv(repeated), asked.getScript(), asked.getFreshVariables());
      return queue(kj::mv(shown), std::move(wish), {fmt::format("coordinatord/queue/{}", seq), seq, kRerunPriority, "rerun_requested", std::move(text)});
    });
  });
}

kj::Promise<void> Reductions::queue(Record::Run shown, Wish wish, JobOrder order) {
  return planner_.plan(std::move(wish)).then([this, shown = kj::mv(shown), order = std::move(order)](Planned&& planned) -> kj::Promise<void> {
    RunName name(shown->getRun().getRun());
    if (planned.decline) return skip(name, order.cause, "skip", planned.decline->code, planned.decline->text);
    Command command = queue_reduction(order, planned.content, shown->getRun());
    set_position(command, lines_, order.cause);
    return submitter_.submit(kj::mv(command)).then([this, name, cause = order.cause](CommandAnswer&& answer) -> kj::Promise<void> {
      if (answer.status.is_ok()) return kj::READY_NOW;
      return skip(name, cause, "skip", "not_queued", fmt::format("the ledger refused the job: {}", answer.status.message()));
    });
  });
}

kj::Promise<void> Reductions::skip(const RunName& name, uint64_t cause, const std::string& kind, std::string_view code, const std::string& text) {
  Command command(fmt::format("coordinatord/{}/{}", kind, cause), cause);
  set_position(command, lines_, cause);
  auto skipped = command.body().initSkipRun();
  name.write(skipped.initRun());
  skipped.getReason().setCode(std::string(code));
  skipped.getReason().setText(base::to_utf8(fmt::format("{}: {}", name.text(), text), kLongestReasonBytes));
  return submitter_.submit(kj::mv(command)).then([text](CommandAnswer&& answer) {
    if (!answer.status.is_ok()) spdlog::warn("{} ({})", text, answer.status.message());
  });
}

}  // namespace daemons
