#include "daemons/worker/job_files.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/text.h"
#include "daemons/worker/file_bytes.h"
#include "daemons/worker/output_folder.h"
#include "daemons/worker/support_files.h"
#include "ledger/canonical.h"
#include "schema/document.capnp.h"

namespace daemons {
namespace {

using base::Code;
using base::Result;
using base::Status;
namespace fs = std::filesystem;

/// A JSON string of the bytes as they are: a path that is no UTF-8 arrives in Python as the same bytes (surrogateescape).
std::string json_bytes(std::string_view bytes) {
  std::string text = "\"";
  for (char c : bytes) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text + '"';
}

template <typename List, typename Write>
std::string joined(const List& list, Write write) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "" : ",") + write(entry);
  return text;
}

std::string_view contract_name(schema::Contract contract) {
  switch (contract) {
    case schema::Contract::ISIS:
      return "isis";
    case schema::Contract::SNS:
      return "sns";
    case schema::Contract::FIA:
      return "fia";
    default:
      return "unset";
  }
}

Result<std::string> variables_json(const std::string& document, const JobFolders& folders, const AttemptPlan& plan) {
  if (document.empty()) return std::string();
  auto set = ledger::Row<schema::VariableSet>::parse(document, "the set of variables");
  if (!set.is_ok()) return set.status();
  return joined(set->get().getVariables(), [&](schema::ResolvedVariable::Reader variable) {
    bool standard = variable.getGroup() == schema::Variable::Group::STANDARD;
    std::string name(ledger::view(variable.getName()));
    std::string value = value_with_places(std::string(ledger::view(variable.getValue())), variable.getGroup(), name, folders.support(), plan);
    return fmt::format(R"({{"group":"{}","name":{},"value":{}}})", standard ? "standard" : "advanced", json_bytes(name),
                       value.empty() ? "null" : value);
  });
}

std::string job_json(const JobFolders& folders, const AttemptPlan& plan, const std::string& variables, bool linked) {
  std::string name = fs::path(plan.script_path).filename();
  std::string siblings = joined(plan.siblings, [&](const auto& sibling) {
    return json_bytes(sibling.name) + ":" + json_bytes(folders.script() + "/" + sibling.name);
  });
  std::string inputs = joined(plan.inputs, [](const auto& input) { return json_bytes(path_bytes(input.path)); });
  std::string runs = joined(plan.runs, [](uint64_t run) { return std::to_string(run); });
  return fmt::format(
      R"({{"contract":"{}","instrument":{},"experiment":{},"run_number":{},"run_numbers":[{}],"script":{},"script_path":{},"script_folder_linked":{},)"
      R"("siblings":{{{}}},"input_files":[{}],"output_directory":{},"variables":[{}],"result":{}}})",
      contract_name(plan.contract), json_bytes(plan.instrument), json_bytes(plan.experiment), plan.run_number(), runs,
      json_bytes(folders.script() + "/" + name), json_bytes(plan.script_path), linked, siblings, inputs,
      json_bytes(plan.staging() + "/"), variables, json_bytes(folders.result_file()));
}

}  // namespace

std::string working_directory(const JobFolders& folders, const AttemptPlan& plan) {
  return plan.contract == schema::Contract::SNS ? plan.staging() : folders.work();
}

Status make_job_folders(const JobFolders& folders) {
  if (Status removed = remove_folder(folders.root); !removed.is_ok()) return removed;
  std::error_code error;
  fs::create_directories(folders.root, error);
  for (const std::string& folder : {folders.work(), folders.home(), folders.tmp(), folders.script(), folders.support()}) {
    if (!fs::create_directory(folder, error)) {
      return {Code::kUnavailable, fmt::format("{}: cannot be made: {}", folder, error.message())};
    }
  }
  return {};
}

Result<NeighbourLinks> write_job_files(const JobFolders& folders, const AttemptPlan& plan, const CapturedFiles& files) {
  if (Status written = write_captured(folders.script(), plan, files); !written.is_ok()) return written;
  NeighbourLinks links = link_neighbours(folders.script(), plan);
  auto variables = variables_json(files.variables, folders, plan);
  if (!variables.is_ok()) return variables.status();
  Status written = write_file(folders.job_file(), job_json(folders, plan, *variables, links.readable));
  if (!written.is_ok()) return written;
  return links;
}

}  // namespace daemons
