#include <fmt/format.h>

#include <memory>

#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/version_text.h"

namespace tools {
namespace {

/// What else the run is part of, oldest first.
struct OtherJobs {
  Json stages = Json::array(), trials = Json::array();
  Labelled lines;
};

base::Result<OtherJobs> other_jobs(Client& client, schema::RunRow::Reader run) {
  OtherJobs others;
  std::string stages, trials;
  for (const uint64_t number : run.getOtherJobs()) {
    base::Result<ShownJob> shown = show_job(client, number);
    if (!shown.is_ok() && shown.status().code() == base::Code::kNotFound) continue;  // of other runs too, which the caller may not see
    if (!shown.is_ok()) return shown.status();
    const auto job = shown->getJob();
    const bool is_trial = job.getQueued().getKind() == schema::JobKind::TRIAL;
    (is_trial ? others.trials : others.stages).push_back(other_job_json(job));
    std::string& text = is_trial ? trials : stages;
    text += (text.empty() ? "" : "\n") + other_job_text(job);
  }
  if (!stages.empty()) others.lines.emplace_back("stages", stages);
  if (!trials.empty()) others.lines.emplace_back("trials", trials);
  return others;
}

base::Result<int> show(Context& context, const std::vector<std::string>& words) {
  base::Result<RunName> name = context.run(words);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<ShownRun> shown = show_run(client, *name);
  if (!shown.is_ok()) return shown.status();

  Json json = run_json(shown->getRun());
  json["run"] = metadata_json(shown->getRun().getMetadata());
  json["versions"] = Json::array();
  std::string text = labelled(run_lines(shown->getRun()));
  for (auto job : shown->getVersions()) {
    uint16_t version = job.getQueued().getVersion();
    if (name->version != 0 && version != name->version) continue;
    base::Result<VersionDetail> detail = version_detail(client, job, shown->getVersions());
    if (!detail.is_ok()) return detail.status();
    for (const std::string& reason : detail->missing) context.say(fmt::format("version {}: {}", version, reason));
    json["versions"].push_back(version_json(*detail));
    text += fmt::format("\nversion {}\n{}", version, labelled(version_lines(*detail), 2));
    std::string variables = variable_table_text(detail->variables.get(), context.terminal);
    if (!variables.empty()) text += "\n" + variables;
  }
  base::Result<OtherJobs> others = other_jobs(client, shown->getRun());
  if (!others.is_ok()) return others.status();
  json["stages"] = others->stages;
  json["trials"] = others->trials;
  if (name->version == 0 && !others->lines.empty()) text += "\n" + labelled(others->lines);
  if (context.options.json) {
    context.print(json);
  } else {
    context.out << text;
  }
  return kDone;
}

}  // namespace

void add_show(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("show", "One run with its versions, or one version of it");
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("run", *words, "Run or version")->type_name("RUN")->required();
  command->footer("Example: runledger show MARI 28001");
  command->callback([&context, words] { context.finish(show(context, *words)); });
}

}  // namespace tools
