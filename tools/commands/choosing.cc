#include "tools/commands/choosing.h"

#include <capnp/message.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "base/time.h"
#include "tools/commands/changes.h"
#include "tools/records.h"
#include "tools/words.h"

namespace tools {
namespace {

using base::Code;

constexpr uint32_t kPage = 1000;
constexpr size_t kFewestDigits = 8;  // of a hash: fewer would fit by chance

bool is_hash_front(std::string_view text) {
  return text.size() >= kFewestDigits && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

base::Result<std::vector<schema::RunState>> parse_states(const std::vector<std::string>& words) {
  std::vector<schema::RunState> states;
  for (const std::string& word : words) {
    const std::optional<schema::RunState> state = parse_state(word);
    if (!state) return base::Status(Code::kInvalidArgument, fmt::format("'{}' is no state; there are {}", base::printable(word), state_words(", ")));
    states.push_back(*state);
  }
  return states;
}

base::Result<std::string> parse_script_hash(const std::string& text) {
  if (text.empty()) return std::string();
  const std::optional<std::string> bytes = base::from_hex(text);
  if (bytes && is_hash_front(text)) return *bytes;
  return base::Status(Code::kInvalidArgument, fmt::format("--script-hash '{}': write the first {} or more hex digits of the SHA-256, an even number of them",
                                                          base::printable(text), kFewestDigits));
}

base::Status check_support_file(const std::string& text) {
  if (text.empty() || text.starts_with('/') || text.find("://") != std::string::npos || is_hash_front(text)) return {};
  return {Code::kInvalidArgument, fmt::format("--support-file '{}': write the path from / on, or the first {} or more hex digits of the file's SHA-256",
                                              base::printable(text), kFewestDigits)};
}

/// The time that a moment names; of an event, when it was recorded. 0 = none is named.
base::Result<int64_t> time_of(Context& context, std::string_view option, const std::string& text) {
  if (text.empty()) return int64_t{0};
  base::Result<MomentName> moment = context.moment(option, text);
  if (!moment.is_ok()) return moment.status();
  if (moment->seq == 0) return moment->time_ns;
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  base::Result<Events> events = history(**client, [&](schema::Subject::Builder subject) { subject.setSeq(moment->seq); });
  if (!events.is_ok()) return events.status();
  if (!events->empty()) return events->front().get().getTime();
  return base::Status(Code::kNotFound, fmt::format("{} {}: there is no such event", option, moment->seq));
}

/// As one word of a shell's command line.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

bool RunChoice::has_options() const {
  return !experiment.empty() || !states.empty() || !reason.empty() || !script_hash.empty() || !variables.empty() || !since.empty() || !until.empty() ||
         !support_file.empty() || stale;
}

void add_choice_options(CLI::App& command, RunChoice& choice) {
  command.add_option("runs", choice.words, "Instrument, run or runs; without one every run")->type_name("INSTRUMENT [RUNS]");
  command.add_option("--experiment", choice.experiment, "Only runs of this experiment")->type_name("NUMBER");
  command.add_option("--state", choice.states, fmt::format("Only runs in this state; several with commas: {}", state_words(", ")))
      ->type_name("STATE")
      ->allow_extra_args(false)
      ->delimiter(',');
  command.add_option("--reason", choice.reason, "Only runs whose reason has this code, as explain shows it")->type_name("CODE");
  command.add_option("--script-hash", choice.script_hash, "Only runs reduced with this script, or a file of this content beside it; the first 8 or more digits do")
      ->type_name("SHA256");
  command.add_option("--variable", choice.variables, "Only runs reduced with this value. May be repeated")->type_name("NAME=VALUE")->allow_extra_args(false);
  command.add_option("--since", choice.since, "Only runs detected at or after this time or event, written as for --at")->type_name("TIME|SEQ");
  command.add_option("--until", choice.until, "Only runs detected at or before this time or event")->type_name("TIME|SEQ");
  command.add_option("--support-file", choice.support_file, "Only runs reduced with this file (a mask), by path or by the first 8 or more digits of its SHA-256")
      ->type_name("PATH|SHA256");
  command.add_flag("--stale", choice.stale, "Only runs whose result is not what would be made today");
}

std::string as_arguments(const RunChoice& choice) {
  std::string text;
  const auto add = [&](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  const auto add_option = [&](const char* name, const std::string& value) {
    if (!value.empty()) add(fmt::format("{} {}", name, quoted(value)));
  };
  for (const std::string& word : choice.words) add(quoted(word));
  add_option("--experiment", choice.experiment);
  add_option("--state", fmt::format("{}", fmt::join(choice.states, ",")));
  add_option("--reason", choice.reason);
  add_option("--script-hash", choice.script_hash);
  for (const std::string& variable : choice.variables) add_option("--variable", variable);
  add_option("--since", choice.since);
  add_option("--until", choice.until);
  add_option("--support-file", choice.support_file);
  if (choice.stale) add("--stale");
  return text;
}

base::Result<ChosenRuns> choose(Context& context, const RunChoice& choice) {
  const auto states = parse_states(choice.states);
  if (!states.is_ok()) return states.status();
  const auto script = parse_script_hash(choice.script_hash);
  if (!script.is_ok()) return script.status();
  if (base::Status status = check_support_file(choice.support_file); !status.is_ok()) return status;
  std::vector<Assignment> variables;
  for (const std::string& text : choice.variables) {
    base::Result<Assignment> variable = parse_assignment(text);
    if (!variable.is_ok()) return variable.status().in("--variable");
    variables.push_back(std::move(*variable));
  }
  ChosenRuns chosen;
  if (!choice.words.empty()) {
    base::Result<RunSelection> named = context.selection(choice.words);
    if (!named.is_ok()) return named.status();
    chosen.named = std::move(*named);
  }
  const auto since = time_of(context, "--since", choice.since);
  if (!since.is_ok()) return since.status();
  const auto until = time_of(context, "--until", choice.until);
  if (!until.is_ok()) return until.status();

  capnp::MallocMessageBuilder message;
  auto filter = message.initRoot<schema::RunFilter>();
  std::vector<std::string> words;
  const std::vector<RunRange>& ranges = chosen.named.ranges;
  if (!chosen.named.instrument.empty()) {
    filter.setInstrument(kj_text(chosen.named.instrument));
    words.push_back(ranges.empty() ? chosen.named.instrument : fmt::format("{} {}", chosen.named.instrument, run_ranges_text(std::span<const RunRange>(ranges))));
  }
  if (!ranges.empty()) {
    filter.setFirstRun(ranges.front().first);
    filter.setLastRun(ranges.back().last);
  }
  if (ranges.size() > 1) {
    auto list = filter.initRanges(static_cast<uint32_t>(ranges.size()));
    for (uint32_t i = 0; i < list.size(); ++i) {
      list[i].setFirst(ranges[i].first);
      list[i].setLast(ranges[i].last);
    }
  }
  if (!choice.experiment.empty()) {
    filter.setExperiment(kj_text(choice.experiment));
    words.push_back("experiment " + choice.experiment);
  }
  if (!states->empty()) {
    auto list = filter.initStates(static_cast<uint32_t>(states->size()));
    for (uint32_t i = 0; i < list.size(); ++i) list.set(i, (*states)[i]);
    words.push_back(fmt::format("state {}", fmt::join(choice.states, " or ")));
  }
  if (!choice.reason.empty()) {
    filter.setReason(kj_text(choice.reason));
    words.push_back("reason " + choice.reason);
  }
  if (!script->empty()) {
    filter.setScript(data_of(*script));
    words.push_back("script " + base::ascii_lower(choice.script_hash));
  }
  auto matches = variables.empty() ? filter.getVariables() : filter.initVariables(static_cast<uint32_t>(variables.size()));
  for (uint32_t i = 0; i < matches.size(); ++i) {
    matches[i].setName(kj_text(variables[i].name));
    matches[i].setValue(kj_text(variables[i].value));
    words.push_back(fmt::format("{} = {}", variables[i].name, variables[i].value));
  }
  filter.setDetectedFrom(*since);
  if (*since != 0) words.push_back("detected since " + base::iso_time(*since));
  filter.setDetectedTo(*until);
  if (*until != 0) words.push_back("detected until " + base::iso_time(*until));
  if (!choice.support_file.empty()) {
    filter.setSupportFile(kj_text(choice.support_file));
    words.push_back("with support file " + choice.support_file);
  }
  filter.setStale(choice.stale);
  if (choice.stale) words.emplace_back("stale");
  chosen.text = words.empty() ? "every run" : fmt::format("{}", fmt::join(words, ", "));
  chosen.filter = capnp::clone(filter.asReader());
  return chosen;
}

base::Result<bool> read_runs(Client& client, schema::RunFilter::Reader filter, uint64_t at_most, const std::function<bool(schema::RunRow::Reader)>& use) {
  schema::Runs::Client runs = client.session().runsRequest().send().getRuns();
  std::string after;
  uint64_t count = 0;
  do {
    const uint64_t left = at_most == 0 ? kPage : at_most - count;
    if (left == 0) return true;
    auto request = runs.listRequest();
    request.setFilter(filter);
    request.setLimit(static_cast<uint32_t>(std::min<uint64_t>(left, kPage)));
    request.setAfter(data_of(after));
    auto answer = ask(client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    for (auto run : answer->getRuns()) {
      ++count;
      if (!use(run)) return true;
    }
    after = bytes_of(answer->getNext());
  } while (!after.empty());
  return false;
}

}  // namespace tools
