#include "ledger/subjects.h"

#include <algorithm>

#include "base/sha256.h"
#include "ledger/keys.h"
#include "ledger/limits.h"

namespace ledger {
namespace {

std::string_view view(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

std::string text_subject(char kind, std::string_view text) {
  std::string key(1, kind);
  if (text.size() > kMaxSubjectTextBytes) {
    append_text(key, "#" + base::hex(base::sha256(text)));
  } else {
    append_text(key, text);
  }
  return key;
}

class Collector {
 public:
  Collector(Subjects& subjects, const std::function<std::vector<std::string>(std::string_view)>& find_link)
      : subjects_(subjects), find_link_(find_link) {}

  void about(std::string key) { subjects_.keys.push_back(std::move(key)); }
  void about_linked(std::string key) {
    for (std::string& linked : find_link_(key)) about(std::move(linked));
    about(std::move(key));
  }
  void about_run(schema::RunKey::Reader run) {
    about_instrument(view(run.getInstrument()));
    about_linked(run_subject(view(run.getInstrument()), run.getRunNumber()));
  }
  void about_job(uint64_t job) { about_linked(job_subject(job)); }
  void about_instrument(std::string_view instrument) { about(instrument_subject(instrument)); }
  void about_settings(capnp::Text::Reader instrument) {
    about_instrument(view(instrument));
    about(settings_subject(view(instrument)));
  }
  void about_worker(capnp::Text::Reader worker) { about(worker_subject(view(worker))); }
  void about_account(capnp::Text::Reader account) { about(actor_subject(view(account))); }
  void about_role(capnp::Text::Reader account, schema::Grant::Reader grant) {
    about_account(account);
    about(roles_subject(grant));
  }
  void about_scope(schema::Scope::Reader scope) {
    if (scope.isExperiment()) about(experiment_subject(view(scope.getExperiment())));
  }
  void about_reading(schema::RunDetected::Reader detected, bool again) {
    const auto run = detected.getRun();
    const std::string_view instrument = view(run.getInstrument());
    std::string subject = run_subject(instrument, run.getRunNumber());
    about_instrument(instrument);
    if (const auto experiment = detected.getMetadata().getExperiment(); experiment.getKnown()) {
      about(experiment_subject(view(experiment.getValue())));
      link(subject, {subjects_.keys.back()});
    }
    if (again) return about_linked(std::move(subject));
    about(std::move(subject));  // a run is detected once: nothing is linked to it yet
  }
  void about_new_job(uint64_t job, schema::JobQueued::Reader queued) {
    std::vector<std::string> ends;
    for (auto run : queued.getRuns()) {
      ends.push_back(run_subject(view(run.getInstrument()), run.getRunNumber()));
      ends.push_back(instrument_subject(view(run.getInstrument())));
    }
    if (queued.getExperiment().size() > 0) ends.push_back(experiment_subject(view(queued.getExperiment())));
    std::sort(ends.begin(), ends.end());
    ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
    for (const std::string& end : ends) about(end);
    about(job_subject(job));
    if (queued.getCampaign() != 0) about(campaign_subject(queued.getCampaign()));
    link(job_subject(job), std::move(ends));
  }
  void about_new_campaign(uint64_t campaign, schema::CampaignStarted::Reader started, capnp::Text::Reader owner) {
    std::vector<std::string> ends;
    if (owner.size() > 0) ends.push_back(actor_subject(view(owner)));
    for (auto instrument : started.getInstruments()) ends.push_back(instrument_subject(view(instrument)));
    for (const std::string& end : ends) about(end);
    about(campaign_subject(campaign));
    link(campaign_subject(campaign), std::move(ends));
  }
  void about_campaign(uint64_t campaign) { about_linked(campaign_subject(campaign)); }

 private:
  void link(std::string from, std::vector<std::string> to) {
    subjects_.link_from = std::move(from);
    subjects_.link_to = std::move(to);
  }

  Subjects& subjects_;
  const std::function<std::vector<std::string>(std::string_view)>& find_link_;
};

}  // namespace

std::string run_subject(std::string_view instrument, uint64_t run_number) {
  std::string key = text_subject('r', instrument);
  append_u64(key, run_number);
  return key;
}
std::string job_subject(uint64_t job) {
  std::string key = "j";
  append_u64(key, job);
  return key;
}
std::string instrument_subject(std::string_view instrument) { return text_subject('i', instrument); }
std::string settings_subject(std::string_view instrument) { return text_subject('s', instrument); }
std::string experiment_subject(std::string_view experiment) { return text_subject('e', experiment); }
std::string worker_subject(std::string_view worker) { return text_subject('w', worker); }
std::string blob_subject(std::string_view sha256) { return text_subject('b', sha256); }
std::string ledger_subject() { return "l"; }
std::string roles_subject(schema::Grant::Reader grant) {
  if (grant.getExperiment().size() > 0) return text_subject('m', view(grant.getExperiment()));
  return text_subject('o', view(grant.getInstrument()));
}
std::string denials_subject() { return "d"; }
std::string campaign_subject(uint64_t campaign) {
  std::string key = "c";
  append_u64(key, campaign);
  return key;
}
std::string actor_subject(std::string_view actor) { return text_subject('a', actor); }

Subjects subjects_of(schema::Event::Reader event,
                     const std::function<std::vector<std::string>(std::string_view subject)>& find_link) {
  Subjects subjects;
  Collector collect(subjects, find_link);
  if (event.getActor().getName().size() > 0) collect.about(actor_subject(view(event.getActor().getName())));

  using Body = schema::Event::Body;
  const auto body = event.getBody();
  switch (body.which()) {
    case Body::UNSET:
      break;
    case Body::INSTRUMENT_CONFIGURED:
      collect.about_settings(body.getInstrumentConfigured().getInstrument());
      break;
    case Body::INSTRUMENT_PAUSED:
      collect.about_settings(body.getInstrumentPaused().getInstrument());
      break;
    case Body::INSTRUMENT_RESUMED:
      collect.about_settings(body.getInstrumentResumed().getInstrument());
      break;
    case Body::SCRIPT_REGISTERED:
      collect.about_settings(body.getScriptRegistered().getInstrument());
      break;
    case Body::VARIABLES_SET:
      collect.about_settings(body.getVariablesSet().getInstrument());
      collect.about_scope(body.getVariablesSet().getScope());
      break;
    case Body::VARIABLES_CLEARED:
      collect.about_settings(body.getVariablesCleared().getInstrument());
      collect.about_scope(body.getVariablesCleared().getScope());
      break;
    case Body::RUN_DETECTED:
      collect.about_reading(body.getRunDetected(), false);
      break;
    case Body::RUN_REVISED:
      collect.about_reading(body.getRunRevised(), true);
      break;
    case Body::RUN_ANNOTATED:
      collect.about_run(body.getRunAnnotated().getRun());
      break;
    case Body::RAW_FILE_REFUSED: {
      const auto refused = body.getRawFileRefused();
      collect.about_instrument(view(refused.getInstrument()));
      if (refused.getRunNumber() != 0) collect.about_linked(run_subject(view(refused.getInstrument()), refused.getRunNumber()));
      break;
    }
    case Body::RUN_SKIPPED:
      collect.about_run(body.getRunSkipped().getRun());
      break;
    case Body::REDUCTION_REQUESTED:
      collect.about_run(body.getReductionRequested().getRun());
      break;
    case Body::JOB_QUEUED:
      collect.about_new_job(event.getSeq(), body.getJobQueued());
      break;
    case Body::JOB_HELD:
      collect.about_job(body.getJobHeld().getJob());
      break;
    case Body::JOB_RELEASED:
      collect.about_job(body.getJobReleased().getJob());
      break;
    case Body::ATTEMPT_STARTED:
      collect.about_job(body.getAttemptStarted().getJob());
      collect.about_worker(body.getAttemptStarted().getWorker());
      break;
    case Body::ATTEMPT_LOST:
      collect.about_job(body.getAttemptLost().getJob());
      collect.about_worker(body.getAttemptLost().getWorker());
      break;
    case Body::ATTEMPT_FAILED:
      collect.about_job(body.getAttemptFailed().getJob());
      break;
    case Body::ATTEMPT_SUCCEEDED:
      collect.about_job(body.getAttemptSucceeded().getJob());
      break;
    case Body::RESULT_REJECTED:
      collect.about_job(body.getResultRejected().getJob());
      collect.about_worker(body.getResultRejected().getWorker());
      break;
    case Body::JOB_SUCCEEDED:
      collect.about_job(body.getJobSucceeded().getJob());
      break;
    case Body::JOB_FAILED:
      collect.about_job(body.getJobFailed().getJob());
      break;
    case Body::JOB_SKIPPED:
      collect.about_job(body.getJobSkipped().getJob());
      break;
    case Body::JOB_CANCELLED:
      collect.about_job(body.getJobCancelled().getJob());
      break;
    case Body::WORKER_JOINED:
      collect.about_worker(body.getWorkerJoined().getWorker());
      break;
    case Body::WORKER_LEFT:
      collect.about_worker(body.getWorkerLeft().getWorker());
      break;
    case Body::BLOBS_ERASED:
      for (auto blob : body.getBlobsErased().getBlobs()) {
        collect.about(blob_subject({reinterpret_cast<const char*>(blob.getSha256().begin()), blob.getSha256().size()}));
      }
      collect.about(ledger_subject());
      break;
    case Body::SESSION_OPENED:  // about the actor alone
      break;
    case Body::ACCESS_DENIED:
      collect.about(denials_subject());
      break;
    case Body::ROLE_GRANTED:
      collect.about_role(body.getRoleGranted().getAccount(), body.getRoleGranted().getGrant());
      break;
    case Body::ROLE_REVOKED:
      collect.about_role(body.getRoleRevoked().getAccount(), body.getRoleRevoked().getGrant());
      break;
    case Body::TOKEN_ISSUED:
      collect.about_account(body.getTokenIssued().getAccount());
      break;
    case Body::TOKEN_REVOKED:
      collect.about_account(body.getTokenRevoked().getAccount());
      break;
    case Body::SUPPORT_FILE_SEEN:
      collect.about_settings(body.getSupportFileSeen().getInstrument());
      break;
    case Body::STAGE_SET:
      collect.about_settings(body.getStageSet().getInstrument());
      break;
    case Body::STAGE_REMOVED:
      collect.about_settings(body.getStageRemoved().getInstrument());
      break;
    case Body::COMBINATION_REQUESTED: {
      const auto wanted = body.getCombinationRequested();
      collect.about_instrument(view(wanted.getInstrument()));
      for (uint64_t run : wanted.getRuns()) collect.about_linked(run_subject(view(wanted.getInstrument()), run));
      break;
    }
    case Body::TRIAL_REQUESTED:
      collect.about_run(body.getTrialRequested().getRun());
      break;
    case Body::CAMPAIGN_STARTED:
      collect.about_new_campaign(event.getSeq(), body.getCampaignStarted(), event.getActor().getName());
      break;
    case Body::CAMPAIGN_PAUSED:
      collect.about_campaign(body.getCampaignPaused().getCampaign());
      break;
    case Body::CAMPAIGN_RESUMED:
      collect.about_campaign(body.getCampaignResumed().getCampaign());
      break;
    case Body::CAMPAIGN_STOPPED:
      collect.about_campaign(body.getCampaignStopped().getCampaign());
      break;
    case Body::CAMPAIGN_RUN_PASSED:
      collect.about(campaign_subject(body.getCampaignRunPassed().getCampaign()));
      collect.about_run(body.getCampaignRunPassed().getRun());
      break;
    case Body::CAMPAIGN_FINISHED:
      collect.about_campaign(body.getCampaignFinished().getCampaign());
      break;
    case Body::LOSS_ACCEPTED:
    case Body::COMMANDS_FORGOTTEN:
      collect.about(ledger_subject());
      break;
  }
  std::sort(subjects.keys.begin(), subjects.keys.end());
  subjects.keys.erase(std::unique(subjects.keys.begin(), subjects.keys.end()), subjects.keys.end());
  return subjects;
}

}  // namespace ledger
