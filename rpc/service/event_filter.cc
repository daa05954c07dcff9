#include "rpc/service/event_filter.h"

#include "ledger/event_bytes.h"
#include "ledger/view_rows.h"
#include "rpc/service/answers.h"

namespace rpc {
namespace {

std::string instrument_of_job(const ledger::RowReader& rows, uint64_t job) {
  auto row = ledger::find_job(rows, job);
  if (!row || row->get().getQueued().getRuns().size() == 0) return {};
  return std::string(view(row->get().getQueued().getRuns()[0].getInstrument()));
}

}  // namespace

EventFilter::EventFilter(schema::EventFilter::Reader filter) : instrument_(view(filter.getInstrument())) {
  for (uint16_t kind : filter.getKinds()) kinds_.insert(kind);
}

bool EventFilter::passes(const ledger::RowReader& rows, kj::ArrayPtr<const capnp::word> bytes) const {
  if (instrument_.empty() && kinds_.empty()) return true;
  ledger::StoredEvent stored(bytes);
  auto event = stored.get();
  if (!kinds_.empty() && !kinds_.contains(static_cast<uint16_t>(event.getBody().which()))) return false;
  return instrument_.empty() || instrument_of(rows, event) == instrument_;
}

std::string instrument_of(const ledger::RowReader& rows, schema::Event::Reader event) {
  auto body = event.getBody();
  auto text = [](capnp::Text::Reader name) { return std::string(view(name)); };
  switch (body.which()) {
    case schema::Event::Body::UNSET: return {};
    case schema::Event::Body::INSTRUMENT_CONFIGURED: return text(body.getInstrumentConfigured().getInstrument());
    case schema::Event::Body::INSTRUMENT_PAUSED: return text(body.getInstrumentPaused().getInstrument());
    case schema::Event::Body::INSTRUMENT_RESUMED: return text(body.getInstrumentResumed().getInstrument());
    case schema::Event::Body::SCRIPT_REGISTERED: return text(body.getScriptRegistered().getInstrument());
    case schema::Event::Body::VARIABLES_SET: return text(body.getVariablesSet().getInstrument());
    case schema::Event::Body::VARIABLES_CLEARED: return text(body.getVariablesCleared().getInstrument());
    case schema::Event::Body::RUN_DETECTED: return text(body.getRunDetected().getRun().getInstrument());
    case schema::Event::Body::RUN_REVISED: return text(body.getRunRevised().getRun().getInstrument());
    case schema::Event::Body::RUN_ANNOTATED: return text(body.getRunAnnotated().getRun().getInstrument());
    case schema::Event::Body::RAW_FILE_REFUSED: return text(body.getRawFileRefused().getInstrument());
    case schema::Event::Body::RUN_SKIPPED: return text(body.getRunSkipped().getRun().getInstrument());
    case schema::Event::Body::REDUCTION_REQUESTED: return text(body.getReductionRequested().getRun().getInstrument());
    case schema::Event::Body::JOB_QUEUED: {
      auto runs = body.getJobQueued().getRuns();
      return runs.size() > 0 ? text(runs[0].getInstrument()) : std::string();
    }
    case schema::Event::Body::JOB_HELD: return instrument_of_job(rows, body.getJobHeld().getJob());
    case schema::Event::Body::JOB_RELEASED: return instrument_of_job(rows, body.getJobReleased().getJob());
    case schema::Event::Body::ATTEMPT_STARTED: return instrument_of_job(rows, body.getAttemptStarted().getJob());
    case schema::Event::Body::ATTEMPT_LOST: return instrument_of_job(rows, body.getAttemptLost().getJob());
    case schema::Event::Body::ATTEMPT_FAILED: return instrument_of_job(rows, body.getAttemptFailed().getJob());
    case schema::Event::Body::ATTEMPT_SUCCEEDED: return instrument_of_job(rows, body.getAttemptSucceeded().getJob());
    case schema::Event::Body::RESULT_REJECTED: return instrument_of_job(rows, body.getResultRejected().getJob());
    case schema::Event::Body::JOB_SUCCEEDED: return instrument_of_job(rows, body.getJobSucceeded().getJob());
    case schema::Event::Body::JOB_FAILED: return instrument_of_job(rows, body.getJobFailed().getJob());
    case schema::Event::Body::JOB_SKIPPED: return instrument_of_job(rows, body.getJobSkipped().getJob());
    case schema::Event::Body::JOB_CANCELLED: return instrument_of_job(rows, body.getJobCancelled().getJob());
    case schema::Event::Body::WORKER_JOINED: return {};
    case schema::Event::Body::WORKER_LEFT: return {};
    case schema::Event::Body::LOSS_ACCEPTED: return {};
    case schema::Event::Body::BLOBS_ERASED: return {};
    case schema::Event::Body::COMMANDS_FORGOTTEN: return {};
  }
  return {};
}

}  // namespace rpc
