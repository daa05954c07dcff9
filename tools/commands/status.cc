#include <capnp/common.h>
#include <fmt/format.h>

#include "base/counted.h"
#include "base/version.h"
#include "tools/access_text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

/// "unix:/srv/run/ledger.sock: catching up, 96 events behind, since 12:00:00"
std::string follow_words(schema::FollowStatus::Reader follow, uint64_t head) {
  std::string words = fmt::format("{}: ", text_of(follow.getSource()));
  switch (follow.getState()) {
    case schema::FollowState::CONNECTING: words += "not reached yet"; break;
    case schema::FollowState::CATCHING_UP: words += "catching up"; break;
    case schema::FollowState::FOLLOWING: words += "everything is here"; break;
    case schema::FollowState::UNREACHABLE: words += "not to be had, tried again and again"; break;
    case schema::FollowState::STOPPED: words += "STOPPED, it contradicts what is held here"; break;
    default: words += enum_word(follow.getState());
  }
  if (follow.getSourceHead() > head) words += fmt::format(", {} behind", base::counted(follow.getSourceHead() - head, "event"));
  return words + fmt::format(", since {}", human_time(follow.getSince()));
}

/// "of 96 events, verified 2026-11-21 12:00:00"
std::string checkpoint_words(schema::FollowStatus::Reader follow) {
  if (follow.getCheckpointSize() == 0) return "none yet";
  return fmt::format("of {}, verified {}", base::counted(follow.getCheckpointSize(), "event"),
                     follow.getCheckpointAt() == 0 ? "before this start" : human_time(follow.getCheckpointAt()));
}

void print_status(Context& context, schema::Status::Reader status) {
  std::string ledger(text_of(status.getLedger()));
  if (status.getLedgerDetail().size() > 0) ledger += fmt::format(": {}", text_of(status.getLedgerDetail()));
  std::string counts;
  for (auto count : status.getCounts()) {
    if (count.getRuns() > 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count.getRuns(), enum_word(count.getState()));
  }
  const bool is_past = context.options.at.has_value();  // then nothing is known of the processes
  Labelled lines = {{"facility", std::string(text_of(status.getFacility()))},
                    {"ledger", fmt::format("{}{}", is_past ? "" : ledger + ", ", base::counted(status.getHead(), "event"))}};
  if (!is_past) lines.emplace_back("up since", human_time(status.getStartedAt()));
  if (status.hasFollow()) {
    lines.emplace_back("follows", follow_words(status.getFollow(), status.getHead()));
    lines.emplace_back("checkpoint", checkpoint_words(status.getFollow()));
  }
  if (status.hasAccess()) lines.emplace_back("directory", directory_text(status.getAccess()));
  lines.emplace_back("runs", counts.empty() ? "none yet" : counts);
  context.out << labelled(lines);
  Table instruments({{"INSTRUMENT"}, {"RUNS", Table::Align::kRight}, {"WAITING", Table::Align::kRight}, {"LAST RUN", Table::Align::kRight},
                     {"STATE", Table::Align::kLeft, true}});
  for (auto instrument : status.getInstruments()) {
    std::string state = "on";
    if (instrument.getPaused()) state = fmt::format("paused: {}", text_of(instrument.getPauseReason()));
    instruments.add({instrument.getInstrument().cStr(), std::to_string(instrument.getRuns()), std::to_string(instrument.getWaiting()),
                     instrument.getLastRun() == 0 ? "-" : std::to_string(instrument.getLastRun()), state});
  }
  if (!instruments.is_empty()) {
    context.out << '\n';
    context.print(instruments);
  }
  Table daemons({{"DAEMON"}, {"CONNECTED"}, {"LAST SEEN"}, {"DETAIL", Table::Align::kLeft, true}});
  for (auto daemon : status.getDaemons()) {
    daemons.add({daemon.getName().cStr(), daemon.getConnected() ? "yes" : "no", human_time(daemon.getLastSeenAt()), daemon.getDetail().cStr()});
  }
  if (!daemons.is_empty()) {
    context.out << '\n';
    context.print(daemons);
  }
}

base::Result<int> show_status(Context& context) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto answer = ask(**client, (*client)->session().runsRequest().send().getRuns().statusRequest());
  if (!answer.is_ok()) return answer.status();
  if (context.options.json) {
    context.print(status_json(answer->getStatus()));
  } else {
    print_status(context, answer->getStatus());
  }
  return kDone;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("status", "What is going on: runs by state, instruments, daemons, health of the ledger");
  command->footer("Example: runledger status --json");
  command->callback([&context] { context.finish(show_status(context)); });
}

void add_version(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("version", "The version of this program");
  command->footer("Example: runledger version");
  command->callback([&context] {
    std::string capnp = fmt::format("{}.{}.{}", CAPNP_VERSION / 1000000, CAPNP_VERSION / 1000 % 1000, CAPNP_VERSION % 1000);
    if (context.options.json) {
      context.print(Json{{"version", base::version()}, {"capnp", capnp}});
    } else {
      context.out << fmt::format("runledger {} (Cap'n Proto {})\n", base::version(), capnp);
    }
  });
}

}  // namespace tools
