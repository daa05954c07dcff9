#include "ledger/proof/named_blobs.h"

namespace ledger {
namespace {

class Names {
 public:
  void add(capnp::Data::Reader sha256, bool is_log = false) {
    if (sha256.size() == 32) names_.push_back({std::string(reinterpret_cast<const char*>(sha256.begin()), sha256.size()), is_log});
  }
  void add_log(capnp::Data::Reader sha256) { add(sha256, true); }
  void add_files(capnp::List<schema::ScriptFile>::Reader files) {
    for (auto file : files) add(file.getSha256());
  }
  /// Of support files those that are stored.
  void add_kept(auto file) {
    if (file.getKept()) add(file.getSha256());
  }
  std::vector<NamedBlob> take() { return std::move(names_); }

 private:
  std::vector<NamedBlob> names_;
};

}  // namespace

std::vector<NamedBlob> named_blobs(schema::Event::Reader event) {
  using Body = schema::Event::Body;
  const auto body = event.getBody();
  Names names;
  switch (body.which()) {
    case Body::SCRIPT_REGISTERED:
      names.add(body.getScriptRegistered().getSha256());
      names.add_files(body.getScriptRegistered().getSiblings());
      names.add(body.getScriptRegistered().getDefaults());
      break;
    case Body::JOB_QUEUED:
      names.add(body.getJobQueued().getScriptSha256());
      names.add_files(body.getJobQueued().getSiblings());
      names.add(body.getJobQueued().getVariables());
      names.add(body.getJobQueued().getSources());
      for (auto file : body.getJobQueued().getSupportFiles()) names.add_kept(file);
      break;
    case Body::SUPPORT_FILE_SEEN:
      names.add_kept(body.getSupportFileSeen());
      break;
    case Body::TRIAL_REQUESTED:
      names.add(body.getTrialRequested().getScriptSha256());
      names.add_files(body.getTrialRequested().getSiblings());
      break;
    case Body::CAMPAIGN_STARTED:
      names.add(body.getCampaignStarted().getPlan());
      break;
    case Body::ATTEMPT_STARTED:
      names.add(body.getAttemptStarted().getEnvironment());
      break;
    case Body::ATTEMPT_FAILED:
      names.add(body.getAttemptFailed().getTraceback());
      names.add_log(body.getAttemptFailed().getLog());
      names.add(body.getAttemptFailed().getOutputs().getManifest());
      break;
    case Body::ATTEMPT_SUCCEEDED:
      names.add(body.getAttemptSucceeded().getOutputs().getManifest());
      names.add_log(body.getAttemptSucceeded().getLog());
      break;
    case Body::RESULT_REJECTED:
      names.add_log(body.getResultRejected().getLog());
      break;
    case Body::JOB_SKIPPED:
      names.add_log(body.getJobSkipped().getLog());
      break;
    default:
      break;
  }
  return names.take();
}

}  // namespace ledger
