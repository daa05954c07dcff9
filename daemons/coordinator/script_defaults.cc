#include "daemons/coordinator/script_defaults.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ledger/canonical.h"
#include "schema/document.capnp.h"

namespace daemons {
namespace {

constexpr size_t kLargestAnswerBytes = 8 << 20;
constexpr size_t kMostKnown = 200;  // answers that are remembered

std::string read_answer(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kLargestAnswerBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

const char* word_for(schema::Contract contract) {
  switch (contract) {
    case schema::Contract::SNS: return "sns";
    case schema::Contract::FIA: return "fia";
    default: return "isis";
  }
}

/// The file that has the variables; empty where no child needs to be asked, since there are none.
std::string source_of(schema::Contract contract, const scripts::CapturedScript& captured) {
  if (contract == schema::Contract::FIA) return captured.script.name;
  if (contract == schema::Contract::SNS) return captured.script.name.ends_with(".template") ? captured.script.name : "";
  const auto is_it = [](const scripts::CapturedFile& file) { return file.name == "reduce_vars.py"; };
  return std::any_of(captured.siblings.begin(), captured.siblings.end(), is_it) ? "reduce_vars.py" : "";
}

std::string key_of(const std::string& interpreter, schema::Contract contract, const std::filesystem::path& path, const scripts::CapturedScript& captured) {
  std::string key = fmt::format("{} {} {} ", interpreter, word_for(contract), path.string()) + base::hex(captured.script.sha256);
  for (const scripts::CapturedFile& file : captured.siblings) key += " " + file.name + " " + base::hex(file.sha256);
  return base::hex(base::sha256(key));
}

/// The captured files below `folder`, as they lay in the script's own. Blocking.
bool lay_out(const scripts::CapturedScript& captured, const std::filesystem::path& folder) {
  const auto write = [&folder](const scripts::CapturedFile& file) {
    std::error_code error;
    std::filesystem::create_directories((folder / file.name).parent_path(), error);
    std::ofstream out(folder / file.name, std::ios::binary);
    out << file.bytes;
    out.close();
    return !out.fail();
  };
  return write(captured.script) && std::all_of(captured.siblings.begin(), captured.siblings.end(), write);
}

/// What the child's end and its answer file come to. Blocking.
ScriptDefaults defaults_from(const base::Result<ProgramOutput>& output, const std::string& source, const std::string& interpreter,
                             const std::filesystem::path& answer) {
  if (!output.is_ok()) return {"", output.status().message(), true};
  if (output->timed_out) return {"", source + " did not come to an end within 30 s"};
  if (!output->exit.clean()) {
    bool killed = !output->exit.exited();  // for want of memory, perhaps
    return {"", fmt::format("reading {} with {} {}: {}", source, interpreter, output->exit.text(), output->text), killed};
  }
  return parse_defaults(read_answer(answer));
}

}  // namespace

ScriptDefaults parse_defaults(const std::string& json) {
  auto answer = nlohmann::json::parse(json, nullptr, false);
  if (!answer.is_object() || !answer.contains("variables") || !answer["variables"].is_array()) {
    return {"", "the interpreter gave no list of the script's variables"};
  }
  if (answer.contains("problem") && answer["problem"].is_string()) return {"", answer["problem"].get<std::string>()};
  if (answer.contains("none") && answer["none"] == true) return {};
  struct Entry {
    schema::Variable::Group group;
    std::string name, value, help;
  };
  std::vector<Entry> entries;
  auto is_text = [](const nlohmann::json& variable, const char* key) { return variable.contains(key) && variable[key].is_string(); };
  for (const auto& variable : answer["variables"]) {
    if (!variable.is_object() || !is_text(variable, "group") || !is_text(variable, "name") || !is_text(variable, "help")) {
      return {"", "the interpreter's list of the script's variables is not whole"};
    }
    entries.push_back({variable["group"] == "advanced" ? schema::Variable::Group::ADVANCED : schema::Variable::Group::STANDARD,
                       variable["name"].get<std::string>(), variable.contains("value") ? variable["value"].dump() : "", variable["help"].get<std::string>()});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return std::tie(a.group, a.name) < std::tie(b.group, b.name); });
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::VariableSet>().initVariables(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    list[i].setGroup(entries[i].group);
    list[i].setName(entries[i].name);
    list[i].setValue(entries[i].value);
    list[i].setHelp(entries[i].help);
  }
  return {ledger::canonical_bytes(message.getRoot<schema::VariableSet>().asReader()), ""};
}

kj::Promise<ScriptDefaults> ScriptDefaultsReader::read(std::string interpreter, schema::Contract contract, std::filesystem::path script_path,
                                                       std::shared_ptr<const scripts::CapturedScript> captured, bool again) {
  std::string source = source_of(contract, *captured);
  if (source.empty()) return ScriptDefaults{};
  std::string key = key_of(interpreter, contract, script_path, *captured);
  if (auto found = known_.find(key); found != known_.end() && (!again || found->second.problem.empty())) return ScriptDefaults(found->second);
  std::filesystem::path folder = scratch_ / fmt::format("script-variables-{}-{}", getpid(), next_folder_++);
  std::filesystem::path laid_out = folder / "captured", answer = folder / "answer.json";
  ProcessRequest request;
  request.program = interpreter;
  request.arguments = {run_script_.string(), "--defaults", word_for(contract), "--folder", laid_out.string(), "--script", script_path.string(), answer.string()};
  request.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "HOME=" + folder.string()};
  request.error = ProcessRequest::Stream::kOutput;
  return loop_.on_pool([captured, laid_out] { return lay_out(*captured, laid_out); })
      .then([this, folder, request = std::move(request)](bool written) -> kj::Promise<base::Result<ProgramOutput>> {
        if (!written) {
          return base::Result<ProgramOutput>(
              base::Status(base::Code::kUnavailable, folder.string() + ": cannot be written; is the scratch folder's disk full?"));
        }
        return run_program(launcher_, loop_.timer(), request);
      })
      .then([this, source, folder, answer, interpreter](base::Result<ProgramOutput>&& output) {
        return loop_.on_pool([output = std::move(output), source, folder, answer, interpreter] {
          ScriptDefaults defaults = defaults_from(output, source, interpreter, answer);
          std::error_code error;
          std::filesystem::remove_all(folder, error);
          return defaults;
        });
      })
      .then([this, key](ScriptDefaults&& defaults) {
        // The same bytes would give the same answer again, and endless ones would keep every run waiting.
        if (known_.size() >= kMostKnown) known_.clear();
        if (!defaults.passing) known_.insert_or_assign(key, defaults);
        return kj::mv(defaults);
      });
}

}  // namespace daemons
