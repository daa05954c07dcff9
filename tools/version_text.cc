#include "tools/version_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "tools/table.h"
#include "tools/words.h"

namespace tools {
namespace {

template <typename Field>
std::string field_text(Field field) {
  if (!field.getKnown()) return field.getRaw().size() == 0 ? "unknown" : fmt::format("unknown (file says '{}')", text_of(field.getRaw()));
  if constexpr (std::is_same_v<Field, schema::TextField::Reader>) {
    return std::string(text_of(field.getValue()));
  } else if constexpr (std::is_same_v<Field, schema::TimeField::Reader>) {
    return base::iso_time(field.getValue(), field.getZoned());
  } else if constexpr (std::is_same_v<Field, schema::RealField::Reader>) {
    return fmt::format("{} {}", field.getValue(), text_of(field.getUnit()));
  } else {
    return std::to_string(field.getValue());
  }
}

std::string lines(capnp::List<capnp::Text>::Reader texts, std::string_view separator) {
  std::string text;
  for (auto item : texts) text += fmt::format("{}{}", text.empty() ? "" : separator, text_of(item));
  return text;
}

std::string state_text(const VersionDetail& detail) {
  std::string text = enum_word(detail.job.getState());
  if (wrote_nothing(detail.job)) text += ", but wrote nothing";
  if (detail.superseded_by != 0) text += fmt::format("; superseded by v{}", detail.superseded_by);
  return text;
}

std::string support_files_text(capnp::List<schema::SupportFile>::Reader files) {
  std::string text;
  for (auto file : files) {
    text += fmt::format("{}{} = {} ({}{})\nsha256 {}", text.empty() ? "" : "\n", text_of(file.getName()), text_of(file.getPath()), human_size(file.getSizeBytes()),
                        file.getKept() ? "" : ", not kept here", base::hex(bytes_of(file.getSha256())));
  }
  return text;
}

std::string outside_text(capnp::List<schema::OutsideFile>::Reader files) {
  std::string text;
  for (auto file : files) {
    text += fmt::format("{}{} {}", text.empty() ? "" : "\n", enum_word(file.getWhat()), text_of(file.getPath()));
    if (file.getWhat() != schema::OutsideFile::What::REMOVED) text += fmt::format(" ({})", human_size(file.getSizeBytes()));
  }
  return text;
}

}  // namespace

std::string decision_text(schema::Decision::Reader decision) {
  if (decision.getText().size() == 0 && decision.getCode().size() == 0) return "-";
  return fmt::format("{} [{}, event {}]", text_of(decision.getText()), text_of(decision.getCode()), decision.getEvent());
}

std::string files_text(capnp::List<schema::RawFile>::Reader files) {
  std::string text;
  for (auto file : files) {
    text += fmt::format("{}{} ({})\nsha256 {}", text.empty() ? "" : "\n", text_of(file.getPath()), human_size(file.getSizeBytes()),
                        file.getSha256().size() == 0 ? "unknown" : base::hex(bytes_of(file.getSha256())));
  }
  return or_dash(text);
}

std::string attempt_text(schema::AttemptRow::Reader attempt) {
  std::string text = fmt::format("{} {} on {}, started {}", attempt.getNumber(), enum_word(attempt.getOutcome()), text_of(attempt.getWorker()),
                                 human_time(attempt.getStartedAt()));
  if (attempt.getFinishedAt() != 0) text += fmt::format(", took {}", human_duration(attempt.getFinishedAt() - attempt.getStartedAt()));
  if (attempt.getKind() != schema::FailureKind::UNSET) text += fmt::format(", {}", enum_word(attempt.getKind()));
  if (attempt.getMessage().size() > 0) text += fmt::format(": {}", text_of(attempt.getMessage()));
  return text;
}

Labelled run_lines(schema::RunRow::Reader run) {
  schema::RunMetadata::Reader metadata = run.getMetadata();
  Labelled text = {{"run", run_text(text_of(run.getRun().getInstrument()), run.getRun().getRunNumber())},
                   {"title", run.getTitle().size() == 0 ? field_text(metadata.getTitle()) : std::string(text_of(run.getTitle()))},
                   {"experiment", run.getExperiment().size() == 0 ? field_text(metadata.getExperiment()) : std::string(text_of(run.getExperiment()))},
                   {"state", run.getVersion() == 0 ? enum_word(run.getState()) : fmt::format("{} (v{})", enum_word(run.getState()), run.getVersion())},
                   {"because", decision_text(run.getReason())},
                   {"measured", fmt::format("{} to {}", field_text(metadata.getStartTime()), field_text(metadata.getEndTime()))},
                   {"proton charge", field_text(metadata.getProtonCharge())},
                   {"counts", field_text(metadata.getTotalCounts())},
                   {"users", metadata.getUsers().size() == 0 ? "unknown" : lines(metadata.getUsers(), ", ")},
                   {"detected", human_time(run.getDetectedAt())},
                   {"raw files", files_text(run.getRawFiles())}};
  if (run.getProblems().size() > 0) text.emplace_back("problems", lines(run.getProblems(), "\n"));
  return text;
}

Labelled version_lines(const VersionDetail& detail) {
  schema::JobRow::Reader job = detail.job;
  schema::JobQueued::Reader queued = job.getQueued();
  std::string attempts, outputs;
  for (auto attempt : job.getAttempts()) attempts += (attempts.empty() ? "" : "\n") + attempt_text(attempt);
  for (auto file : detail.outputs.get().getFiles()) {
    outputs += fmt::format("{}{} ({}{})", outputs.empty() ? "" : "\n", text_of(file.getPath()), human_size(file.getSizeBytes()),
                           file.getDeclared() ? ", named by the script" : "");
  }
  Labelled text = {{"state", state_text(detail)},
                   {"because", decision_text(job.getReason())},
                   {"job", std::to_string(job.getJob())},
                   {"requested by", std::string(text_of(job.getRequestedBy().getName()))},
                   {"queued", fmt::format("{}, {}", human_time(job.getQueuedAt()), text_of(queued.getReason().getText()))}};
  if (queued.getCampaign() != 0) text.emplace_back("campaign", std::to_string(queued.getCampaign()));
  text.emplace_back("script", fmt::format("{}\nsha256 {}", text_of(queued.getScriptPath()), base::hex(bytes_of(queued.getScriptSha256()))));
  if (queued.getSupportFiles().size() > 0) text.emplace_back("support files", support_files_text(queued.getSupportFiles()));
  text.emplace_back("attempts", attempts.empty() ? "none yet" : attempts);
  text.emplace_back("output in", or_dash(detail.output_directory));
  text.emplace_back("outputs", outputs.empty() ? "none" : outputs);
  std::string images;
  for (const std::string& plot : plots(detail)) images += (images.empty() ? "" : "\n") + plot;
  if (!images.empty()) text.emplace_back("plots", images);
  const auto manifest = detail.outputs.get();
  if (manifest.getOutside().size() > 0) text.emplace_back("written outside", outside_text(manifest.getOutside()));
  if (manifest.getRemarks().size() > 0) text.emplace_back("remarks", lines(manifest.getRemarks(), "\n"));
  return text;
}

std::string other_job_text(schema::JobRow::Reader job) {
  std::string text = fmt::format("{} {}", job_name(job), enum_word(job.getState()));
  if (job.getQueued().getKind() != schema::JobKind::TRIAL) text += fmt::format(", job {}", job.getJob());
  if (job.getSupersededBy() != 0) text += fmt::format(", superseded by job {}", job.getSupersededBy());
  if (job.getState() == schema::RunState::SUCCEEDED) return text + fmt::format(", in {}", text_of(job.getQueued().getOutputDirectory()));
  return job.getReason().getText().size() == 0 ? text : fmt::format("{}: {}", text, text_of(job.getReason().getText()));
}

std::string setting_text(schema::Variable::Reader variable) {
  return variable.getFollowsScript() ? "follows the script" : std::string(text_of(variable.getValue()));
}

std::string variable_table_text(schema::VariableSet::Reader set, const Terminal& terminal) {
  Table table({{"VARIABLE"}, {"GROUP"}, {"VALUE", Table::Align::kLeft, true}, {"RULE"}, {"SET BY"}, {"SET AT"}});
  for (auto variable : set.getVariables()) {
    table.add({variable.getName().cStr(), enum_word(variable.getGroup()), or_dash(text_of(variable.getValue())), rule_word(variable.getRule()),
               or_dash(text_of(variable.getSetBy())), human_time(variable.getSetAt())});
  }
  return table.is_empty() ? "" : table.text(terminal);
}

}  // namespace tools
