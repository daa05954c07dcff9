#include "tools/json_output.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "tools/table.h"
#include "tools/words.h"

namespace tools {
namespace {

Json text(capnp::Text::Reader value) { return base::to_utf8(text_of(value)); }
Json text_or_null(capnp::Text::Reader value) { return tools::text_or_null(text_of(value)); }
Json hash_or_null(capnp::Data::Reader value) { return tools::hash_or_null(bytes_of(value)); }
Json number_or_null(uint64_t number) { return number == 0 ? Json() : Json(number); }

Json list(capnp::List<capnp::Text>::Reader texts) {
  Json array = Json::array();
  for (auto item : texts) array.push_back(text(item));
  return array;
}

Json value_json(capnp::Text::Reader value) { return json_value(text_of(value)); }

void add_reason(Json& json, schema::Decision::Reader reason) {
  json["reason"] = text_or_null(reason.getText());
  json["reason_code"] = text_or_null(reason.getCode());
  json["reason_event"] = number_or_null(reason.getEvent());
}

/// Known fields by value; what could not be understood is kept in `unread`.
template <typename Field>
Json field_json(Field field, const char* name, Json& unread) {
  if (!field.getKnown()) {
    if (field.getRaw().size() > 0) unread[name] = text(field.getRaw());
    return nullptr;
  }
  if constexpr (std::is_same_v<Field, schema::TextField::Reader>) {
    return text(field.getValue());
  } else if constexpr (std::is_same_v<Field, schema::TimeField::Reader>) {
    return exact_time(field.getValue(), field.getZoned());
  } else if constexpr (std::is_same_v<Field, schema::RealField::Reader>) {
    return std::isfinite(field.getValue()) ? Json(field.getValue()) : Json();
  } else {
    return field.getValue();
  }
}

Json siblings_json(capnp::List<schema::ScriptFile>::Reader siblings) {
  Json array = Json::array();
  for (auto file : siblings) array.push_back({{"name", text(file.getName())}, {"sha256", hash_or_null(file.getSha256())}});
  return array;
}

Json attempt_json(schema::AttemptRow::Reader attempt) {
  bool failed = attempt.getKind() != schema::FailureKind::UNSET;
  return {{"number", attempt.getNumber()},
          {"worker", text_or_null(attempt.getWorker())},
          {"started_at", time_or_null(attempt.getStartedAt())},
          {"finished_at", time_or_null(attempt.getFinishedAt())},
          {"outcome", enum_word(attempt.getOutcome())},
          {"message", text_or_null(attempt.getMessage())},
          {"kind", failed ? Json(enum_word(attempt.getKind())) : Json()},
          {"host", text_or_null(attempt.getHost())},
          {"exit_status", attempt.getFinishedAt() == 0 ? Json() : Json(attempt.getExitStatus())},
          {"fence", number_or_null(attempt.getFence())},
          {"output_files", attempt.getOutputs().getFiles()},
          {"output_bytes", attempt.getOutputs().getTotalBytes()},
          {"environment_sha256", hash_or_null(attempt.getEnvironment())},
          {"traceback_sha256", hash_or_null(attempt.getTraceback())},
          {"log_sha256", hash_or_null(attempt.getLog())}};
}

Json support_files_json(capnp::List<schema::SupportFile>::Reader files) {
  Json array = Json::array();
  for (auto file : files) {
    array.push_back({{"name", text(file.getName())},
                     {"group", enum_word(file.getGroup())},
                     {"path", text(file.getPath())},
                     {"sha256", hash_or_null(file.getSha256())},
                     {"size_bytes", file.getSizeBytes()},
                     {"kept", file.getKept()}});
  }
  return array;
}

Json outside_json(capnp::List<schema::OutsideFile>::Reader files) {
  Json array = Json::array();
  for (auto file : files) {
    array.push_back({{"path", text(file.getPath())}, {"what", enum_word(file.getWhat())}, {"size_bytes", file.getSizeBytes()}, {"sha256", hash_or_null(file.getSha256())}});
  }
  return array;
}

Json follow_json(schema::Status::Reader status) {
  if (!status.hasFollow()) return nullptr;
  const auto follow = status.getFollow();
  const uint64_t source_head = follow.getSourceHead();
  return {{"source", text_or_null(follow.getSource())},
          {"state", enum_word(follow.getState())},
          {"since", time_or_null(follow.getSince())},
          {"source_head", number_or_null(source_head)},
          {"behind", source_head == 0 ? Json() : Json(source_head - std::min(source_head, status.getHead()))},
          {"checkpoint_size", number_or_null(follow.getCheckpointSize())},
          {"checkpoint_at", time_or_null(follow.getCheckpointAt())},
          {"detail", text_or_null(follow.getDetail())}};
}

}  // namespace

Json text_or_null(std::string_view value) { return value.empty() ? Json() : Json(base::to_utf8(value)); }
Json json_value(std::string_view value) {
  Json parsed = Json::parse(value, nullptr, false);
  return parsed.is_discarded() ? Json(base::to_utf8(value)) : parsed;
}
Json setting_value(schema::Variable::Reader variable) { return variable.getFollowsScript() ? Json() : json_value(text_of(variable.getValue())); }
Json time_or_null(int64_t time_ns) { return time_ns == 0 ? Json() : Json(exact_time(time_ns)); }
Json hash_or_null(std::string_view sha256) { return sha256.empty() ? Json() : Json(base::hex(sha256)); }

Json raw_files_json(capnp::List<schema::RawFile>::Reader files) {
  Json array = Json::array();
  for (auto file : files) {
    array.push_back({{"path", text(file.getPath())}, {"size_bytes", file.getSizeBytes()}, {"sha256", hash_or_null(file.getSha256())}});
  }
  return array;
}

Json run_json(schema::RunRow::Reader run) {
  Json json = {{"instrument", text(run.getRun().getInstrument())},
               {"run_number", run.getRun().getRunNumber()},
               {"experiment", text_or_null(run.getExperiment())},
               {"title", text_or_null(run.getTitle())},
               {"state", enum_word(run.getState())},
               {"version", number_or_null(run.getVersion())},
               {"job", number_or_null(run.getJob())},
               {"detected_at", time_or_null(run.getDetectedAt())},
               {"started_at", time_or_null(run.getStartedAt())},
               {"finished_at", time_or_null(run.getFinishedAt())},
               {"raw_files", raw_files_json(run.getRawFiles())},
               {"problems", list(run.getProblems())}};
  add_reason(json, run.getReason());
  return json;
}

Json metadata_json(schema::RunMetadata::Reader metadata) {
  Json unread = Json::object();
  Json json = {{"start_time", field_json(metadata.getStartTime(), "start_time", unread)},
               {"end_time", field_json(metadata.getEndTime(), "end_time", unread)},
               {"proton_charge", field_json(metadata.getProtonCharge(), "proton_charge", unread)},
               {"proton_charge_unit", text_or_null(metadata.getProtonCharge().getUnit())},
               {"total_counts", field_json(metadata.getTotalCounts(), "total_counts", unread)},
               {"users", metadata.getUsers().size() == 0 ? Json() : list(metadata.getUsers())},
               {"run_number", field_json(metadata.getRunNumber(), "run_number", unread)},
               {"experiment", field_json(metadata.getExperiment(), "experiment", unread)},
               {"title", field_json(metadata.getTitle(), "title", unread)},
               {"instrument", field_json(metadata.getInstrument(), "instrument", unread)},
               {"raw_frames", field_json(metadata.getRawFrames(), "raw_frames", unread)},
               {"good_frames", field_json(metadata.getGoodFrames(), "good_frames", unread)},
               {"duration", field_json(metadata.getDuration(), "duration", unread)},
               {"duration_unit", text_or_null(metadata.getDuration().getUnit())},
               {"definition", field_json(metadata.getDefinition(), "definition", unread)},
               {"entry_path", text_or_null(metadata.getEntryPath())},
               {"entry_count", metadata.getEntryCount()}};
  json["raw_text"] = unread;
  return json;
}

Json variables_json(schema::VariableSet::Reader set) {
  Json array = Json::array();
  for (auto variable : set.getVariables()) {
    array.push_back({{"name", text(variable.getName())},
                     {"group", enum_word(variable.getGroup())},
                     {"value", variable.getValue().size() == 0 ? Json() : value_json(variable.getValue())},
                     {"needs_value", variable.getValue().size() == 0},
                     {"rule", rule_word(variable.getRule())},
                     {"set_by", text_or_null(variable.getSetBy())},
                     {"set_at", time_or_null(variable.getSetAt())},
                     {"set_event", number_or_null(variable.getSetSeq())},
                     {"help", text_or_null(variable.getHelp())}});
  }
  return array;
}

Json version_json(const VersionDetail& detail) {
  schema::JobRow::Reader job = detail.job;
  schema::JobQueued::Reader queued = job.getQueued();
  Json json = {{"version", number_or_null(queued.getVersion())}, {"job", job.getJob()}, {"state", enum_word(job.getState())}};
  add_reason(json, job.getReason());
  json["requested_by"] = text_or_null(job.getRequestedBy().getName());
  json["requested_by_right"] = text_or_null(job.getRequestedBy().getRight());
  json["queued_at"] = time_or_null(job.getQueuedAt());
  json["queued_because"] = text_or_null(queued.getReason().getText());
  json["started_at"] = time_or_null(job.getStartedAt());
  json["finished_at"] = time_or_null(job.getFinishedAt());
  json["script"] = {{"sha256", hash_or_null(queued.getScriptSha256())},
                    {"path", text_or_null(queued.getScriptPath())},
                    {"contract", enum_word(queued.getContract())},
                    {"siblings", siblings_json(queued.getSiblings())}};
  json["variables"] = variables_json(detail.variables.get());
  json["attempts"] = Json::array();
  Json log;
  for (auto attempt : job.getAttempts()) {
    json["attempts"].push_back(attempt_json(attempt));
    log = hash_or_null(attempt.getLog());
  }
  json["outputs"] = Json::array();
  for (auto file : detail.outputs.get().getFiles()) {
    std::string name = base::to_utf8(text_of(file.getPath()));
    json["outputs"].push_back({{"path", base::to_utf8(detail.output_directory) + "/" + name},
                               {"size_bytes", file.getSizeBytes()},
                               {"sha256", hash_or_null(file.getSha256())},
                               {"name", name},
                               {"declared", file.getDeclared()}});
  }
  json["log_sha256"] = log;
  json["inputs"] = raw_files_json(queued.getInputs());
  json["output_directory"] = tools::text_or_null(detail.output_directory);
  json["interpreter"] = text_or_null(queued.getInterpreter());
  json["experiment"] = text_or_null(queued.getExperiment());
  json["superseded_by"] = number_or_null(detail.superseded_by);
  json["campaign"] = number_or_null(queued.getCampaign());
  json["wrote_nothing"] = wrote_nothing(job);
  json["support_files"] = support_files_json(queued.getSupportFiles());
  json["outside"] = outside_json(detail.outputs.get().getOutside());
  json["remarks"] = list(detail.outputs.get().getRemarks());
  json["plots"] = Json::array();
  for (const std::string& plot : plots(detail)) json["plots"].push_back(base::to_utf8(detail.output_directory + "/" + plot));
  return json;
}

Json other_job_json(schema::JobRow::Reader job) {
  const auto queued = job.getQueued();
  Json json = {{"job", job.getJob()},
               {"stage", text_or_null(queued.getStage())},
               {"version", number_or_null(queued.getVersion())},
               {"state", enum_word(job.getState())}};
  json["runs"] = Json::array();
  for (auto run : queued.getRuns()) json["runs"].push_back(run.getRunNumber());
  add_reason(json, job.getReason());
  json["requested_by"] = text_or_null(job.getRequestedBy().getName());
  json["queued_at"] = time_or_null(job.getQueuedAt());
  json["finished_at"] = time_or_null(job.getFinishedAt());
  json["script"] = {{"sha256", hash_or_null(queued.getScriptSha256())}, {"path", text_or_null(queued.getScriptPath())}};
  json["output_directory"] = text_or_null(queued.getOutputDirectory());
  json["superseded_by_job"] = number_or_null(job.getSupersededBy());
  return json;
}

Json environment_json(schema::Environment::Reader environment) {
  return {{"host", text_or_null(environment.getHost())},
          {"kernel", text_or_null(environment.getKernel())},
          {"interpreter_path", text_or_null(environment.getInterpreterPath())},
          {"interpreter_version", text_or_null(environment.getInterpreterVersion())},
          {"runledger_version", text_or_null(environment.getRunledgerVersion())},
          {"variables", list(environment.getVariables())},
          {"working_directory", text_or_null(environment.getWorkingDirectory())}};
}

Json scope_json(schema::Scope::Reader scope) {
  Json json = {{"kind", "unknown"}, {"from_run", nullptr}, {"to_run", nullptr}, {"experiment", nullptr}};
  switch (scope.which()) {
    case schema::Scope::DEFAULT: json["kind"] = "default"; break;
    case schema::Scope::FROM_RUN:
      json["kind"] = "from_run";
      json["from_run"] = scope.getFromRun();
      json["to_run"] = number_or_null(scope.getToRun());
      break;
    case schema::Scope::EXPERIMENT:
      json["kind"] = "experiment";
      json["experiment"] = text(scope.getExperiment());
      break;
  }
  return json;
}

Json rule_json(schema::VariableRule::Reader rule) {
  return {{"name", text(rule.getVariable().getName())},
          {"group", enum_word(rule.getVariable().getGroup())},
          {"value", setting_value(rule.getVariable())},
          {"follows_script", rule.getVariable().getFollowsScript()},
          {"scope", scope_json(rule.getScope())},
          {"set_by", text_or_null(rule.getSetBy())},
          {"set_at", time_or_null(rule.getSetAt())},
          {"set_event", number_or_null(rule.getSeq())},
          {"comment", text_or_null(rule.getComment())}};
}

Json script_json(schema::ScriptRow::Reader row) {
  schema::ScriptRegistered::Reader script = row.getScript();
  return {{"instrument", text(script.getInstrument())},
          {"event", row.getSeq()},
          {"registered_at", time_or_null(row.getRegisteredAt())},
          {"contract", enum_word(script.getContract())},
          {"path", text_or_null(script.getPath())},
          {"sha256", hash_or_null(script.getSha256())},
          {"siblings", siblings_json(script.getSiblings())},
          {"problem", text_or_null(script.getProblem())}};
}

Json difference_json(const ScriptDifference& difference) {
  return {{"name", tools::text_or_null(difference.name)},
          {"a_sha256", tools::hash_or_null(difference.a)},
          {"b_sha256", tools::hash_or_null(difference.b)},
          {"diff", base::to_utf8(difference.diff)}};
}

Json directory_json(schema::AccessStatus::Reader status) {
  return {{"configured", status.getConfigured()}, {"refreshed_at", time_or_null(status.getRefreshedAt())}, {"problem", text_or_null(status.getProblem())}};
}

Json status_json(schema::Status::Reader status) {
  Json counts = Json::object();
  for (auto enumerant : capnp::Schema::from<schema::RunState>().getEnumerants()) counts[enumerant.getProto().getName().cStr()] = 0;
  for (auto count : status.getCounts()) counts[enum_word(count.getState())] = count.getRuns();
  Json instruments = Json::array();
  for (auto instrument : status.getInstruments()) {
    instruments.push_back({{"name", text(instrument.getInstrument())},
                           {"paused", instrument.getPaused()},
                           {"pause_reason", text_or_null(instrument.getPauseReason())},
                           {"last_run", number_or_null(instrument.getLastRun())},
                           {"runs", instrument.getRuns()},
                           {"waiting", instrument.getWaiting()}});
  }
  Json daemons = Json::array();
  for (auto daemon : status.getDaemons()) {
    daemons.push_back({{"name", text(daemon.getName())},
                       {"connected", daemon.getConnected()},
                       {"last_seen_at", time_or_null(daemon.getLastSeenAt())},
                       {"detail", text_or_null(daemon.getDetail())}});
  }
  return {{"facility", text_or_null(status.getFacility())},
          {"ledger", text_or_null(status.getLedger())},
          {"ledger_detail", text_or_null(status.getLedgerDetail())},
          {"head", status.getHead()},
          {"counts", counts},
          {"instruments", instruments},
          {"daemons", daemons},
          {"follow", follow_json(status)},
          {"directory", status.hasAccess() ? directory_json(status.getAccess()) : Json()},
          {"now", time_or_null(status.getNow())},
          {"started_at", time_or_null(status.getStartedAt())}};
}

Json queue_json(schema::QueueRow::Reader row) {
  Json json = {{"job", row.getJob()},
               {"instrument", text(row.getRun().getInstrument())},
               {"run_number", row.getRun().getRunNumber()},
               {"version", row.getVersion()},
               {"experiment", text_or_null(row.getExperiment())},
               {"priority", row.getPriority()},
               {"held", row.getHeld()},
               {"queued_at", time_or_null(row.getQueuedAt())},
               {"kind", enum_word(row.getKind())},
               {"stage", text_or_null(row.getStage())},
               {"campaign", number_or_null(row.getCampaign())}};
  add_reason(json, row.getReason());
  return json;
}

Json event_json(const EventLine& line) {
  return {{"seq", line.seq},
          {"time", exact_time(line.time_ns)},
          {"kind", line.kind},
          {"actor", tools::text_or_null(line.actor)},
          {"code", tools::text_or_null(line.code)},
          {"text", base::to_utf8(line.text)},
          {"cause", number_or_null(line.cause)},
          {"right", tools::text_or_null(line.right)}};
}

Json watch_json(const EventLine& line) {
  Json json = event_json(line);
  json["instrument"] = tools::text_or_null(line.subject.instrument);
  json["run_number"] = number_or_null(line.subject.run_number);
  json["version"] = number_or_null(line.subject.version);
  json["job"] = number_or_null(line.subject.job);
  json["stage"] = tools::text_or_null(line.subject.stage);
  json["campaign"] = number_or_null(line.subject.campaign);
  return json;
}

}  // namespace tools
