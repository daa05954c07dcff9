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

std::string read_answer(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kLargestAnswerBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

/// What the child's end and its answer file come to. Blocking.
ScriptDefaults defaults_from(const base::Result<ProgramOutput>& output, const std::string& interpreter, const std::filesystem::path& answer) {
  if (!output.is_ok()) return {"", output.status().message(), true};
  if (output->timed_out) return {"", "reduce_vars.py did not come to an end within 30 s"};
  if (!output->exit.clean()) {
    bool killed = !output->exit.exited();  // for want of memory, perhaps
    return {"", fmt::format("reading reduce_vars.py with {} {}: {}", interpreter, output->exit.text(), output->text), killed};
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
                       variable["name"].get<std::string>(), variable.contains("value") ? variable["value"].dump() : "null", variable["help"].get<std::string>()});
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

kj::Promise<ScriptDefaults> ScriptDefaultsReader::read(std::string interpreter, std::filesystem::path script_path, CapturedFile variables,
                                                       bool again) {
  std::string key = base::hex(variables.sha256) + interpreter;
  if (auto found = known_.find(key); found != known_.end() && (!again || found->second.problem.empty())) return ScriptDefaults(found->second);
  std::filesystem::path stem = scratch_ / fmt::format("script-variables-{}-{}", getpid(), next_file_++);
  std::filesystem::path source = stem.string() + ".py", answer = stem.string() + ".json";
  ProcessRequest request;
  request.program = interpreter;
  request.arguments = {run_script_.string(), "--defaults", source.string(), "--script", script_path.parent_path().string(), answer.string()};
  request.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "HOME=" + scratch_.string()};
  request.error = ProcessRequest::Stream::kOutput;
  return loop_.on_pool([source, bytes = std::move(variables.bytes), folder = scratch_] {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        std::ofstream out(source, std::ios::binary);
        out << bytes;
        out.close();
        return !out.fail();
      })
      .then([this, source, request = std::move(request)](bool written) -> kj::Promise<base::Result<ProgramOutput>> {
        if (!written) {
          return base::Result<ProgramOutput>(
              base::Status(base::Code::kUnavailable, source.string() + ": cannot be written; is the scratch folder's disk full?"));
        }
        return run_program(launcher_, loop_.timer(), request);
      })
      .then([this, source, answer, interpreter](base::Result<ProgramOutput>&& output) {
        return loop_.on_pool([output = std::move(output), source, answer, interpreter] {
          ScriptDefaults defaults = defaults_from(output, interpreter, answer);
          std::error_code error;
          std::filesystem::remove(source, error);
          std::filesystem::remove(answer, error);
          return defaults;
        });
      })
      .then([this, key](ScriptDefaults&& defaults) {
        // The same bytes would give the same answer again, and endless ones would keep every run waiting.
        if (!defaults.passing) known_.insert_or_assign(key, defaults);
        return kj::mv(defaults);
      });
}

}  // namespace daemons
