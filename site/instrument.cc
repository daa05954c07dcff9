#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <regex>
#include <set>

#include "base/text.h"
#include "site/table.h"

namespace site {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view kReduction = "reduction";  // what every run gets by itself

/// What is wrong with the fields of a pattern; empty when each is one of `fields` and each of `needed` is there.
std::string pattern_problem(const std::string& pattern, const Texts& fields, const Texts& needed) {
  for (size_t open = pattern.find('{'); open != std::string::npos; open = pattern.find('{', open + 1)) {
    const size_t close = pattern.find('}', open);
    const std::string field = pattern.substr(open + 1, close == std::string::npos ? std::string::npos : close - open - 1);
    if (std::find(fields.begin(), fields.end(), field) == fields.end()) {
      return fmt::format("a path with {{{}}} (it has {{{}}})", fmt::join(fields, "}, {"), field);
    }
  }
  for (const std::string& field : needed) {
    if (pattern.find("{" + field + "}") == std::string::npos) return fmt::format("a path that holds {{{}}}, since no {} overwrites another", field, field);
  }
  return {};
}

/// A program: a path, or a name that is looked for.
std::string interpreter(const Table& table, const std::string& text) { return text.find('/') == std::string::npos ? text : table.absolute(text); }

bool is_regular_expression(const std::string& text, std::optional<size_t> groups = std::nullopt) {
  try {
    const std::regex expression(text);
    return !groups || expression.mark_count() == *groups;
  } catch (const std::regex_error&) {
    return false;
  }
}

/// Whether `path` is `folder` or lies in it; up to the first field of a pattern.
bool lies_in(const std::string& path, const std::string& folder) {
  const std::filesystem::path inner(path), outer(folder);
  const auto [end, at] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return end == outer.end() || (std::next(end) == outer.end() && end->empty());
}

void read_interpreters(const toml::table& source, Table& table, Instrument& instrument) {
  instrument.conda_python = table.file("conda_python");
  if (!instrument.conda_python.empty() && instrument.conda_python.find("{env}") == std::string::npos) {
    table.fail(source.get("conda_python"), "conda_python", "a path that holds {env}, where the environment's name goes");
  }
  const toml::table* named = table.table("interpreters");
  if (!named) return;
  for (const auto& [key, node] : *named) {
    const std::string name(key.str());
    const auto path = node.value_exact<std::string>();
    if (!std::regex_match(name, std::regex("[A-Za-z0-9._-]{1,64}")) || name == "instrument" || !path || path->empty()) {
      table.fail(&node, fmt::format("interpreters.{}", name), "NAME = \"PATH\", with a name of letters, digits and ._- that is not \"instrument\"");
    } else {
      instrument.interpreters.emplace(name, interpreter(table, *path));
    }
  }
}

void read_stderr_rule(const toml::table& source, Table& table, Instrument& instrument) {
  instrument.stderr_fails = table.yes("stderr_fails", false);
  instrument.stderr_allowed = table.texts("stderr_allowed", Texts());
  if (!std::all_of(instrument.stderr_allowed.begin(), instrument.stderr_allowed.end(), [](const std::string& text) { return is_regular_expression(text); })) {
    table.fail(source.get("stderr_allowed"), "stderr_allowed", "a list of regular expressions, such as [\"^WARNING\"]");
  } else if (!instrument.stderr_allowed.empty() && !instrument.stderr_fails) {
    table.fail(source.get("stderr_allowed"), "stderr_allowed", "left out where stderr_fails is not true");
  }
}

void read_support_urls(const toml::table& source, Table& table, Instrument& instrument) {
  instrument.support_urls = table.texts("support_urls", Texts());
  static const std::regex kUrl("https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?/[^ ?#\\\\]*");
  for (const std::string& url : instrument.support_urls) {
    if (!std::regex_match(url, kUrl)) {
      table.fail(source.get("support_urls"), "support_urls", fmt::format("a list of what urls may begin with, \"https://HOST/\" or more (it has \"{}\")", url));
    }
  }
}

Status read_stage(const toml::table& source, const std::filesystem::path& folder, const Instrument& instrument, Stage& stage) {
  const std::string shown = source["name"].value_or(std::string());
  Table table(source, fmt::format("[[instrument.stage]] {} {}", instrument.name, shown), folder);
  stage.name = table.text("name", std::nullopt);
  if (!std::regex_match(stage.name, std::regex("[a-z][a-z0-9_]{0,63}")) || stage.name == kReduction) {
    table.fail(source.get("name"), "name", "1 to 64 of a-z, 0-9 and _, beginning with a letter, and not \"reduction\", which is what every run gets by itself");
  }
  stage.over = table.one_of("over", "run", {"run", "experiment", "runs"});
  const toml::array* after = source["after"].as_array();
  stage.after = after && after->empty() ? table.no_texts("after") : table.texts("after", Texts{std::string(kReduction)});
  if (stage.after.empty() && stage.over != "runs") table.fail(source.get("after"), "after", "a list of stages, unless over is \"runs\": others come after \"reduction\" or another stage");
  if (std::set<std::string>(stage.after.begin(), stage.after.end()).size() != stage.after.size()) table.fail(source.get("after"), "after", "a list that names each stage once");
  stage.script_path = table.absolute(table.text("script", std::nullopt));
  stage.contract = table.one_of("contract", instrument.contract, {"isis", "sns", "fia"});
  stage.interpreter = table.text("python", "");
  if (!stage.interpreter.empty() && !instrument.interpreters.contains(stage.interpreter)) {
    table.fail(source.get("python"), "python", fmt::format("the name of one of the instrument's interpreters (it has \"{}\")", stage.interpreter));
  }
  stage.input_patterns = table.texts("inputs", Texts());
  std::string pattern = instrument.output_pattern;
  if (const std::string given = table.text("output", ""); !given.empty()) {
    pattern = table.absolute(given);
  } else {
    pattern.replace(pattern.find("{run}"), 5, "{run}/{stage}");
  }
  const std::string problem = pattern_problem(pattern, {"instrument", "experiment", "run", "stage", "version"}, {"version", stage.over == "experiment" ? "experiment" : "run"});
  if (!problem.empty()) table.fail(source.get("output") ? source.get("output") : &source, "output", problem);
  stage.output_pattern = pattern;
  stage.time_limit_ms = table.duration_ms("time_limit", instrument.time_limit_ms);
  stage.memory_limit_bytes = table.size_bytes("memory_limit", instrument.memory_limit_bytes);
  return table.finish();
}

/// Puts each stage behind those it takes.
Status put_in_order(const toml::table& source, const std::filesystem::path& folder, Instrument& instrument) {
  Table table(source, "[[instrument]] " + instrument.name, folder);
  std::vector<Stage> waiting = std::move(instrument.stages), ordered;
  std::set<std::string> names = {std::string(kReduction)}, done = names;
  for (const Stage& stage : waiting) {
    if (!names.insert(stage.name).second) table.fail(&source, "stage", fmt::format("given a table once for each name ({} stands twice)", stage.name));
  }
  for (const Stage& stage : waiting) {
    for (const std::string& before : stage.after) {
      if (!names.contains(before)) table.fail(&source, "stage", fmt::format("after stages that have a table ({} comes after {}, which has none)", stage.name, before));
    }
  }
  const auto is_ready = [&done](const Stage& stage) { return std::all_of(stage.after.begin(), stage.after.end(), [&](const std::string& before) { return done.contains(before); }); };
  for (auto next = waiting.begin(); (next = std::find_if(waiting.begin(), waiting.end(), is_ready)) != waiting.end();) {
    done.insert(next->name);
    ordered.push_back(std::move(*next));
    waiting.erase(next);
  }
  if (!waiting.empty()) {
    Texts circle;
    for (const Stage& stage : waiting) circle.push_back(stage.name);
    table.fail(&source, "stage", fmt::format("without a circle ({} would come after themselves)", fmt::join(circle, ", ")));
  }
  instrument.stages = std::move(ordered);
  return table.first_problem();
}

Status read_instrument(const toml::table& source, size_t position, const std::filesystem::path& folder, Instrument& instrument) {
  const std::string shown = source["name"].value_or(fmt::format("number {}", position + 1));
  Table table(source, "[[instrument]] " + shown, folder);
  instrument.name = base::ascii_upper(table.text("name", std::nullopt));
  if (!std::regex_match(instrument.name, std::regex("[A-Z0-9_-]{1,32}"))) {
    table.fail(source.get("name"), "name", "1 to 32 letters, digits, _ or -");
  }
  instrument.contract = table.one_of("contract", std::nullopt, {"isis", "sns", "fia"});
  for (const std::string& path : table.texts("raw", std::nullopt)) instrument.raw_folders.push_back(table.absolute(path));
  instrument.file_patterns = table.texts("files", instrument.contract == "sns" ? Texts{"*.nxs.h5", "*.nxs"} : Texts{"*.nxs", "*.raw"});
  instrument.detect = table.one_of("detect", "directory", {"directory", "lastrun"});
  instrument.script_path = table.file("script");
  const std::string output = table.text("output", "output/{instrument}/{experiment}/{run}/run-version-{version}");
  if (const std::string problem = pattern_problem(output, {"instrument", "experiment", "run", "version"}, {"version", "run"}); !problem.empty()) {
    table.fail(source.get("output"), "output", problem);
  }
  instrument.output_pattern = table.absolute(output);
  instrument.interpreter = interpreter(table, table.text("python", "/usr/bin/python3"));
  read_interpreters(source, table, instrument);
  instrument.time_limit_ms = table.duration_ms("time_limit", 60 * 60'000);
  instrument.memory_limit_bytes = table.size_bytes("memory_limit", 0);
  instrument.run_number_pattern = table.text("run_number", "");
  if (!instrument.run_number_pattern.empty() && !is_regular_expression(instrument.run_number_pattern, 1)) {
    table.fail(source.get("run_number"), "run_number", "a regular expression with one group round the digits, such as \"^MAR0*([0-9]+)\"");
  }
  read_stderr_rule(source, table, instrument);
  read_support_urls(source, table, instrument);
  instrument.flat_folder = table.file("flat");
  if (const std::string problem = pattern_problem(instrument.flat_folder, {"instrument", "experiment"}, {}); !problem.empty()) {
    table.fail(source.get("flat"), "flat", problem);
  }
  const auto stages = table.tables("stage");
  if (Status status = table.finish(); !status.is_ok()) return status;
  for (const toml::table* stage : stages) {
    if (Status status = read_stage(*stage, folder, instrument, instrument.stages.emplace_back()); !status.is_ok()) return status;
  }
  return put_in_order(source, folder, instrument);
}

/// What is written must not be found as raw files again.
Status check_feeds_nothing(const Site& site, const std::string& what, std::string pattern, const std::string& instrument) {
  for (size_t at = pattern.find("{instrument}"); at != std::string::npos; at = pattern.find("{instrument}")) pattern.replace(at, 12, instrument);
  for (const Instrument& watched : site.instruments) {
    for (const std::string& folder : watched.raw_folders) {
      if (!lies_in(pattern, folder)) continue;
      return Status(Code::kInvalidArgument, fmt::format("{} lies in {}, where raw files of {} are looked for: what is written there would be taken for runs", what, folder, watched.name));
    }
  }
  return {};
}

}  // namespace

Status read_instruments(const toml::array& source, const std::filesystem::path& folder, Site& site) {
  for (size_t i = 0; i < source.size(); ++i) {
    Instrument instrument;
    if (Status status = read_instrument(*source[i].as_table(), i, folder, instrument); !status.is_ok()) return status;
    for (const Instrument& other : site.instruments) {
      if (other.name == instrument.name) {
        return Status(Code::kInvalidArgument, fmt::format("[[instrument]] {} stands twice; give each instrument one table", other.name));
      }
    }
    site.instruments.push_back(std::move(instrument));
  }
  for (const Instrument& instrument : site.instruments) {
    const std::string& name = instrument.name;
    if (!instrument.flat_folder.empty()) {
      if (Status status = check_feeds_nothing(site, fmt::format("[[instrument]] {}: flat", name), instrument.flat_folder, name); !status.is_ok()) return status;
    }
    for (const Stage& stage : instrument.stages) {
      if (Status status = check_feeds_nothing(site, fmt::format("[[instrument.stage]] {} {}: output", name, stage.name), stage.output_pattern, name); !status.is_ok()) return status;
    }
  }
  return check_feeds_nothing(site, "[trials]: folder", site.trials.folder, "");
}

}  // namespace site
