#include "ledger/decide.h"

#include <fmt/format.h>

#include "ledger/decide/body_check.h"
#include "ledger/decide/question.h"

namespace ledger {
namespace {

using Body = schema::Command::Body;

/// Checks what came, then decides it.
template <typename Asked>
Decided checked(const Question& question, const char* what, Asked asked, Decided (*decide)(const Question&, Asked),
                size_t text_limit = kMaxTextBytes) {
  LEDGER_CHECK(check_body(asked, what, text_limit));
  return decide(question, asked);
}

Decided dispatch(const Question& question) {
  auto body = question.command.getBody();
  switch (body.which()) {
    case Body::UNSET: return invalid("the command asks for nothing; set its body");
    case Body::CONFIGURE_INSTRUMENT:
      return checked(question, "configureInstrument", body.getConfigureInstrument(), decide_configure);
    case Body::PAUSE_INSTRUMENT: return checked(question, "pauseInstrument", body.getPauseInstrument(), decide_pause);
    case Body::RESUME_INSTRUMENT: return checked(question, "resumeInstrument", body.getResumeInstrument(), decide_resume);
    case Body::REGISTER_SCRIPT: return checked(question, "registerScript", body.getRegisterScript(), decide_script);
    case Body::SET_VARIABLES: return checked(question, "setVariables", body.getSetVariables(), decide_set_variables, kMaxBodyBytes);
    case Body::CLEAR_VARIABLES: return checked(question, "clearVariables", body.getClearVariables(), decide_clear_variables);
    case Body::DETECT_RUN: return checked(question, "detectRun", body.getDetectRun(), decide_detect);
    case Body::REFUSE_FILE: return checked(question, "refuseFile", body.getRefuseFile(), decide_refuse_file);
    case Body::SKIP_RUN: return checked(question, "skipRun", body.getSkipRun(), decide_skip_run);
    case Body::REQUEST_REDUCTION:
      return checked(question, "requestReduction", body.getRequestReduction(), decide_request, kMaxBodyBytes);
    case Body::QUEUE_JOB: return checked(question, "queueJob", body.getQueueJob(), decide_queue);
    case Body::START_ATTEMPT: return checked(question, "startAttempt", body.getStartAttempt(), decide_start);
    case Body::FAIL_ATTEMPT: return checked(question, "failAttempt", body.getFailAttempt(), decide_fail);
    case Body::SKIP_ATTEMPT: return checked(question, "skipAttempt", body.getSkipAttempt(), decide_skip);
    case Body::SUCCEED_ATTEMPT: return checked(question, "succeedAttempt", body.getSucceedAttempt(), decide_succeed);
    case Body::PUBLISH_JOB: return checked(question, "publishJob", body.getPublishJob(), decide_publish);
    case Body::LOSE_ATTEMPT: return checked(question, "loseAttempt", body.getLoseAttempt(), decide_lose);
    case Body::CANCEL_JOB: return checked(question, "cancelJob", body.getCancelJob(), decide_cancel);
    case Body::JOIN_WORKER: return checked(question, "joinWorker", body.getJoinWorker(), decide_join);
    case Body::LEAVE_WORKER: return checked(question, "leaveWorker", body.getLeaveWorker(), decide_leave);
    case Body::ACCEPT_LOSS: return checked(question, "acceptLoss", body.getAcceptLoss(), decide_accept_loss);
    case Body::ERASE_BLOBS: return checked(question, "eraseBlobs", body.getEraseBlobs(), decide_erase_blobs);
    case Body::FORGET_COMMANDS: return checked(question, "forgetCommands", body.getForgetCommands(), decide_forget_commands);
    case Body::OPEN_SESSION: return checked(question, "openSession", body.getOpenSession(), decide_open_session);
    case Body::DENY_ACCESS: return checked(question, "denyAccess", body.getDenyAccess(), decide_deny);
    case Body::CHANGE_ROLES: return checked(question, "changeRoles", body.getChangeRoles(), decide_change_roles);
    case Body::ISSUE_TOKEN: return checked(question, "issueToken", body.getIssueToken(), decide_issue_token);
    case Body::REVOKE_TOKEN: return checked(question, "revokeToken", body.getRevokeToken(), decide_revoke_token);
    case Body::SEE_SUPPORT_FILE: return checked(question, "seeSupportFile", body.getSeeSupportFile(), decide_see_support_file);
    case Body::SET_STAGE: return checked(question, "setStage", body.getSetStage(), decide_set_stage);
    case Body::REMOVE_STAGE: return checked(question, "removeStage", body.getRemoveStage(), decide_remove_stage);
    case Body::REQUEST_COMBINATION: return checked(question, "requestCombination", body.getRequestCombination(), decide_combination);
    case Body::REQUEST_TRIAL: return checked(question, "requestTrial", body.getRequestTrial(), decide_trial, kMaxBodyBytes);
    case Body::START_CAMPAIGN: return checked(question, "startCampaign", body.getStartCampaign(), decide_start_campaign, kMaxBodyBytes);
    case Body::PAUSE_CAMPAIGN: return checked(question, "pauseCampaign", body.getPauseCampaign(), decide_pause_campaign);
    case Body::RESUME_CAMPAIGN: return checked(question, "resumeCampaign", body.getResumeCampaign(), decide_resume_campaign);
    case Body::STOP_CAMPAIGN: return checked(question, "stopCampaign", body.getStopCampaign(), decide_stop_campaign);
    case Body::PASS_CAMPAIGN_RUN: return checked(question, "passCampaignRun", body.getPassCampaignRun(), decide_pass_campaign_run);
    case Body::FINISH_CAMPAIGN: return checked(question, "finishCampaign", body.getFinishCampaign(), decide_finish_campaign);
    case Body::ANNOTATE_RUN:
    case Body::ADVANCE: break;  // nobody has a use for them yet
  }
  return refuse(base::Code::kUnsupportedVersion,
                fmt::format("command kind {} is not taken by this release; use clients of the same release",
                            static_cast<unsigned>(body.which())));
}

}  // namespace

base::Result<EventDrafts> decide(const RowReader& rows, const DecideContext& context, schema::Command::Reader command) {
  try {
    if (command.getCause() >= context.next_seq) {
      return invalid(
          fmt::format("the command names event {} as its cause, but the log ends at {}", command.getCause(), context.next_seq - 1));
    }
    return dispatch({rows, context, command});
  } catch (const kj::Exception& error) {
    return invalid("the command cannot be read (", error.getDescription().cStr(), "); send it again with a client of this release");
  }
}

}  // namespace ledger
