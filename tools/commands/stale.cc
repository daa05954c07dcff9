// stale: results that are not what would be made today, and what changed.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>

#include "base/counted.h"
#include "base/json_text.h"
#include "base/text.h"
#include "tools/commands/choosing.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/words.h"

namespace tools {
namespace {

using Kind = schema::StaleReason::Kind;

bool is_hash(Kind kind) { return kind != Kind::VARIABLE; }

/// What changed, for people: "script", "variable mon", "reduce_vars.py", "support file /archive/mask.xml".
std::string what_text(schema::StaleReason::Reader reason) {
  const std::string name(text_of(reason.getName()));
  switch (reason.getKind()) {
    case Kind::SCRIPT: return "script";
    case Kind::SCRIPT_FILE: return name;
    case Kind::VARIABLE: return "variable " + name;
    case Kind::SUPPORT_FILE: return "support file " + name;
  }
  return name;
}

std::string side_text(Kind kind, capnp::Text::Reader value) {
  const std::string text(text_of(value));
  return or_dash(is_hash(kind) ? text.substr(0, 12) : text);
}

/// The events that brought what is chosen now; each is asked for once.
class Bringers {
 public:
  explicit Bringers(Client& client) : client_(client) {}

  struct Event {
    int64_t time_ns = 0;
    std::string actor;
  };
  /// nullopt: none did, or it may not be seen.
  base::Result<std::optional<Event>> find(uint64_t seq) {
    if (seq == 0) return std::optional<Event>();
    if (const auto known = known_.find(seq); known != known_.end()) return known->second;
    base::Result<Events> events = history(client_, [&](schema::Subject::Builder subject) { subject.setSeq(seq); });
    std::optional<Event> found;
    if (!events.is_ok() && events.status().code() != base::Code::kNotFound) return events.status();
    if (events.is_ok() && !events->empty()) {
      const auto event = events->front().get();
      found = Event{event.getTime(), event.getActor().getName().cStr()};
    }
    known_[seq] = found;
    return found;
  }

 private:
  Client& client_;
  std::map<uint64_t, std::optional<Event>> known_;
};

std::string since_text(uint64_t seq, const std::optional<Bringers::Event>& event) {
  if (seq == 0) return "-";
  if (!event) return fmt::format("event {}", seq);
  return fmt::format("event {}, {}, {}", seq, human_time(event->time_ns), event->actor);
}

Json reason_json(schema::StaleReason::Reader reason, const std::optional<Bringers::Event>& event) {
  const auto side = [&](capnp::Text::Reader text) {
    return is_hash(reason.getKind()) || text.size() == 0 ? text_or_null(text_of(text)) : json_value(text_of(text));
  };
  return {{"kind", enum_word(reason.getKind())},
          {"name", text_or_null(text_of(reason.getName()))},
          {"was", side(reason.getWas())},
          {"now", side(reason.getNow())},
          {"event", reason.getEvent() == 0 ? Json() : Json(reason.getEvent())},
          {"since", event ? time_or_null(event->time_ns) : Json()},
          {"by", event ? text_or_null(event->actor) : Json()}};
}

/// Results as they come; an array that may be long is never held as a whole.
class StalePrinter {
 public:
  StalePrinter(Context& context, Client& client) : context_(context), bringers_(client) {}

  base::Status add(schema::StaleResult::Reader result) {
    const auto run = result.getRun();
    Json json = {{"instrument", base::to_utf8(text_of(run.getInstrument()))}, {"run_number", run.getRunNumber()}, {"version", result.getVersion()},
                 {"job", result.getJob()}, {"why", Json::array()}};
    bool is_first = true;
    for (auto reason : result.getWhy()) {
      auto event = bringers_.find(reason.getEvent());
      if (!event.is_ok()) return event.status();
      ++changes_[fmt::format("{}{}", what_text(reason), reason.getEvent() == 0 ? "" : fmt::format(" (event {})", reason.getEvent()))];
      json["why"].push_back(reason_json(reason, *event));
      table_.add({is_first ? run_text(text_of(run.getInstrument()), run.getRunNumber()) : "", is_first ? fmt::format("v{}", result.getVersion()) : "",
                  what_text(reason), side_text(reason.getKind(), reason.getWas()), side_text(reason.getKind(), reason.getNow()),
                  since_text(reason.getEvent(), *event)});
      is_first = false;
    }
    if (context_.options.json) context_.out << (count_ == 0 ? "[\n" : ",\n") << base::json_text(std::move(json));
    ++count_;
    return {};
  }

  /// `considered` = results looked at.
  void finish(uint64_t considered) {
    if (context_.options.json) {
      context_.out << (count_ == 0 ? "[]\n" : "\n]\n");
      return;
    }
    if (count_ == 0) return;
    context_.print(table_);
    context_.out << fmt::format("\n{} of {} stale\n", count_, base::counted(considered, "result"));
    for (const auto& [what, results] : changes_) context_.out << printable_lines(fmt::format("  {} by {}", results, what)) << '\n';
  }
  uint64_t count() const { return count_; }

 private:
  Context& context_;
  Bringers bringers_;
  uint64_t count_ = 0;
  std::map<std::string, uint64_t> changes_;
  Table table_{{{"RUN"}, {"VERSION"}, {"WHAT"}, {"WAS", Table::Align::kLeft, true}, {"NOW", Table::Align::kLeft, true}, {"SINCE", Table::Align::kLeft, true}}};
};

base::Result<int> list_stale(Context& context, const RunChoice& choice) {
  base::Result<ChosenRuns> chosen = choose(context, choice);
  if (!chosen.is_ok()) return chosen.status();
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  schema::Runs::Client runs = (*client)->session().runsRequest().send().getRuns();
  StalePrinter printer(context, **client);
  ProgressLine progress(context);
  uint64_t considered = 0;
  std::string after;
  do {
    auto request = runs.staleRequest();
    request.setFilter(*chosen->filter);
    request.setAfter(data_of(after));
    auto answer = ask(**client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    for (auto result : answer->getResults()) {
      if (base::Status added = printer.add(result); !added.is_ok()) return added;
    }
    considered += answer->getConsidered();
    after = bytes_of(answer->getNext());
    progress.show(fmt::format("looked at {}, {} stale", base::counted(considered, "result"), printer.count()));
  } while (!after.empty() && context.out.good());
  progress.wipe();
  printer.finish(considered);
  if (printer.count() > 0) return kDone;
  context.say(fmt::format("{}: none of {} is stale", chosen->text, base::counted(considered, "result")));
  return kNothingFound;
}

}  // namespace

void add_stale(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("stale", "Results that are not what would be made today: script, variables or support files changed since");
  auto choice = std::make_shared<RunChoice>();
  add_choice_options(*command, *choice);
  command->footer(
      "The newest result of each run is looked at. Exit code 1: none is stale. To make them anew: runledger campaign start --stale.\n"
      "Example: runledger stale MARI --support-file /archive/masks/mari.xml");
  command->callback([&context, choice] { context.finish(list_stale(context, *choice)); });
}

}  // namespace tools
