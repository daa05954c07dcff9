#include "tools/event_text.h"

#include <capnp/dynamic.h>
#include <fmt/format.h>

#include <cctype>

#include "base/counted.h"
#include "tools/access_text.h"
#include "tools/document.h"
#include "tools/reducing_text.h"
#include "tools/run_names.h"
#include "tools/table.h"
#include "tools/words.h"

namespace tools {
namespace {

using Body = schema::Event::Body;

std::string kind_of(schema::Event::Reader event) {
  capnp::DynamicStruct::Reader body = capnp::toDynamic(event.getBody());
  KJ_IF_MAYBE (field, body.which()) return field->getProto().getName().cStr();
  return "unknown";
}

std::string words(capnp::Text::Reader text) { return std::string(text_of(text)); }

std::string with_comment(std::string text, capnp::Text::Reader comment) {
  return comment.size() == 0 ? text : fmt::format("{}: {}", text, words(comment));
}

std::string files_text(capnp::List<schema::RawFile>::Reader files) {
  std::string text;
  for (auto file : files) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", words(file.getPath()), human_size(file.getSizeBytes()));
  }
  return text;
}

std::string detection_text(std::string_view what, schema::RunDetected::Reader detected) {
  std::string text = fmt::format("{} by {}: {}", what, words(detected.getSource()), files_text(detected.getFiles()));
  for (auto problem : detected.getProblems()) text += fmt::format("; {}", words(problem));
  return text;
}

std::string queued_text(schema::JobQueued::Reader queued) {
  return fmt::format("queued with script {} ({})", words(queued.getScriptPath()), short_hash(bytes_of(queued.getScriptSha256())));
}

std::string failure_text(schema::AttemptFailed::Reader failed) {
  return fmt::format("attempt {} failed ({}): {}{}", failed.getAttempt(), enum_word(failed.getKind()), words(failed.getMessage()),
                     failed.getWillRetry() ? "; it will be tried again" : "");
}

/// What is said where the event carries no reason of its own.
std::string plain_text(Body::Reader body) {
  switch (body.which()) {
    case Body::INSTRUMENT_CONFIGURED: {
      auto config = body.getInstrumentConfigured();
      if (config.getRetired()) return "taken out of the site file; no new run is taken for it";
      return fmt::format("configured: {} contract, {}, script {}", enum_word(config.getContract()),
                         base::counted(config.getRawFolders().size(), "watched folder"), words(config.getScriptPath()));
    }
    case Body::INSTRUMENT_PAUSED: return "paused";
    case Body::INSTRUMENT_RESUMED: return "resumed";
    case Body::SCRIPT_REGISTERED: {
      auto script = body.getScriptRegistered();
      return fmt::format("script {} has new text {}{}", words(script.getPath()), short_hash(bytes_of(script.getSha256())),
                         script.getProblem().size() == 0 ? "" : "; " + words(script.getProblem()));
    }
    case Body::VARIABLES_SET: {
      auto set = body.getVariablesSet();
      return with_comment(fmt::format("{} set for {}", variables_text(set.getVariables()), scope_text(set.getScope())), set.getComment());
    }
    case Body::VARIABLES_CLEARED: {
      auto cleared = body.getVariablesCleared();
      std::string names;
      for (auto name : cleared.getNames()) names += (names.empty() ? "" : ", ") + words(name);
      return with_comment(
          fmt::format("{} cleared for {}", names.empty() ? "every variable" : names, scope_text(cleared.getScope())), cleared.getComment());
    }
    case Body::RUN_DETECTED: return detection_text("detected", body.getRunDetected());
    case Body::RUN_REVISED: return detection_text("file written again, seen", body.getRunRevised());
    case Body::RUN_ANNOTATED: return words(body.getRunAnnotated().getText());
    case Body::RAW_FILE_REFUSED: return fmt::format("file {} refused", words(body.getRawFileRefused().getFile().getPath()));
    case Body::RUN_SKIPPED: return "skipped";
    case Body::REDUCTION_REQUESTED: {
      auto request = body.getReductionRequested();
      std::string text = fmt::format("one more version asked for, {} script", enum_word(request.getScript()));
      if (request.getVariables().size() > 0) text += ", " + variables_text(request.getVariables());
      return with_comment(std::move(text), request.getComment());
    }
    case Body::JOB_QUEUED: return queued_text(body.getJobQueued());
    case Body::JOB_HELD: return "held";
    case Body::JOB_RELEASED: return "released";
    case Body::ATTEMPT_STARTED: {
      auto started = body.getAttemptStarted();
      return fmt::format("attempt {} started by {} on {}", started.getAttempt(), words(started.getWorker()), words(started.getHost()));
    }
    case Body::ATTEMPT_LOST:
      return fmt::format("attempt {} of {} lost", body.getAttemptLost().getAttempt(), words(body.getAttemptLost().getWorker()));
    case Body::ATTEMPT_FAILED: return failure_text(body.getAttemptFailed());
    case Body::ATTEMPT_SUCCEEDED: {
      auto succeeded = body.getAttemptSucceeded();
      return with_comment(
          fmt::format("attempt {} finished with {}, {}", succeeded.getAttempt(),
                      base::counted(succeeded.getOutputs().getFiles(), "file"), human_size(succeeded.getOutputs().getTotalBytes())),
          succeeded.getMessage());
    }
    case Body::RESULT_REJECTED: return fmt::format("result of attempt {} rejected", body.getResultRejected().getAttempt());
    case Body::JOB_SUCCEEDED: return "succeeded, output is in place";
    case Body::JOB_FAILED: return fmt::format("failed ({})", enum_word(body.getJobFailed().getKind()));
    case Body::JOB_SKIPPED: return "skipped by the script";
    case Body::JOB_CANCELLED: return "cancelled";
    case Body::WORKER_JOINED: {
      auto worker = body.getWorkerJoined();
      return fmt::format("worker {} joined from {} with {}", words(worker.getWorker()), words(worker.getHost()),
                         base::counted(worker.getSlots(), "slot"));
    }
    case Body::WORKER_LEFT: return fmt::format("worker {} left", words(body.getWorkerLeft().getWorker()));
    case Body::LOSS_ACCEPTED: {
      auto loss = body.getLossAccepted();
      if (loss.getPromisedEvents() == 0) return fmt::format("HEAD was lost, and that was accepted: {} were kept", base::counted(loss.getKeptEvents(), "event"));
      return fmt::format("{} of {} promised events were lost, and that was accepted", loss.getPromisedEvents() - loss.getKeptEvents(),
                         loss.getPromisedEvents());
    }
    case Body::BLOBS_ERASED: return fmt::format("{} erased from the blob store", base::counted(body.getBlobsErased().getBlobs().size(), "document"));
    case Body::COMMANDS_FORGOTTEN:
      return fmt::format("records of commands up to event {} forgotten", body.getCommandsForgotten().getUpTo());
    default: return reducing_text(body).value_or("an event of a later release");
  }
}

schema::Reason::Reader reason_of(Body::Reader body) {
  switch (body.which()) {
    case Body::INSTRUMENT_PAUSED: return body.getInstrumentPaused().getReason();
    case Body::INSTRUMENT_RESUMED: return body.getInstrumentResumed().getReason();
    case Body::RAW_FILE_REFUSED: return body.getRawFileRefused().getReason();
    case Body::RUN_SKIPPED: return body.getRunSkipped().getReason();
    case Body::JOB_QUEUED: return body.getJobQueued().getReason();
    case Body::JOB_HELD: return body.getJobHeld().getReason();
    case Body::JOB_RELEASED: return body.getJobReleased().getReason();
    case Body::ATTEMPT_LOST: return body.getAttemptLost().getReason();
    case Body::RESULT_REJECTED: return body.getResultRejected().getReason();
    case Body::JOB_FAILED: return body.getJobFailed().getReason();
    case Body::JOB_SKIPPED: return body.getJobSkipped().getReason();
    case Body::JOB_CANCELLED: return body.getJobCancelled().getReason();
    case Body::WORKER_LEFT: return body.getWorkerLeft().getReason();
    case Body::LOSS_ACCEPTED: return body.getLossAccepted().getReason();
    case Body::BLOBS_ERASED: return body.getBlobsErased().getReason();
    case Body::COMMANDS_FORGOTTEN: return body.getCommandsForgotten().getReason();
    case Body::ACCESS_DENIED: return body.getAccessDenied().getReason();
    case Body::ROLE_GRANTED: return body.getRoleGranted().getReason();
    case Body::ROLE_REVOKED: return body.getRoleRevoked().getReason();
    case Body::TOKEN_REVOKED: return body.getTokenRevoked().getReason();
    case Body::STAGE_REMOVED: return body.getStageRemoved().getReason();
    case Body::CAMPAIGN_PAUSED: return body.getCampaignPaused().getReason();
    case Body::CAMPAIGN_RESUMED: return body.getCampaignResumed().getReason();
    case Body::CAMPAIGN_STOPPED: return body.getCampaignStopped().getReason();
    case Body::CAMPAIGN_RUN_PASSED: return body.getCampaignRunPassed().getReason();
    case Body::CAMPAIGN_FINISHED: return body.getCampaignFinished().getReason();
    default: return {};
  }
}

/// The code of a decision whose event bears no Reason: as the run shows it (docs/reasons.md).
std::string code_without_reason(Body::Reader body) {
  switch (body.which()) {
    case Body::ATTEMPT_STARTED: return "started";
    case Body::ATTEMPT_FAILED: return body.getAttemptFailed().getWillRetry() ? "attempt_failed" : enum_word(body.getAttemptFailed().getKind());
    case Body::JOB_SUCCEEDED: return "succeeded";
    default: return {};
  }
}

EventSubject of_run(schema::RunKey::Reader run) {
  EventSubject subject;
  subject.instrument = words(run.getInstrument());
  subject.run_number = run.getRunNumber();
  return subject;
}

EventSubject of_campaign(uint64_t campaign) {
  EventSubject subject;
  subject.campaign = campaign;
  return subject;
}

EventSubject subject_of(schema::Event::Reader event, const JobNames& jobs) {
  Body::Reader body = event.getBody();
  if (uint64_t job = job_of(event)) {
    if (std::optional<EventSubject> known = jobs.find(job)) return *known;
    EventSubject subject;
    subject.job = job;
    return subject;
  }
  auto named = [](capnp::Text::Reader name) {
    EventSubject subject;
    subject.instrument = words(name);
    return subject;
  };
  switch (body.which()) {
    case Body::INSTRUMENT_CONFIGURED: return named(body.getInstrumentConfigured().getInstrument());
    case Body::INSTRUMENT_PAUSED: return named(body.getInstrumentPaused().getInstrument());
    case Body::INSTRUMENT_RESUMED: return named(body.getInstrumentResumed().getInstrument());
    case Body::SCRIPT_REGISTERED: return named(body.getScriptRegistered().getInstrument());
    case Body::VARIABLES_SET: return named(body.getVariablesSet().getInstrument());
    case Body::VARIABLES_CLEARED: return named(body.getVariablesCleared().getInstrument());
    case Body::RUN_DETECTED: return of_run(body.getRunDetected().getRun());
    case Body::RUN_REVISED: return of_run(body.getRunRevised().getRun());
    case Body::RUN_ANNOTATED: return of_run(body.getRunAnnotated().getRun());
    case Body::RUN_SKIPPED: return of_run(body.getRunSkipped().getRun());
    case Body::REDUCTION_REQUESTED: return of_run(body.getReductionRequested().getRun());
    case Body::SUPPORT_FILE_SEEN: return named(body.getSupportFileSeen().getInstrument());
    case Body::STAGE_SET: return named(body.getStageSet().getInstrument());
    case Body::STAGE_REMOVED: return named(body.getStageRemoved().getInstrument());
    case Body::COMBINATION_REQUESTED: return named(body.getCombinationRequested().getInstrument());
    case Body::TRIAL_REQUESTED: return of_run(body.getTrialRequested().getRun());
    case Body::CAMPAIGN_STARTED: return of_campaign(event.getSeq());
    case Body::CAMPAIGN_PAUSED: return of_campaign(body.getCampaignPaused().getCampaign());
    case Body::CAMPAIGN_RESUMED: return of_campaign(body.getCampaignResumed().getCampaign());
    case Body::CAMPAIGN_STOPPED: return of_campaign(body.getCampaignStopped().getCampaign());
    case Body::CAMPAIGN_FINISHED: return of_campaign(body.getCampaignFinished().getCampaign());
    case Body::CAMPAIGN_RUN_PASSED: {
      EventSubject subject = of_run(body.getCampaignRunPassed().getRun());
      subject.campaign = body.getCampaignRunPassed().getCampaign();
      return subject;
    }
    case Body::ROLE_GRANTED: return named(body.getRoleGranted().getGrant().getInstrument());
    case Body::ROLE_REVOKED: return named(body.getRoleRevoked().getGrant().getInstrument());
    case Body::RAW_FILE_REFUSED: {
      EventSubject subject = named(body.getRawFileRefused().getInstrument());
      subject.run_number = body.getRawFileRefused().getRunNumber();
      return subject;
    }
    default: return {};
  }
}

}  // namespace

uint64_t job_of(schema::Event::Reader event) {
  Body::Reader body = event.getBody();
  switch (body.which()) {
    case Body::JOB_QUEUED: return event.getSeq();
    case Body::JOB_HELD: return body.getJobHeld().getJob();
    case Body::JOB_RELEASED: return body.getJobReleased().getJob();
    case Body::ATTEMPT_STARTED: return body.getAttemptStarted().getJob();
    case Body::ATTEMPT_LOST: return body.getAttemptLost().getJob();
    case Body::ATTEMPT_FAILED: return body.getAttemptFailed().getJob();
    case Body::ATTEMPT_SUCCEEDED: return body.getAttemptSucceeded().getJob();
    case Body::RESULT_REJECTED: return body.getResultRejected().getJob();
    case Body::JOB_SUCCEEDED: return body.getJobSucceeded().getJob();
    case Body::JOB_FAILED: return body.getJobFailed().getJob();
    case Body::JOB_SKIPPED: return body.getJobSkipped().getJob();
    case Body::JOB_CANCELLED: return body.getJobCancelled().getJob();
    default: return 0;
  }
}

void JobNames::learn(schema::Event::Reader event) {
  if (event.getBody().which() != Body::JOB_QUEUED) return;
  auto queued = event.getBody().getJobQueued();
  if (queued.getRuns().size() == 0) return;
  names_[event.getSeq()] = subject_of(event.getSeq(), queued);
}

std::optional<EventSubject> JobNames::find(uint64_t job) const {
  auto found = names_.find(job);
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

EventLine event_line(schema::Event::Reader event, const JobNames& jobs) {
  EventLine line;
  line.seq = event.getSeq();
  line.time_ns = event.getTime();
  line.kind = kind_of(event);
  line.actor = words(event.getActor().getName());
  line.proof = words(event.getActor().getProof());
  line.right = words(event.getActor().getRight());
  line.cause = event.getCause();
  line.subject = subject_of(event, jobs);
  schema::Reason::Reader reason = reason_of(event.getBody());
  line.code = words(reason.getCode());
  if (line.code.empty()) line.code = code_without_reason(event.getBody());
  line.text = access_text(event.getBody()).value_or(words(reason.getText()));  // a reason does not say which role or token it was
  if (line.text.empty()) line.text = plain_text(event.getBody());
  // A reason names its run by itself; a bare "succeeded" needs the name in front.
  std::string bare = line.subject.run_number == 0 ? subject_text(line.subject) : run_text(line.subject.instrument, line.subject.run_number);
  if (!bare.empty() && line.text.find(bare) == std::string::npos) line.text = fmt::format("{}: {}", subject_text(line.subject), line.text);
  return line;
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (auto field : capnp::Schema::from<Body>().getUnionFields()) {
    if (std::string name = field.getProto().getName().cStr(); name != "unset") names.push_back(std::move(name));
  }
  return names;
}

std::optional<uint16_t> kind_named(std::string_view word) {
  const auto plain = [](std::string_view text) {
    std::string letters;
    for (const char c : text) {
      if (std::isalpha(static_cast<unsigned char>(c))) letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return letters;
  };
  for (auto field : capnp::Schema::from<Body>().getUnionFields()) {
    const std::string name = field.getProto().getName().cStr();
    if (name != "unset" && plain(name) == plain(word)) return field.getProto().getDiscriminantValue();
  }
  return std::nullopt;
}

std::string kind_words(const std::string& kind) {
  std::string text = snake_case(kind);
  for (char& c : text) {
    if (c == '_') c = ' ';
  }
  return text;
}

std::string actor_text(const EventLine& line) { return line.right.empty() ? line.actor : fmt::format("{} ({})", line.actor, line.right); }

EventSubject subject_of(uint64_t job, schema::JobQueued::Reader queued) {
  EventSubject subject = of_run(queued.getRuns()[0]);
  subject.version = queued.getVersion();
  subject.job = job;
  subject.campaign = queued.getCampaign();
  subject.stage = words(queued.getStage());
  subject.is_trial = queued.getKind() == schema::JobKind::TRIAL;
  if (queued.getRuns().size() == 1) return subject;
  std::vector<uint64_t> runs;
  for (auto run : queued.getRuns()) runs.push_back(run.getRunNumber());
  subject.runs = run_ranges_text(std::move(runs));
  return subject;
}

std::string subject_text(const EventSubject& subject) {
  if (subject.run_number != 0) {
    if (subject.is_trial) return fmt::format("{} {} trial", subject.instrument, subject.run_number);
    if (subject.stage.empty()) return run_text(subject.instrument, subject.run_number, subject.version);
    return fmt::format("{} {} {} v{}", subject.instrument, subject.runs.empty() ? std::to_string(subject.run_number) : subject.runs, subject.stage, subject.version);
  }
  if (!subject.instrument.empty()) return subject.instrument;
  if (subject.job != 0) return fmt::format("job {}", subject.job);
  return subject.campaign != 0 ? fmt::format("campaign {}", subject.campaign) : "";
}

std::string scope_text(schema::Scope::Reader scope) {
  switch (scope.which()) {
    case schema::Scope::DEFAULT: return "default";
    case schema::Scope::FROM_RUN:
      return scope.getToRun() == 0 ? fmt::format("runs from {}", scope.getFromRun())
                                   : fmt::format("runs {} to {}", scope.getFromRun(), scope.getToRun());
    case schema::Scope::EXPERIMENT: return fmt::format("experiment {}", words(scope.getExperiment()));
  }
  return "a scope of a later release";
}

}  // namespace tools
