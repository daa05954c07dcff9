// What the commands that change something share: command ids, comments, what is said of the answer, NAME=VALUE.
#pragma once

#include <CLI/CLI.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "schema/document.capnp.h"
#include "tools/context.h"
#include "tools/records.h"

namespace tools {

/// Sent again with the same id a command changes nothing (promise P4): an id is made once per command line.
struct ChangeOptions {
  std::string comment;
  std::string command_id;  // empty: a random one
};
void add_change_options(CLI::App& command, ChangeOptions& change);
/// Of a change that takes no comment.
void add_command_id(CLI::App& command, ChangeOptions& change);
/// The id given, else 32 random hex digits: another one each time.
std::string command_id(const ChangeOptions& change);
/// Says what the ledger answered: `done` with the event, or `already` where nothing had to change; in JSON the event.
int report(Context& context, schema::Answer::Reader answer, const std::string& done, const std::string& already);

/// A variable's name and value as given: NAME=VALUE, standard.NAME=VALUE or advanced.NAME=VALUE; @FILE for VALUE is what the file holds.
struct Assignment {
  std::string name;
  std::string value;  // JSON text: the VALUE itself when it is JSON, else as a JSON string
  std::optional<schema::Variable::Group> group;
};
base::Result<Assignment> parse_assignment(const std::string& text);

/// The variables a script is known to have, to catch misspelt names and find their group.
class KnownVariables {
 public:
  void add(schema::VariableSet::Reader set);
  /// Fills the group. kInvalidArgument: the script has no such variable (the message lists what it has), the name is in both groups
  /// and none is given, or text is given for a true/false variable. While no variable is known, everything passes.
  base::Status complete(Assignment& assignment) const;
  bool has(const std::string& name) const { return names_.contains(name); }

 private:
  struct Known {
    std::set<schema::Variable::Group> groups;
    bool is_boolean = false;
  };
  std::map<std::string, Known> names_;
};

/// What the version to repeat and the instrument's present script have for variables.
base::Result<KnownVariables> known_variables(Client& client, const RunName& run);

/// Parses and completes each; the first that is wrong is the error.
base::Result<std::vector<Assignment>> parse_assignments(const std::vector<std::string>& texts, const KnownVariables& known);
void write_assignments(const std::vector<Assignment>& assignments, capnp::List<schema::Variable>::Builder list);

}  // namespace tools
