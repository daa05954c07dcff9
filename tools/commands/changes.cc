#include "tools/commands/changes.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tools/command_id.h"
#include "tools/json_output.h"
#include "tools/near_words.h"

namespace tools {
namespace {

constexpr size_t kMostValueBytes = 1u << 20;  // of a variable that is read from a file

/// The value in a file: all its text but the last line end.
base::Result<std::string> value_in_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string value(kMostValueBytes + 1, '\0');
  file.read(value.data(), static_cast<std::streamsize>(value.size()));
  if (!file.is_open() || file.bad()) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("'@{0}': the file {0} cannot be read: {1}; a text that begins with @ is written '\"@...\"'",
                                                                  base::printable(path), strerror(errno)));
  }
  value.resize(static_cast<size_t>(file.gcount()));
  if (value.size() > kMostValueBytes) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("'@{}': the file has more than {} bytes; name it in the variable instead of putting it there",
                                                                  base::printable(path), kMostValueBytes));
  }
  if (value.ends_with('\n')) value.pop_back();
  return value;
}

}  // namespace

void add_change_options(CLI::App& command, ChangeOptions& change) {
  command.add_option("--comment", change.comment, "Why; kept with the event")->type_name("TEXT");
  add_command_id(command, change);
}

void add_command_id(CLI::App& command, ChangeOptions& change) {
  command
      .add_option("--command-id", change.command_id,
                  "A name you choose for this change: sent again with the same one, it is carried out once")
      ->type_name("ID");
}

std::string command_id(const ChangeOptions& change) { return change.command_id.empty() ? new_command_id() : change.command_id; }

int report(Context& context, schema::Answer::Reader answer, const std::string& done, const std::string& already) {
  uint64_t seq = answer.getEvents().size() == 0 ? 0 : answer.getEvents()[0];
  if (context.options.json) {
    context.print(Json{{"event", seq == 0 ? Json() : Json(seq)}, {"repeated", answer.getRepeated()}});
  } else {
    context.out << printable_lines(seq == 0 ? already : fmt::format("{} (event {})", done, seq)) << '\n';
  }
  return kDone;
}

base::Result<Assignment> parse_assignment(const std::string& text) {
  size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return base::Status(base::Code::kInvalidArgument,
                        fmt::format("'{}' is not NAME=VALUE; write mon=3, title=\"a b\" or grid=[1,2]", base::printable(text)));
  }
  Assignment assignment;
  assignment.name = text.substr(0, equals);
  std::string value = text.substr(equals + 1);
  if (value.size() > 1 && value.starts_with('@')) {
    base::Result<std::string> read = value_in_file(value.substr(1));
    if (!read.is_ok()) return read.status();
    value = std::move(*read);
  }
  if (!base::is_utf8(text) || !base::is_utf8(value)) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("'{}' is not UTF-8 text; a variable has to be", base::printable(text)));
  }
  for (auto group : {schema::Variable::Group::STANDARD, schema::Variable::Group::ADVANCED}) {
    std::string_view prefix = group == schema::Variable::Group::STANDARD ? "standard." : "advanced.";
    if (assignment.name.size() <= prefix.size() || !assignment.name.starts_with(prefix)) continue;
    assignment.name = assignment.name.substr(prefix.size());
    assignment.group = group;
    break;
  }
  assignment.value = nlohmann::json::accept(value) ? value : nlohmann::json(value).dump();
  return assignment;
}

void KnownVariables::add(schema::VariableSet::Reader set) {
  for (auto variable : set.getVariables()) {
    Known& known = names_[variable.getName().cStr()];
    known.groups.insert(variable.getGroup());
    std::string_view value = text_of(variable.getValue());
    known.is_boolean |= value == "true" || value == "false";
  }
}

base::Status KnownVariables::complete(Assignment& assignment) const {
  if (names_.empty()) {
    if (!assignment.group) assignment.group = schema::Variable::Group::STANDARD;
    return base::Status::ok();
  }
  auto found = names_.find(assignment.name);
  if (found == names_.end()) {
    std::vector<std::string> names;
    for (const auto& [name, known] : names_) names.push_back(name);
    return {base::Code::kInvalidArgument,
            fmt::format("the script has no variable '{}'; it has {}; a new one goes into reduce_vars.py first, and is known once a "
                        "run was reduced "
                        "with it: runledger rerun RUN --script current{}",
                        base::printable(assignment.name), fmt::join(names, ", "), did_you_mean(assignment.name, names))};
  }
  if (!assignment.group) {
    if (found->second.groups.size() > 1) {
      return {base::Code::kInvalidArgument, fmt::format("'{0}' is a standard and an advanced variable; write standard.{0}=... or advanced.{0}=...",
                                                        base::printable(assignment.name))};
    }
    assignment.group = *found->second.groups.begin();
  }
  if (found->second.is_boolean && assignment.value.starts_with('"')) {
    return {base::Code::kInvalidArgument, fmt::format("'{0}' is true or false in the script, not the text {1}; write {0}=true or {0}=false",
                                                      base::printable(assignment.name), assignment.value)};
  }
  return base::Status::ok();
}

base::Result<KnownVariables> known_variables(Client& client, const RunName& run) {
  KnownVariables known;
  base::Result<ShownRun> shown = show_run(client, run);
  if (!shown.is_ok()) return shown.status();
  if (std::optional<schema::JobRow::Reader> job = chosen_version(*shown, run.version)) {
    auto variables = document<schema::VariableSet>(client, bytes_of(job->getQueued().getVariables()));
    if (!variables.is_ok()) return variables.status();
    known.add(variables->get());
  }
  base::Result<schema::Instrument::Client> of = instrument(client, run.instrument);
  if (!of.is_ok()) return of.status();
  auto row = ask(client, of->showRequest());
  if (!row.is_ok()) return row.status();
  auto defaults = document<schema::VariableSet>(client, bytes_of(row->getInstrument().getScript().getDefaults()));
  if (!defaults.is_ok()) return defaults.status();
  known.add(defaults->get());
  return known;
}

base::Result<std::vector<Assignment>> parse_assignments(const std::vector<std::string>& texts, const KnownVariables& known) {
  std::vector<Assignment> assignments;
  for (const std::string& text : texts) {
    base::Result<Assignment> assignment = parse_assignment(text);
    if (!assignment.is_ok()) return assignment.status();
    if (base::Status status = known.complete(*assignment); !status.is_ok()) return status;
    assignments.push_back(std::move(*assignment));
  }
  return assignments;
}

void write_assignments(const std::vector<Assignment>& assignments, capnp::List<schema::Variable>::Builder list) {
  for (uint32_t i = 0; i < assignments.size(); ++i) {
    list[i].setGroup(assignments[i].group.value_or(schema::Variable::Group::STANDARD));
    list[i].setName(kj_text(assignments[i].name));
    list[i].setValue(kj_text(assignments[i].value));
  }
}

}  // namespace tools
