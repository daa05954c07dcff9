#include "tools/campaign_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "tools/json_output.h"
#include "tools/table.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

Json text(capnp::Text::Reader value) { return base::to_utf8(text_of(value)); }
Json text_or_null(capnp::Text::Reader value) { return tools::text_or_null(text_of(value)); }

void add_reason(Json& json, schema::Decision::Reader reason) {
  json["reason"] = text_or_null(reason.getText());
  json["reason_code"] = text_or_null(reason.getCode());
  json["reason_event"] = reason.getEvent() == 0 ? Json() : Json(reason.getEvent());
}

uint64_t open_runs(schema::CampaignCounts::Reader counts) { return uint64_t{counts.getNotQueued()} + counts.getWaiting() + counts.getRunning(); }

/// "1190 succeeded, 14 failed": those that are not 0.
std::string counts_text(std::initializer_list<std::pair<uint64_t, const char*>> counts) {
  std::string text;
  for (const auto& [count, word] : counts) {
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, word);
  }
  return text;
}

std::string script_text(schema::CampaignStarted::Reader started) {
  if (started.getKind() == schema::CampaignStarted::Kind::REPLAY) return "each its own; of runs without a version the instrument's present one";
  std::string text = started.getScript() == schema::ReductionRequested::ScriptChoice::CURRENT ? "the instrument's present one" : "each its own";
  if (started.getInterpreter().size() > 0) text += fmt::format(", interpreter {}", text_of(started.getInterpreter()));
  return text;
}

std::string values_text(schema::CampaignStarted::Reader started) {
  std::string text;
  for (auto variable : started.getVariables()) text += fmt::format("{} = {}\n", text_of(variable.getName()), text_of(variable.getValue()));
  return text + (started.getFreshVariables() ? "the others as they are set when it is queued" : "the others as in the version before");
}

}  // namespace

uint64_t done_runs(schema::CampaignRow::Reader campaign) {
  const auto counts = campaign.getCounts();
  return uint64_t{counts.getSucceeded()} + counts.getFailed() + counts.getSkipped() + counts.getCancelled() + counts.getPassed();
}

bool is_over(schema::CampaignRow::Reader campaign) {
  return campaign.getFinishedAt() != 0 || campaign.getState() == schema::CampaignRow::State::FINISHED;
}

std::optional<int64_t> left_ns(schema::CampaignRow::Reader campaign) {
  const auto counts = campaign.getCounts();
  const uint64_t worked = uint64_t{counts.getSucceeded()} + counts.getFailed() + counts.getSkipped();
  const uint64_t runs = campaign.getStarted().getRuns();
  uint64_t each_ms = 0;
  if (worked > 0) {
    each_ms = campaign.getWorkedMs() / worked;
  } else if (runs > 0) {
    each_ms = campaign.getStarted().getEstimateMs() / runs;
  }
  const uint64_t open = campaign.getState() == schema::CampaignRow::State::STOPPED ? uint64_t{counts.getWaiting()} + counts.getRunning() : open_runs(counts);
  if (each_ms == 0 || counts.getRunning() == 0 || is_over(campaign)) return std::nullopt;
  return static_cast<int64_t>(each_ms * open / counts.getRunning()) * kNsPerMs;
}

std::string progress_text(schema::CampaignRow::Reader campaign) {
  const auto counts = campaign.getCounts();
  std::string text = fmt::format("{} of {} done", done_runs(campaign), campaign.getStarted().getRuns());
  const std::string ended = counts_text({{counts.getSucceeded(), "succeeded"},
                                         {counts.getFailed(), "failed"},
                                         {counts.getSkipped(), "skipped"},
                                         {counts.getCancelled(), "cancelled"},
                                         {counts.getPassed(), "passed over"}});
  if (!ended.empty()) text += ": " + ended;
  const std::string open = counts_text({{counts.getNotQueued(), "not queued yet"}, {counts.getWaiting(), "waiting"}, {counts.getRunning(), "running"}});
  if (!open.empty()) text += "; " + open;
  if (const auto left = left_ns(campaign)) text += fmt::format("; about {} left", human_duration(*left));
  return text;
}

std::string instruments_text(schema::CampaignRow::Reader campaign) {
  std::string text;
  for (auto instrument : campaign.getStarted().getInstruments()) text += fmt::format("{}{}", text.empty() ? "" : ", ", text_of(instrument));
  return text;
}

std::vector<std::pair<std::string, std::string>> campaign_lines(schema::CampaignRow::Reader campaign) {
  const auto started = campaign.getStarted();
  Labelled lines = {{"campaign", fmt::format("{}, {}", campaign.getCampaign(), enum_word(started.getKind()))},
                    {"purpose", std::string(text_of(started.getPurpose()))},
                    {"owner", std::string(text_of(campaign.getOwner().getName()))},
                    {"state", enum_word(campaign.getState())},
                    {"because", decision_text(campaign.getReason())},
                    {"runs", fmt::format("{}: {}", started.getRuns(), text_of(started.getSelection()))},
                    {"instruments", or_dash(instruments_text(campaign))},
                    {"script", script_text(started)}};
  if (started.getKind() != schema::CampaignStarted::Kind::REPLAY) lines.emplace_back("variables", values_text(started));
  lines.emplace_back("started", human_time(campaign.getStartedAt()));
  if (is_over(campaign)) lines.emplace_back("finished", human_time(campaign.getFinishedAt()));
  lines.emplace_back("progress", progress_text(campaign));
  lines.emplace_back("worked", fmt::format("{}; estimated when it was started: {}", human_duration(static_cast<int64_t>(campaign.getWorkedMs()) * kNsPerMs),
                                           started.getEstimateMs() == 0 ? "unknown" : human_duration(static_cast<int64_t>(started.getEstimateMs()) * kNsPerMs)));
  return lines;
}

Json campaign_json(schema::CampaignRow::Reader campaign) {
  const auto started = campaign.getStarted();
  const auto counts = campaign.getCounts();
  const auto left = left_ns(campaign);
  Json json = {{"campaign", campaign.getCampaign()},
               {"purpose", text(started.getPurpose())},
               {"kind", enum_word(started.getKind())},
               {"state", enum_word(campaign.getState())},
               {"owner", text_or_null(campaign.getOwner().getName())},
               {"selection", text_or_null(started.getSelection())},
               {"runs", started.getRuns()}};
  json["instruments"] = Json::array();
  for (auto instrument : started.getInstruments()) json["instruments"].push_back(text(instrument));
  json["script"] = enum_word(started.getScript());
  json["variables"] = Json::array();
  for (auto variable : started.getVariables()) {
    json["variables"].push_back({{"name", text(variable.getName())}, {"group", enum_word(variable.getGroup())}, {"value", json_value(text_of(variable.getValue()))}});
  }
  json["fresh_variables"] = started.getFreshVariables();
  json["interpreter"] = text_or_null(started.getInterpreter());
  json["started_at"] = time_or_null(campaign.getStartedAt());
  json["finished_at"] = time_or_null(campaign.getFinishedAt());
  add_reason(json, campaign.getReason());
  json["counts"] = {{"not_queued", counts.getNotQueued()}, {"waiting", counts.getWaiting()}, {"running", counts.getRunning()},
                    {"succeeded", counts.getSucceeded()},  {"failed", counts.getFailed()},   {"skipped", counts.getSkipped()},
                    {"cancelled", counts.getCancelled()},  {"passed", counts.getPassed()}};
  json["estimate_ms"] = started.getEstimateMs() == 0 ? Json() : Json(started.getEstimateMs());
  json["worked_ms"] = campaign.getWorkedMs();
  json["left_ms"] = left ? Json(*left / kNsPerMs) : Json();
  return json;
}

Json campaign_run_json(schema::CampaignRunRow::Reader run) {
  const bool passed = run.getJob() == 0;
  Json json = {{"instrument", text(run.getRun().getInstrument())},
               {"run_number", run.getRun().getRunNumber()},
               {"version", passed ? Json() : Json(run.getVersion())},
               {"job", passed ? Json() : Json(run.getJob())},
               {"state", enum_word(run.getState())}};
  add_reason(json, run.getReason());
  return json;
}

Json compared_json(schema::ComparedRun::Reader run) {
  Json json = {{"instrument", text(run.getRun().getInstrument())},
               {"run_number", run.getRun().getRunNumber()},
               {"before", run.getBefore() == 0 ? Json() : Json(run.getBefore())},
               {"after", run.getAfter() == 0 ? Json() : Json(run.getAfter())},
               {"outcome", enum_word(run.getOutcome())},
               {"equal", run.getEqual()},
               {"changed", run.getChanged()},
               {"added", run.getAdded()},
               {"missing", run.getMissing()},
               {"bytes_before", run.getBytesBefore()},
               {"bytes_after", run.getBytesAfter()}};
  json["paths"] = Json::array();
  for (auto path : run.getPaths()) json["paths"].push_back(text(path));
  return json;
}

Json estimate_json(schema::CampaignEstimate::Reader estimate) {
  Json json = {{"run_count", estimate.getRunCount()}, {"passed_count", estimate.getPassedCount()}, {"considered", estimate.getConsidered()},
               {"estimate_ms", estimate.getEstimateMs()}, {"unknown_durations", estimate.getUnknownDurations()}, {"workers", estimate.getWorkers()}};
  json["runs"] = Json::array();
  for (auto run : estimate.getRuns()) {
    json["runs"].push_back({{"instrument", text(run.getRun().getInstrument())},
                            {"run_number", run.getRun().getRunNumber()},
                            {"version", run.getBasis() == 0 ? Json() : Json(run.getBasis())},
                            {"last_ms", run.getLastMs() == 0 ? Json() : Json(run.getLastMs())}});
  }
  json["passed"] = Json::array();
  for (auto run : estimate.getPassed()) {
    json["passed"].push_back({{"instrument", text(run.getRun().getInstrument())},
                              {"run_number", run.getRun().getRunNumber()},
                              {"reason", text_or_null(run.getReason().getText())},
                              {"reason_code", text_or_null(run.getReason().getCode())}});
  }
  json["problems"] = Json::array();
  for (auto problem : estimate.getProblems()) json["problems"].push_back(text(problem));
  return json;
}

void Comparison::add(schema::ComparedRun::Outcome outcome) {
  using Outcome = schema::ComparedRun::Outcome;
  switch (outcome) {
    case Outcome::SAME: ++same_; break;
    case Outcome::DIFFERS: ++differs_; break;
    case Outcome::ONLY_AFTER: ++only_after_; break;
    case Outcome::FAILED: ++failed_; break;
    case Outcome::UNFINISHED: ++unfinished_; break;
  }
}

std::string Comparison::text() const {
  const std::string text = counts_text({{same_, "the same"}, {differs_, differs_ == 1 ? "differs" : "differ"}, {failed_, "failed"},
                                        {only_after_, "had no result before"}, {unfinished_, "not finished yet"}});
  return text.empty() ? "no run yet" : text;
}

Json Comparison::json() const {
  return {{"same", same_}, {"differs", differs_}, {"only_after", only_after_}, {"failed", failed_}, {"unfinished", unfinished_}};
}

}  // namespace tools
