#include "tools/commands/vars_upcoming.h"

#include <fmt/format.h>

#include <memory>

#include "base/text.h"
#include "tools/json_output.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

/// The largest number of any run of the instrument; 0 = it has none.
base::Result<uint64_t> last_run(Client& client, const std::string& name) {
  auto answer = ask(client, client.session().runsRequest().send().getRuns().statusRequest());
  if (!answer.is_ok()) return answer.status();
  for (auto instrument : answer->getStatus().getInstruments()) {
    if (text_of(instrument.getInstrument()) == name) return instrument.getLastRun();
  }
  return uint64_t{0};
}

base::Result<bool> has_runs(Client& client, const std::string& name, capnp::Text::Reader experiment) {
  auto request = client.session().runsRequest().send().getRuns().listRequest();
  request.getFilter().setInstrument(kj_text(name));
  request.getFilter().setExperiment(experiment);
  request.setLimit(1);
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return answer->getRuns().size() > 0;
}

base::Result<bool> is_upcoming(Client& client, const std::string& name, uint64_t last, schema::Scope::Reader scope) {
  if (scope.isFromRun()) return scope.getFromRun() > last;
  if (!scope.isExperiment()) return false;
  const base::Result<bool> applies = has_runs(client, name, scope.getExperiment());
  if (!applies.is_ok()) return applies.status();
  return !*applies;
}

base::Result<int> list_upcoming(Context& context, const std::string& word) {
  base::Result<std::string> name = context.instrument(word);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  const base::Result<uint64_t> last = last_run(client, *name);
  if (!last.is_ok()) return last.status();
  auto answer = ask(client, of->variableRulesRequest());
  if (!answer.is_ok()) return answer.status();
  Json json = Json::array();
  Table table({{"VARIABLE"}, {"VALUE", Table::Align::kLeft, true}, {"FOR"}, {"SET BY"}, {"SET AT"}, {"COMMENT", Table::Align::kLeft, true}});
  for (auto rule : answer->getRules()) {
    const base::Result<bool> upcoming = is_upcoming(client, *name, *last, rule.getScope());
    if (!upcoming.is_ok()) return upcoming.status();
    if (!*upcoming) continue;
    json.push_back(rule_json(rule));
    table.add({rule.getVariable().getName().cStr(), setting_text(rule.getVariable()), scope_text(rule.getScope()), rule.getSetBy().cStr(),
               human_time(rule.getSetAt()), rule.getComment().cStr()});
  }
  const std::string nothing = *last == 0 ? fmt::format("{}: nothing is set for runs that are still to come", *name)
                                         : fmt::format("{}: nothing is set for runs that are still to come; its last is {}", *name, *last);
  return context.print_listing(json, table, nothing);
}

}  // namespace

void add_vars_upcoming(CLI::App& vars, Context& context) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = vars.add_subcommand("upcoming", "What is set that no run has got yet: from a later run on, or for an experiment without runs");
  command->add_option("instrument", *name, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  command->footer("Example: runledger vars upcoming MARI");
  command->callback([&context, name] { context.finish(list_upcoming(context, *name)); });
}

}  // namespace tools
