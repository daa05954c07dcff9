#include "ledger/views/queue.h"

#include <bit>

#include "ledger/views/outcome.h"
#include "ledger/views/runs.h"

namespace ledger {
namespace {

using Place = QueueView::Place;

constexpr std::string_view kLatestMoment = "l";

bool counts(char place) { return place != static_cast<char>(Place::kTaken); }

void count(Rows& rows, schema::QueueRow::Reader row, int64_t change) {
  add_to_count(rows, ViewId::kQueue, QueueView::count_key(view(row.getRun().getInstrument())), change);
}

/// Takes the job's row from where it is to `place`, changed by `change`.
template <typename Change>
void move(Rows& rows, uint64_t job, Place place, Change&& change) {
  auto key = rows.get(ViewId::kQueue, QueueView::job_key(job));
  if (!key) return;
  auto bytes = rows.get(ViewId::kQueue, *key);
  if (!bytes) return;
  SmallMessage message;
  message.setRoot(Row<schema::QueueRow>(*bytes).get());
  auto row = message.getRoot<schema::QueueRow>();
  row.setHeld(place == Place::kHeld);
  change(row);
  rows.erase(ViewId::kQueue, *key);
  std::string to = QueueView::row_key(place, row.getPriority(), job);
  rows.put(ViewId::kQueue, to, built_bytes(message));
  rows.put(ViewId::kQueue, QueueView::job_key(job), to);
  count(rows, row.asReader(), static_cast<int64_t>(counts(to[0])) - static_cast<int64_t>(counts((*key)[0])));
}

void leave(Rows& rows, uint64_t job) {
  auto key = rows.get(ViewId::kQueue, QueueView::job_key(job));
  if (!key) return;
  if (auto bytes = rows.get(ViewId::kQueue, *key); bytes && counts((*key)[0])) {
    count(rows, Row<schema::QueueRow>(*bytes).get(), -1);
  }
  rows.erase(ViewId::kQueue, *key);
  rows.erase(ViewId::kQueue, QueueView::job_key(job));
}

void enter(schema::Event::Reader event, schema::JobQueued::Reader queued, Rows& rows) {
  if (queued.getRuns().size() == 0) return;
  SmallMessage message;
  auto row = message.initRoot<schema::QueueRow>();
  row.setJob(event.getSeq());
  row.setRun(queued.getRuns()[0]);
  row.setVersion(queued.getVersion());
  row.setExperiment(queued.getExperiment());
  row.setPriority(queued.getPriority());
  row.setQueuedAt(event.getTime());
  row.setCampaign(queued.getCampaign());
  row.setStage(queued.getStage());
  row.setKind(queued.getKind());
  set_decision(row.initReason(), queued.getReason(), event.getSeq());
  std::string key = QueueView::row_key(Place::kWaiting, queued.getPriority(), event.getSeq());
  rows.put(ViewId::kQueue, key, built_bytes(message));
  rows.put(ViewId::kQueue, QueueView::job_key(event.getSeq()), key);
  count(rows, row.asReader(), 1);
}

/// Every kEventsAMoment events, but with many open jobs only so often that an event pays for a few of them at most.
void keep_moment(uint64_t seq, Rows& rows) {
  constexpr uint64_t kEventsAJob = 4;
  const uint64_t since = seq - read_count(rows, ViewId::kQueue, kLatestMoment);
  if (!std::has_single_bit(since / kEventsAMoment)) return;  // looked at after 1, 2, 4, 8... of them: a long queue is rarely walked
  std::vector<uint64_t> jobs;
  rows.scan(ViewId::kQueue, QueueView::job_key(0), [&](std::string_view key, std::string_view) {
    if (!key.starts_with('j')) return false;
    jobs.push_back(read_u64(key, 1));
    return jobs.size() * kEventsAJob <= since;
  });
  if (jobs.size() * kEventsAJob > since) return;
  SmallMessage message;
  set_numbers(message.initRoot<schema::QueueMoment>().initJobs(static_cast<uint32_t>(jobs.size())), jobs);
  rows.put(ViewId::kQueue, QueueView::moment_key(seq), built_bytes(message));
  rows.put(ViewId::kQueue, kLatestMoment, u64_key(seq));
}

void fold_body(schema::Event::Reader event, Rows& rows) {
  using Waiting = schema::QueueRow::Builder;
  auto body = event.getBody();
  auto decided = [&](schema::Reason::Reader reason) {
    return [reason, seq = event.getSeq()](Waiting row) { set_decision(row.initReason(), reason, seq); };
  };
  switch (body.which()) {
    case schema::Event::Body::JOB_QUEUED: return enter(event, body.getJobQueued(), rows);
    case schema::Event::Body::JOB_HELD:
      return move(rows, body.getJobHeld().getJob(), Place::kHeld, decided(body.getJobHeld().getReason()));
    case schema::Event::Body::JOB_RELEASED:
      return move(rows, body.getJobReleased().getJob(), Place::kWaiting, decided(body.getJobReleased().getReason()));
    case schema::Event::Body::ATTEMPT_STARTED: return move(rows, body.getAttemptStarted().getJob(), Place::kTaken, [](Waiting) {});
    case schema::Event::Body::ATTEMPT_LOST:
      return move(rows, body.getAttemptLost().getJob(), Place::kWaiting, decided(body.getAttemptLost().getReason()));
    case schema::Event::Body::ATTEMPT_FAILED: {
      auto failed = body.getAttemptFailed();
      if (!failed.getWillRetry()) return;
      return move(rows, failed.getJob(), Place::kWaiting,
                  [&](Waiting row) { set_decision(row.initReason(), "attempt_failed", retry_sentence(failed), event.getSeq()); });
    }
    case schema::Event::Body::JOB_SUCCEEDED: return leave(rows, body.getJobSucceeded().getJob());
    case schema::Event::Body::JOB_FAILED: return leave(rows, body.getJobFailed().getJob());
    case schema::Event::Body::JOB_SKIPPED: return leave(rows, body.getJobSkipped().getJob());
    case schema::Event::Body::JOB_CANCELLED: return leave(rows, body.getJobCancelled().getJob());
    default: return;
  }
}

}  // namespace

std::string QueueView::count_key(std::string_view instrument) { return kind_key('c', text_key(instrument)); }

void QueueView::fold(schema::Event::Reader event, Rows& rows) const {
  fold_body(event, rows);
  if (event.getSeq() % kEventsAMoment == 0) keep_moment(event.getSeq(), rows);
}

}  // namespace ledger
