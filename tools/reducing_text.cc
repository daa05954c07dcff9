#include "tools/reducing_text.h"

#include <fmt/format.h>

#include "base/counted.h"
#include "tools/document.h"
#include "tools/run_names.h"
#include "tools/table.h"

namespace tools {
namespace {

using Body = schema::Event::Body;

std::string words(capnp::Text::Reader text) { return std::string(text_of(text)); }

std::string with_comment(std::string text, capnp::Text::Reader comment) {
  return comment.size() == 0 ? text : fmt::format("{}: {}", text, words(comment));
}

std::string list(capnp::List<capnp::Text>::Reader texts) {
  std::string text;
  for (auto item : texts) text += (text.empty() ? "" : ", ") + words(item);
  return text;
}

std::string support_file_text(schema::SupportFileSeen::Reader seen) {
  if (seen.getSha256().size() == 0) return fmt::format("support file {} cannot be read: {}", words(seen.getPath()), words(seen.getProblem()));
  return fmt::format("support file {} has new content {} ({}{})", words(seen.getPath()), short_hash(bytes_of(seen.getSha256())),
                     human_size(seen.getSizeBytes()), seen.getKept() ? "" : ", too large to be kept here");
}

std::string stage_text(schema::StageRule::Reader rule) {
  return fmt::format("stage {} is set: {} over {}, after {}", words(rule.getName()), words(rule.getScriptPath()), over_text(rule.getOver()),
                     rule.getAfter().size() == 0 ? "detection" : list(rule.getAfter()));
}

std::string combination_text(schema::CombinationRequested::Reader request) {
  return with_comment(fmt::format("stage {} asked for over runs {}", words(request.getStage()), run_ranges_text(numbers_of(request.getRuns()))), request.getComment());
}

std::string trial_text(schema::TrialRequested::Reader trial) {
  std::string text = fmt::format("a trial of {} ({}) asked for", words(trial.getScriptPath()), short_hash(bytes_of(trial.getScriptSha256())));
  if (trial.getVariables().size() > 0) text += ", " + variables_text(trial.getVariables());
  return with_comment(std::move(text), trial.getComment());
}

std::string started_text(schema::CampaignStarted::Reader started) {
  std::string text = fmt::format("{} of {} started: {} ({})", started.getKind() == schema::CampaignStarted::Kind::REPLAY ? "replay" : "reprocessing",
                                 base::counted(started.getRuns(), "run"), words(started.getPurpose()), words(started.getSelection()));
  if (started.getVariables().size() > 0) text += ", with " + variables_text(started.getVariables());
  return text;
}

}  // namespace

std::string variables_text(capnp::List<schema::Variable>::Reader variables) {
  std::string text;
  for (auto variable : variables) {
    text += text.empty() ? "" : ", ";
    text += variable.getFollowsScript() ? fmt::format("{} follows the script", words(variable.getName()))
                                        : fmt::format("{} = {}", words(variable.getName()), words(variable.getValue()));
  }
  return text;
}

std::string over_text(schema::StageRule::Over over) {
  switch (over) {
    case schema::StageRule::Over::RUN: return "each run";
    case schema::StageRule::Over::EXPERIMENT: return "a whole experiment";
    case schema::StageRule::Over::RUNS: return "runs that are named";
  }
  return "something of a later release";
}

std::optional<std::string> reducing_text(Body::Reader body) {
  switch (body.which()) {
    case Body::SUPPORT_FILE_SEEN: return support_file_text(body.getSupportFileSeen());
    case Body::STAGE_SET: return stage_text(body.getStageSet());
    case Body::STAGE_REMOVED: return fmt::format("stage {} is removed", words(body.getStageRemoved().getName()));
    case Body::COMBINATION_REQUESTED: return combination_text(body.getCombinationRequested());
    case Body::TRIAL_REQUESTED: return trial_text(body.getTrialRequested());
    case Body::CAMPAIGN_STARTED: return started_text(body.getCampaignStarted());
    case Body::CAMPAIGN_PAUSED: return "paused";
    case Body::CAMPAIGN_RESUMED: return "resumed";
    case Body::CAMPAIGN_STOPPED: return body.getCampaignStopped().getKeepQueued() ? "stopped; what is queued is still done" : "stopped; what waits is taken back";
    case Body::CAMPAIGN_RUN_PASSED: return fmt::format("passed over by campaign {}", body.getCampaignRunPassed().getCampaign());
    case Body::CAMPAIGN_FINISHED: return "finished";
    default: return std::nullopt;
  }
}

}  // namespace tools
