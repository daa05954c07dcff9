#include "tools/commands/follow.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "tools/records.h"

namespace tools {
namespace {

using States = std::vector<schema::RunState>;

/// Outlives neither the sink nor the call that follows; both hold it.
struct Following {
  Follow order;
  schema::Runs::Client runs;
  JobNames jobs;
  std::vector<std::optional<schema::RunState>> states;
  kj::Own<kj::PromiseFulfiller<States>> done;

  Following(Follow given, schema::Runs::Client runs_client, kj::Own<kj::PromiseFulfiller<States>> fulfiller)
      : order(std::move(given)), runs(kj::mv(runs_client)), states(order.until_finished.size()), done(kj::mv(fulfiller)) {}

  bool is_over() { return !done->isWaiting(); }
};

/// The state of what is waited for, once it is final.
std::optional<schema::RunState> final_state(schema::Runs::ShowResults::Reader shown, uint16_t version) {
  if (shown.getRefusal().getCode() != schema::Refusal::Code::OK) return std::nullopt;
  if (version == 0) {
    schema::RunRow::Reader run = shown.getRun();
    return is_final(run.getState()) && run.getPendingRequest() == 0 ? std::optional(run.getState()) : std::nullopt;
  }
  std::optional<schema::JobRow::Reader> job = chosen_version(shown, version);
  return job && is_final(job->getState()) ? std::optional(job->getState()) : std::nullopt;
}

/// Looks at every run still waited for, from the first on; ends the following when there is none.
kj::Promise<void> check(std::shared_ptr<Following> following, size_t first = 0) {
  constexpr size_t kAtOnce = 500;  // a connection may have so many calls and no more: rpc/transport.h
  if (following->order.until_finished.empty()) return kj::READY_NOW;
  kj::Vector<kj::Promise<void>> looks;
  const size_t end = std::min(first + kAtOnce, following->states.size());
  for (size_t i = first; i < end; ++i) {
    if (following->states[i]) continue;
    const RunName& run = following->order.until_finished[i];
    auto request = following->runs.showRequest();
    request.getRun().setInstrument(kj_text(run.instrument));
    request.getRun().setRunNumber(run.run_number);
    looks.add(request.send().then([following, i, version = run.version](auto&& shown) { following->states[i] = final_state(shown, version); }));
  }
  return kj::joinPromises(looks.releaseAsArray()).then([following, end]() -> kj::Promise<void> {
    if (end < following->states.size()) return check(following, end);
    States states;
    for (const auto& state : following->states) {
      if (!state) return kj::READY_NOW;
      states.push_back(*state);
    }
    following->done->fulfill(kj::mv(states));
    return kj::READY_NOW;
  });
}

class Sink final : public schema::EventSink::Server {
 public:
  explicit Sink(std::shared_ptr<Following> following) : following_(std::move(following)) {}
  ~Sink() noexcept(false) {
    following_->done->reject(KJ_EXCEPTION(DISCONNECTED, "ledgerd ended the subscription"));
  }

  kj::Promise<void> push(PushContext context) override {
    auto events = std::make_shared<Events>();
    std::set<uint64_t> unnamed;
    for (auto bytes : context.getParams().getEvents()) {
      base::Result<Document<schema::Event>> event = Document<schema::Event>::open(bytes_of(bytes));
      if (!event.is_ok()) return KJ_EXCEPTION(FAILED, "an event is no message");
      following_->jobs.learn(event->get());
      uint64_t job = job_of(event->get());
      if (job != 0 && !following_->jobs.find(job)) unnamed.insert(job);
      events->push_back(std::move(*event));
    }
    context.releaseParams();
    kj::Vector<kj::Promise<void>> lookups;
    for (uint64_t job : unnamed) lookups.add(learn_job(job));
    return kj::joinPromises(lookups.releaseAsArray()).then([following = following_, events] {
      bool check_now = false;
      for (const auto& event : *events) {
        if (following->is_over()) return kj::Promise<void>(kj::READY_NOW);
        const EventLine line = event_line(event.get(), following->jobs);
        if (!following->order.use(line)) following->done->fulfill(States());
        check_now |= ends_a_version(line.kind);
      }
      return check_now ? check(following) : kj::Promise<void>(kj::READY_NOW);
    });
  }

 private:
  kj::Promise<void> learn_job(uint64_t job) {
    auto request = following_->runs.historyRequest();
    request.initSubject().setSeq(job);  // a job's number is the seq of its jobQueued
    request.setLimit(1);
    return request.send().then([following = following_](auto&& answer) {
      for (auto bytes : answer.getEvents()) {
        base::Result<Document<schema::Event>> event = Document<schema::Event>::open(bytes_of(bytes));
        if (event.is_ok()) following->jobs.learn(event->get());
      }
    });
  }

  std::shared_ptr<Following> following_;
};

void write_filter(const EventSelection& about, schema::EventFilter::Builder filter) {
  if (!about.instrument.empty()) filter.setInstrument(kj_text(about.instrument));
  if (!about.kinds.empty()) filter.setKinds(kj::arrayPtr(about.kinds.data(), about.kinds.size()));
  std::vector<std::function<void(schema::Subject::Builder)>> subjects;
  if (!about.experiment.empty()) subjects.push_back([&](auto subject) { subject.setExperiment(kj_text(about.experiment)); });
  if (!about.worker.empty()) subjects.push_back([&](auto subject) { subject.setWorker(kj_text(about.worker)); });
  if (!about.by.empty()) subjects.push_back([&](auto subject) { subject.setActor(kj_text(about.by)); });
  if (about.job != 0) subjects.push_back([&](auto subject) { subject.setJob(about.job); });
  if (about.run) {
    subjects.push_back([&](auto subject) {
      subject.initRun().setInstrument(kj_text(about.run->instrument));
      subject.getRun().setRunNumber(about.run->run_number);
    });
  }
  if (subjects.empty()) return;
  auto list = filter.initSubjects(static_cast<uint32_t>(subjects.size()));
  for (uint32_t i = 0; i < list.size(); ++i) subjects[i](list[i]);
}

}  // namespace

bool ends_a_version(std::string_view kind) {
  constexpr std::string_view kLast[] = {"jobSucceeded", "jobFailed", "jobSkipped", "jobCancelled", "runSkipped", "rawFileRefused"};
  return std::find(std::begin(kLast), std::end(kLast), kind) != std::end(kLast);
}

base::Result<States> follow(Client& client, Follow order) {
  schema::Runs::Client runs = client.session().runsRequest().send().getRuns();
  auto end = kj::newPromiseAndFulfiller<States>();
  auto following = std::make_shared<Following>(std::move(order), runs, kj::mv(end.fulfiller));

  // Subscribed before looking, so that nothing is missed between the two.
  auto request = runs.watchRequest();
  request.setFrom(following->order.from_seq);
  write_filter(following->order.about, request.initFilter());
  request.setSink(kj::heap<Sink>(following));
  auto watching = ask(client, std::move(request));
  if (!watching.is_ok()) return watching.status();
  schema::Subscription::Client subscription = watching->getSubscription();

  base::Status checked = client.wait(check(following));
  if (!checked.is_ok()) return checked;
  return client.wait(kj::mv(end.promise));
}

}  // namespace tools
