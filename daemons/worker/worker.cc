#include "daemons/worker/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <kj/vector.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/counted.h"
#include "base/text.h"
#include "daemons/event_watch.h"
#include "daemons/refusal.h"
#include "daemons/signs_of_life.h"
#include "daemons/worker/attempt.h"
#include "daemons/worker/environments.h"
#include "daemons/worker/extra_copies.h"
#include "daemons/worker/runner_copy.h"
#include "ledger/canonical.h"
#include "rpc/answers.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;
using rpc::status_of;

constexpr auto kFirstPause = 200 * kj::MILLISECONDS;
constexpr auto kLongestPause = 5 * kj::SECONDS;
constexpr auto kEnding = 60 * kj::SECONDS;  // for killed scripts to be gone

/// Keeps a second worker out of a scratch folder that is emptied at start; held as long as the object.
class ScratchLock {
 public:
  ScratchLock() = default;
  ScratchLock(const ScratchLock&) = delete;
  ScratchLock& operator=(const ScratchLock&) = delete;
  ~ScratchLock() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Status take(const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    std::string file = folder + ".lock";
    descriptor_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0) return {Code::kUnavailable, fmt::format("{}: {}", file, strerror(errno))};
    if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return {};
    return {Code::kConflict, fmt::format("{}: another worker works here under the same name; give this one its own with --name", folder)};
  }

 private:
  int descriptor_ = -1;
};

/// Wakes everybody who waits. A wait that was dropped leaves nothing behind.
class Signal {
 public:
  kj::Promise<void> wait() { return next_.addBranch(); }
  void raise() {
    auto raised = kj::mv(pair_);
    pair_ = kj::newPromiseAndFulfiller<void>();
    next_ = pair_.promise.fork();
    raised.fulfiller->fulfill();
  }

 private:
  kj::PromiseFulfillerPair<void> pair_ = kj::newPromiseAndFulfiller<void>();
  kj::ForkedPromise<void> next_ = pair_.promise.fork();
};

struct LeasedJob {
  std::optional<AttemptPlan> plan;  // nullopt and ok: look again
  Status status;
};

}  // namespace

class Worker::Impl final : public kj::TaskSet::ErrorHandler {
 public:
  Impl(rpc::Loop& loop, schema::Session::Client session, WorkerSettings settings, ProcessLauncher& launcher,
       const base::Clock& clock)
      : loop_(loop),
        session_(kj::mv(session)),
        settings_(std::move(settings)),
        launcher_(launcher),
        joining_(fmt::format("workerd/{}/{}-{}", settings_.name, clock.now_ns(), getpid())),
        environments_(loop, launcher, settings_.host, runner_package(run_script_), [this] { environments_changed_.raise(); }),
        background_(kj::heap<kj::TaskSet>(*this)),
        slots_(*this) {}

  kj::Promise<void> run();
  kj::Promise<void> drain();

 private:
  void taskFailed(kj::Exception&& exception) override { broken_.fulfiller->reject(kj::mv(exception)); }
  /// Fulfilled when no slot works any more, or after a while all the same: a call that is never answered holds up nobody.
  kj::Promise<void> when_idle();
  kj::Promise<void> all_slots_ended();

  // coming
  kj::Promise<void> set_up();
  kj::Promise<void> open_port();
  kj::Promise<void> clear_scratch();
  kj::Promise<kj::Array<uint64_t>> open_jobs();
  kj::Promise<void> join();
  kj::Promise<void> settle(kj::Array<uint64_t> jobs);
  kj::Promise<void> settle_job(uint64_t job);
  void start_working();

  // finishing publications
  kj::Promise<void> publish_accepted(const AttemptPlan& plan, schema::AttemptRow::Reader attempt);
  kj::Promise<void> look_for_publications();
  kj::Promise<void> look_at_publication(uint64_t job, std::set<uint64_t>& standing);

  // knowing where scripts run
  kj::Promise<void> watch_events();
  kj::Promise<void> note_waiting_jobs();
  kj::Promise<void> note_waiting_jobs(schema::Operator::Client desk, std::string after);
  kj::Promise<void> note_interpreter(uint64_t job);
  kj::Promise<void> refresh_environments();
  kj::Promise<void> ask_interpreters();
  kj::Promise<void> follow_changes();

  // working
  kj::Promise<void> serve_slot(kj::Duration pause);
  kj::Promise<LeasedJob> next_job();
  kj::Promise<void> work_on(AttemptPlan plan);
  kj::Promise<void> report_own_trouble(const AttemptPlan& plan, kj::Exception&& trouble);
  void look_after(uint64_t job);
  std::string detail() const;

  // going
  void stop_everything();
  kj::Promise<void> leave();

  rpc::Loop& loop_;
  schema::Session::Client session_;
  WorkerSettings settings_;
  ProcessLauncher& launcher_;
  std::string joining_;  // heads the ids of this connection's commands
  const std::string run_script_ = settings_.scratch + "/runner/run_script.py";

  kj::Maybe<schema::Runs::Client> runs_;
  kj::Maybe<Reporter> reporter_;
  kj::Maybe<AttemptContext> context_;
  kj::Maybe<EventWatch> events_;
  kj::Maybe<SignsOfLife> signs_of_life_;
  kj::PromiseFulfillerPair<void> broken_ = kj::newPromiseAndFulfiller<void>();
  Signal came_, left_, stopping_raised_, environments_changed_, instruments_changed_, slot_ended_;
  enum class Phase { kNew, kComing, kWorking } phase_ = Phase::kNew;
  ScratchLock lock_;
  bool stopping_ = false, joined_ = false, has_left_ = false, changes_pending_ = false;
  uint64_t asked_ = 0;  // nextJob calls so far
  std::vector<std::string> interpreters_;
  std::set<std::string> interpreters_of_jobs_;  // those of instruments and others that a job was queued with
  std::map<uint64_t, Attempt*> attempts_;  // by fence
  std::set<uint64_t> publications_seen_;   // fences of others' publications at the last look
  bool looking_ = false;                   // for publications
  size_t busy_slots_ = 0;
  Environments environments_;  // raises environments_changed_
  kj::Own<kj::TaskSet> background_;  // signs of life, changes of instruments
  kj::TaskSet slots_;                // last, so that it goes first
};

// ---- coming ----

kj::Promise<void> Worker::Impl::run() {
  phase_ = Phase::kComing;
  auto came = kj::defer([this] {
    phase_ = Phase::kWorking;
    came_.raise();
  });
  auto working = set_up().attach(kj::mv(came)).then([this] {
    start_working();
    return all_slots_ended();
  });
  return working.exclusiveJoin(kj::mv(broken_.promise)).catch_([this](kj::Exception&& why) -> kj::Promise<void> {
    stop_everything();
    return when_idle().then([why = kj::mv(why)]() mutable { kj::throwFatalException(kj::mv(why)); });
  });
}

kj::Promise<void> Worker::Impl::when_idle() { return all_slots_ended().exclusiveJoin(loop_.timer().afterDelay(kEnding)); }

kj::Promise<void> Worker::Impl::all_slots_ended() {
  if (busy_slots_ == 0) return kj::READY_NOW;
  return slot_ended_.wait().then([this] { return all_slots_ended(); });
}

kj::Promise<void> Worker::Impl::set_up() {
  return open_port()
      .then([this] { return clear_scratch(); })
      .then([this] { return open_jobs(); })
      .then([this](kj::Array<uint64_t> jobs) {
        return join().then([this, jobs = kj::mv(jobs)]() mutable { return settle(kj::mv(jobs)); });
      })
      .then([this] { return watch_events(); })
      .then([this] { return note_waiting_jobs(); })
      .then([this] { return refresh_environments(); });
}

kj::Promise<void> Worker::Impl::open_port() {
  auto runs = session_.runsRequest().send().getRuns();
  runs_ = runs;
  auto request = session_.daemonRequest();
  request.setRole(schema::DaemonRole::WORKER);
  request.setName("workerd/" + settings_.name);
  return request.send().then([this, runs](auto&& response) mutable {
    require_granted(response.getRefusal(), "worker " + settings_.name);
    auto& reporter = reporter_.emplace(loop_.timer(), response.getPort());
    context_.emplace(
        AttemptContext{loop_, launcher_, runs, reporter, settings_.scratch, settings_.supervisor, run_script_,
                       environments_});
    signs_of_life_.emplace(loop_, response.getPort(), settings_.lease_ms / 3 * kj::MILLISECONDS, [this] { return detail(); },
                           [this](SignsOfLife::Answer& answer) {
                             for (uint64_t job : answer.getCancelled()) look_after(job);
                             background_->add(ask_interpreters());  // one may have changed while a slot waits
                             background_->add(look_for_publications());
                           });
  });
}

kj::Promise<void> Worker::Impl::clear_scratch() {
  if (Status status = lock_.take(settings_.scratch); !status.is_ok()) give_up(status);
  return loop_
      .on_pool([folder = settings_.scratch, run_script = settings_.run_script, copy = run_script_]() -> Status {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        if (error)
          return {Code::kUnavailable, fmt::format("{}: the worker's scratch folder cannot be made: {}", folder, error.message())};
        for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
          // A tree that is just being ended may still write there; the folder's name is not used again.
          remove_folder(entry.path()).ignore();
        }
        return copy_runner(run_script, std::filesystem::path(copy).parent_path()).status();
      })
      .then([](Status status) {
        if (!status.is_ok()) give_up(status);
      });
}

/// Of every worker: those of our name are a former bearer's, and what was accepted of others is anybody's to publish.
kj::Promise<kj::Array<uint64_t>> Worker::Impl::open_jobs() {
  return session_.operatorRequest().send().then([this](auto&& response) -> kj::Promise<kj::Array<uint64_t>> {
    require_granted(response.getRefusal(), "worker " + settings_.name + ": asking what was left open");
    return response.getOperator().workersRequest().send().then([this](auto&& workers) {
      kj::Vector<uint64_t> jobs;
      for (auto worker : workers.getWorkers()) jobs.addAll(worker.getJobs());
      return jobs.releaseAsArray();
    });
  });
}

kj::Promise<void> Worker::Impl::join() {
  Command command(joining_ + "/join");
  auto body = command.body().initJoinWorker();
  body.setWorker(settings_.name);
  body.setHost(settings_.host);
  body.setProcessId(static_cast<uint32_t>(getpid()));
  body.setSlots(settings_.slots);
  return KJ_ASSERT_NONNULL(reporter_).submit(kj::mv(command)).then([this](CommandAnswer answer) {
    if (!answer.status.is_ok()) give_up(answer.status.in("worker " + settings_.name));
    joined_ = true;
    spdlog::info("{} joined with {}", settings_.name, base::counted(settings_.slots, "slot"));
  });
}

kj::Promise<void> Worker::Impl::settle(kj::Array<uint64_t> jobs) {
  auto settling = KJ_MAP(job, jobs) { return settle_job(job); };
  return kj::joinPromises(kj::mv(settling));
}

/// Finishes what was accepted but not published, removes what was lost.
kj::Promise<void> Worker::Impl::settle_job(uint64_t job) {
  auto request = KJ_ASSERT_NONNULL(reporter_).port().jobRequest();
  request.setJob(job);
  return request.send().then([this](auto&& response) -> kj::Promise<void> {
    auto row = response.getJob();
    kj::Vector<kj::Promise<void>> steps;
    for (auto attempt : row.getAttempts()) {
      AttemptPlan plan = AttemptPlan::from(row, attempt.getNumber(), attempt.getFence());
      bool own_name = ledger::view(attempt.getWorker()) == settings_.name;
      if (attempt.getOutcome() == schema::AttemptRow::Outcome::PUBLISHING) {
        steps.add(publish_accepted(plan, attempt));
      } else if (own_name && attempt.getOutcome() == schema::AttemptRow::Outcome::LOST) {
        steps.add(loop_.on_pool([staging = plan.staging()] { drop_staging(staging).ignore(); }));
      }
    }
    return kj::joinPromises(steps.releaseAsArray());
  });
}

// ---- finishing publications ----

kj::Promise<void> Worker::Impl::publish_accepted(const AttemptPlan& plan, schema::AttemptRow::Reader attempt) {
  spdlog::info("{}: finishing its publication, begun by {}", plan.name(), base::printable(ledger::view(attempt.getWorker())));
  return publish(loop_, KJ_ASSERT_NONNULL(runs_), KJ_ASSERT_NONNULL(reporter_), Publication::of(plan, attempt.getStaging().cStr()));
}

/// A publication that stands open at two looks has lost its worker, or its worker the ledger's ear. Whoever else is still at it is not
/// disturbed, so nobody has to know which.
kj::Promise<void> Worker::Impl::look_for_publications() {
  if (std::exchange(looking_, true)) return kj::READY_NOW;
  auto standing = kj::heap<std::set<uint64_t>>();
  auto& found = *standing;
  return open_jobs()
      .then([this, &found](kj::Array<uint64_t> jobs) {
        auto looks = KJ_MAP(job, jobs) { return look_at_publication(job, found); };
        return kj::joinPromises(kj::mv(looks));
      })
      .then([this, &found] { publications_seen_ = found; })
      .attach(kj::mv(standing), kj::defer([this] { looking_ = false; }));
}

kj::Promise<void> Worker::Impl::look_at_publication(uint64_t job, std::set<uint64_t>& standing) {
  for (const auto& [fence, attempt] : attempts_) {
    if (attempt->plan().job == job) return kj::READY_NOW;
  }
  auto request = KJ_ASSERT_NONNULL(reporter_).port().jobRequest();
  request.setJob(job);
  return request.send().then([this, &standing](auto&& response) -> kj::Promise<void> {
    auto row = response.getJob();
    for (auto attempt : row.getAttempts()) {
      if (attempt.getOutcome() != schema::AttemptRow::Outcome::PUBLISHING) continue;
      standing.insert(attempt.getFence());
      if (!publications_seen_.contains(attempt.getFence())) continue;
      return publish_accepted(AttemptPlan::from(row, attempt.getNumber(), attempt.getFence()), attempt);
    }
    return kj::READY_NOW;
  });
}

void Worker::Impl::start_working() {
  background_->add(KJ_ASSERT_NONNULL(signs_of_life_).run());
  background_->add(follow_changes());
  busy_slots_ = settings_.slots;
  for (uint16_t slot = 0; slot < settings_.slots; ++slot) {
    slots_.add(serve_slot(kFirstPause).attach(kj::defer([this] {
      busy_slots_ -= 1;
      slot_ended_.raise();
    })));
  }
}

// ---- knowing where scripts run ----

/// Instruments that are configured, and jobs that are no longer ours.
kj::Promise<void> Worker::Impl::watch_events() {
  using Body = schema::Event::Body;
  auto on_event = [this](schema::Event::Reader event) {
    auto body = event.getBody();
    if (body.isJobCancelled()) return look_after(body.getJobCancelled().getJob());
    if (body.isAttemptLost()) return look_after(body.getAttemptLost().getJob());
    if (body.isJobQueued() && !interpreters_of_jobs_.insert(body.getJobQueued().getInterpreter().cStr()).second) return;
    changes_pending_ = true;
    instruments_changed_.raise();
  };
  return EventWatch::start(KJ_ASSERT_NONNULL(runs_),
                           {Body::INSTRUMENT_CONFIGURED, Body::JOB_QUEUED, Body::JOB_CANCELLED, Body::ATTEMPT_LOST}, on_event)
      .then([this](EventWatch watch) { background_->add(events_.emplace(kj::mv(watch)).ended()); });
}

/// A job may ask for an interpreter that no instrument has for its own: one of the others it names, a stage's, a script's conda environment.
kj::Promise<void> Worker::Impl::note_waiting_jobs() {
  return session_.operatorRequest().send().then([this](auto&& response) {
    require_granted(response.getRefusal(), "worker " + settings_.name + ": asking what waits");
    return note_waiting_jobs(response.getOperator(), {});
  });
}

kj::Promise<void> Worker::Impl::note_waiting_jobs(schema::Operator::Client desk, std::string after) {
  auto request = desk.queueRequest();
  request.setAfter(ledger::data(after));
  return request.send().then([this, desk](auto&& response) mutable {
    auto notes = KJ_MAP(row, response.getWaiting()) { return note_interpreter(row.getJob()); };
    std::string next(ledger::view(response.getNext()));
    return kj::joinPromises(kj::mv(notes)).then([this, desk, next]() mutable -> kj::Promise<void> {
      return next.empty() ? kj::Promise<void>(kj::READY_NOW) : note_waiting_jobs(kj::mv(desk), next);
    });
  });
}

kj::Promise<void> Worker::Impl::note_interpreter(uint64_t job) {
  auto request = KJ_ASSERT_NONNULL(reporter_).port().jobRequest();
  request.setJob(job);
  return request.send().then([this](auto&& response) {
    interpreters_of_jobs_.insert(response.getJob().getQueued().getInterpreter().cStr());
  });
}

kj::Promise<void> Worker::Impl::refresh_environments() {
  return KJ_ASSERT_NONNULL(runs_).instrumentsRequest().send().then([this](auto&& response) {
    interpreters_.clear();
    for (auto row : response.getInstruments()) interpreters_.emplace_back(ledger::view(row.getConfig().getInterpreter()));
    interpreters_.insert(interpreters_.end(), interpreters_of_jobs_.begin(), interpreters_of_jobs_.end());
    std::erase(interpreters_, "");
    return ask_interpreters();
  });
}

kj::Promise<void> Worker::Impl::ask_interpreters() {
  return environments_.refresh(interpreters_);
}

kj::Promise<void> Worker::Impl::follow_changes() {
  if (stopping_) return kj::READY_NOW;
  auto changed = changes_pending_ ? kj::Promise<void>(kj::READY_NOW) : instruments_changed_.wait();
  return changed
      .then([this] {
        changes_pending_ = false;
        return refresh_environments();
      })
      .then([this] { return follow_changes(); });
}

// ---- working ----

kj::Promise<void> Worker::Impl::serve_slot(kj::Duration pause) {
  if (stopping_) return kj::READY_NOW;
  return next_job().then([this, pause](LeasedJob leased) -> kj::Promise<void> {
    if (leased.plan) return work_on(std::move(*leased.plan)).then([this] { return serve_slot(kFirstPause); });
    if (leased.status.is_ok()) return serve_slot(kFirstPause);
    spdlog::warn("{}: no job to be had: {}", settings_.name, leased.status.message());
    return loop_.timer().afterDelay(pause).exclusiveJoin(stopping_raised_.wait()).then([this, pause] {
      return serve_slot(std::min(pause * 2, kLongestPause));
    });
  });
}

/// Waits for a job; gives up the waiting when there is an environment more to offer, or when the worker stops.
kj::Promise<LeasedJob> Worker::Impl::next_job() {
  return ask_interpreters().then([this]() -> kj::Promise<LeasedJob> {
    if (stopping_) return LeasedJob{};
    auto request = KJ_ASSERT_NONNULL(reporter_).port().nextJobRequest();
    request.setCommandId(fmt::format("{}/next/{}", joining_, ++asked_));
    request.setWorker(settings_.name);
    request.setHost(settings_.host);
    request.setLeaseMs(settings_.lease_ms);
    auto list = request.initEnvironments(environments_.documents().size());
    size_t i = 0;
    for (const auto& [interpreter, document] : environments_.documents()) {
      list[i].setInterpreter(interpreter);
      list[i].setDocument(ledger::data(document));
      ++i;
    }
    // What has arrived at the moment the waiting is given up counts: that job is leased to us.
    auto arrived = std::make_shared<LeasedJob>();
    auto call = request.send()
                    .then([arrived](auto&& response) {
                      arrived->status = status_of(response.getRefusal());
                      if (!arrived->status.is_ok()) return;
                      arrived->plan = AttemptPlan::from(response.getJob(), response.getAttempt(), response.getFence());
                    })
                    .eagerlyEvaluate(nullptr);
    return call.exclusiveJoin(environments_changed_.wait()).exclusiveJoin(stopping_raised_.wait()).then([arrived] {
      return std::move(*arrived);
    });
  });
}

kj::Promise<void> Worker::Impl::work_on(AttemptPlan plan) {
  spdlog::info("{}: started", plan.name());
  uint64_t fence = plan.fence;
  auto attempt = kj::heap<Attempt>(KJ_ASSERT_NONNULL(context_), plan);
  attempts_[fence] = attempt.get();
  KJ_ASSERT_NONNULL(signs_of_life_).changed();
  if (stopping_) attempt->abandon();
  auto running = attempt->run();
  return running.attach(kj::mv(attempt), kj::defer([this, fence] {
                         attempts_.erase(fence);
                         KJ_IF_MAYBE (signs, signs_of_life_) signs->changed();
                       }))
      .catch_([this, plan = std::move(plan)](kj::Exception&& trouble) { return report_own_trouble(plan, kj::mv(trouble)); });
}

/// One attempt's trouble that nobody foresaw stays that attempt's; a broken connection is everybody's.
kj::Promise<void> Worker::Impl::report_own_trouble(const AttemptPlan& plan, kj::Exception&& trouble) {
  if (trouble.getType() == kj::Exception::Type::DISCONNECTED) kj::throwFatalException(kj::mv(trouble));
  std::string text = base::to_utf8(trouble.getDescription().cStr(), 1000);
  spdlog::error("{}: {}", plan.name(), base::printable(text));
  AttemptVerdict verdict = AttemptVerdict::failed(schema::FailureKind::WORKER, "the worker could not finish the attempt: " + text);
  return KJ_ASSERT_NONNULL(reporter_).failed(plan, verdict, {}, {}, "trouble").ignoreResult();
}

/// The job was taken from one of our attempts; from which of them, if it is ours again, only its record says.
void Worker::Impl::look_after(uint64_t job) {
  for (const auto& [fence, attempt] : attempts_) {
    if (attempt->plan().job != job) continue;
    background_->add(KJ_ASSERT_NONNULL(reporter_)
                         .standing(job, fence)
                         .then([this, fence = fence](base::Result<schema::AttemptRow::Outcome> outcome) {
                           auto found = attempts_.find(fence);
                           if (found == attempts_.end()) return;
                           if (outcome.is_ok() && *outcome != schema::AttemptRow::Outcome::LOST) return;
                           spdlog::warn("{}: the job was taken away; its script is ended", found->second->plan().name());
                           found->second->lose();
                         }));
  }
}

std::string Worker::Impl::detail() const {
  std::string text = fmt::format("{} of {} busy", attempts_.size(), base::counted(settings_.slots, "slot"));
  const char* between = ": ";
  for (const auto& [fence, attempt] : attempts_) {
    text += between + attempt->plan().name();
    between = "; ";
  }
  return base::to_utf8(text, 1000);
}

// ---- going ----

void Worker::Impl::stop_everything() {
  stopping_ = true;
  for (const auto& [fence, attempt] : attempts_) attempt->abandon();
  stopping_raised_.raise();
}

kj::Promise<void> Worker::Impl::drain() {
  stop_everything();
  // What was begun on coming, a publication left over perhaps, is finished first.
  auto come = phase_ == Phase::kComing ? came_.wait() : kj::Promise<void>(kj::READY_NOW);
  return come.then([this] { return when_idle(); }).then([this] { return leave(); }).attach(kj::defer([this] {
    has_left_ = true;
    left_.raise();
  }));
}

kj::Promise<void> Worker::Impl::leave() {
  background_ = kj::heap<kj::TaskSet>(*this);
  if (!joined_) return kj::READY_NOW;
  Command command(joining_ + "/leave");
  auto body = command.body().initLeaveWorker();
  body.setWorker(settings_.name);
  body.getReason().setCode("worker_stopped");
  body.getReason().setText(fmt::format("worker {} was asked to end", settings_.name));
  return KJ_ASSERT_NONNULL(reporter_).submit(kj::mv(command)).then([this](CommandAnswer answer) {
    if (!answer.status.is_ok()) spdlog::warn("{}: leaving: {}", settings_.name, answer.status.message());
  });
}

Worker::Worker(rpc::Loop& loop, schema::Session::Client session, WorkerSettings settings, ProcessLauncher& launcher,
               const base::Clock& clock)
    : impl_(kj::heap<Impl>(loop, kj::mv(session), std::move(settings), launcher, clock)) {}
Worker::~Worker() = default;
kj::Promise<void> Worker::run() { return impl_->run(); }
kj::Promise<void> Worker::drain() { return impl_->drain(); }

}  // namespace daemons
