// The options that choose runs, the same for every command that is about many of them, and the runs they choose.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "schema/api.capnp.h"
#include "tools/context.h"

namespace tools {

/// As it was typed. All that is given must hold.
struct RunChoice {
  std::vector<std::string> words;  // instrument, run or runs; none = every run
  std::string experiment;
  std::vector<std::string> states;
  std::string reason;                  // code
  std::string script_hash;             // first digits
  std::vector<std::string> variables;  // NAME=VALUE
  std::string since, until;            // moments, as for --at
  std::string support_file;            // path, or first digits of its hash
  bool stale = false;

  bool has_options() const;
};
void add_choice_options(CLI::App& command, RunChoice& choice);
/// The choice as arguments of another command, quoted for a shell: "MARI 28001-28010 --state failed".
std::string as_arguments(const RunChoice& choice);

/// A choice that was understood.
struct ChosenRuns {
  RunSelection named;  // instrument empty = of every instrument
  kj::Own<schema::RunFilter::Reader> filter;
  std::string text;  // for people and the record: "MARI 28001-28010, state failed"
};
/// kInvalidArgument: an option says nothing that can be looked for. kNotFound: there is no such instrument or event.
base::Result<ChosenRuns> choose(Context& context, const RunChoice& choice);

/// Every run that fits, by instrument and number, page by page, until `use` answers false; `at_most` 0 = all.
/// Answers whether there may be more.
base::Result<bool> read_runs(Client& client, schema::RunFilter::Reader filter, uint64_t at_most, const std::function<bool(schema::RunRow::Reader)>& use);

}  // namespace tools
