// The ledger as a worker sees it, in memory: hands out jobs a test made, keeps what it is told, breaks when a test wants it.
#pragma once

#include <kj/async.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "ledger/canonical.h"
#include "schema/api.capnp.h"
#include "schema/document.capnp.h"

namespace support {

class FakeLedger {
 public:
  using Outcome = schema::AttemptRow::Outcome;
  using Body = schema::Command::Body;
  using Change = std::function<void(schema::JobQueued::Builder)>;

  schema::Session::Client session() { return kj::heap<Session>(*this); }

  std::string store(std::string_view bytes) {
    std::string name(base::as_bytes(base::sha256(bytes)));
    blobs[name] = bytes;
    return name;
  }
  std::string blob(capnp::Data::Reader name) { return blobs.at(std::string(ledger::view(name))); }

  /// Makes a job and lets it wait. `describe` fills the request.
  uint64_t queue(const Change& describe) {
    uint64_t id = next_seq_++;
    jobs_[id] = std::make_unique<capnp::MallocMessageBuilder>();
    auto row = jobs_[id]->initRoot<schema::JobRow>();
    row.setJob(id);
    row.setState(schema::RunState::QUEUED);
    describe(row.initQueued());
    waiting_.push_back(id);
    std::string interpreter = row.getQueued().getInterpreter().cStr();
    push([&](schema::Event::Body::Builder body) { body.initJobQueued().setInterpreter(interpreter); });
    dispatch();
    return id;
  }
  schema::JobRow::Builder job(uint64_t id) { return jobs_.at(id)->getRoot<schema::JobRow>(); }
  schema::AttemptRow::Builder attempt(uint64_t id, size_t index = 0) { return job(id).getAttempts()[index]; }
  size_t attempt_count(uint64_t id) { return job(id).getAttempts().size(); }

  /// Starts an attempt as nextJob would, for somebody who is not there any more.
  uint64_t start(uint64_t id, const std::string& worker) {
    std::erase(waiting_, id);
    auto row = job(id);
    capnp::MallocMessageBuilder before_message;
    before_message.setRoot(row.asReader());
    auto former = before_message.getRoot<schema::JobRow>().asReader().getAttempts();
    auto attempts = row.initAttempts(former.size() + 1);
    for (unsigned i = 0; i < former.size(); ++i) attempts.setWithCaveats(i, former[i]);
    auto added = attempts[attempts.size() - 1];
    uint64_t fence = next_seq_++;
    added.setNumber(attempts.size());
    added.setFence(fence);
    added.setWorker(worker);
    row.setState(schema::RunState::RUNNING);
    return fence;
  }

  /// A job that another worker runs.
  uint64_t started_elsewhere() {
    uint64_t id = next_seq_++;
    jobs_[id] = std::make_unique<capnp::MallocMessageBuilder>();
    jobs_[id]->initRoot<schema::JobRow>().setJob(id);
    start(id, "beta");
    return id;
  }

  /// The attempt has ended one way or the other.
  kj::Promise<void> when_settled(uint64_t id) {
    return when([this, id] {
      auto attempts = job(id).getAttempts();
      if (attempts.size() == 0) return false;
      auto outcome = attempts[attempts.size() - 1].getOutcome();
      return outcome != Outcome::RUNNING && outcome != Outcome::PUBLISHING;
    });
  }
  kj::Promise<void> when(std::function<bool()> condition) {
    if (condition()) return kj::READY_NOW;
    auto pair = kj::newPromiseAndFulfiller<void>();
    watchers_.push_back({std::move(condition), kj::mv(pair.fulfiller)});
    return kj::mv(pair.promise);
  }
  /// The command of a kind that came for a job, nullptr if none.
  const schema::Command::Reader* told(Body::Which kind) {
    for (const auto& command : commands_) {
      if (command->reader.getBody().which() == kind) return &command->reader;
    }
    return nullptr;
  }
  size_t count(Body::Which kind) {
    size_t found = 0;
    for (const auto& command : commands_) found += command->reader.getBody().which() == kind;
    return found;
  }
  void configure(std::string interpreter) {
    interpreters.push_back(std::move(interpreter));
    push([](schema::Event::Body::Builder body) { body.initInstrumentConfigured(); });
  }
  /// Everybody who watches is told; a worker that does not listen learns nothing of it.
  void cancel(uint64_t id) {
    for (auto attempt : job(id).getAttempts()) attempt.setOutcome(Outcome::LOST);
    push([id](schema::Event::Body::Builder body) { body.initJobCancelled().setJob(id); });
  }
  void lose(uint64_t id) {
    for (auto attempt : job(id).getAttempts()) attempt.setOutcome(Outcome::LOST);
    push([id](schema::Event::Body::Builder body) { body.initAttemptLost().setJob(id); });
  }
  void end_watch() { sink_.reset(); }
  void take_away(uint64_t id) {
    for (auto attempt : job(id).getAttempts()) attempt.setOutcome(Outcome::LOST);
    cancelled_.push_back(id);
  }

  std::vector<std::string> interpreters{"/usr/bin/python3"};
  std::string detail;  // of the last sign of life
  std::map<std::string, std::string> blobs;
  std::map<std::string, std::string> environments;                                       // documents offered with the last nextJob
  std::function<bool(Body::Which)> breaks_at = [](Body::Which) { return false; };        // connection breaks when it is sent
  std::function<bool(Body::Which)> breaks_after = [](Body::Which) { return false; };     // taken, then the connection breaks
  std::function<void()> leased = [] {};                                                  // a job has just been given away
  std::function<void(schema::Command::Reader)> before = [](schema::Command::Reader) {};  // sees each command first
  std::function<base::Code(schema::Command::Reader)> refuses = [](schema::Command::Reader) { return base::Code::kOk; };

 private:
  struct Kept {
    explicit Kept(schema::Command::Reader command) {
      message.setRoot(command);
      reader = message.getRoot<schema::Command>().asReader();
    }
    capnp::MallocMessageBuilder message;
    schema::Command::Reader reader;
  };
  struct Watcher {
    std::function<bool()> condition;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  };
  struct Asking {
    std::string worker;
    kj::Own<kj::PromiseFulfiller<uint64_t>> fulfiller;
  };

  [[noreturn]] static void broken() {
    kj::throwFatalException(kj::Exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::str("the connection broke")));
  }

  void push(const std::function<void(schema::Event::Body::Builder)>& fill) {
    if (!sink_) return;
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<schema::Event>().getBody());
    std::string bytes = ledger::canonical_bytes(message.getRoot<schema::Event>().asReader());
    auto request = KJ_ASSERT_NONNULL(*sink_).pushRequest();
    request.initEvents(1).set(0, ledger::data(bytes));
    request.send().ignoreResult().detach([](kj::Exception&&) {});
  }

  void dispatch() {
    std::erase_if(asking_, [](Asking& asking) { return !asking.fulfiller->isWaiting(); });
    while (!waiting_.empty() && !asking_.empty()) {
      uint64_t id = waiting_.front();
      if (!environments.contains(job(id).getQueued().getInterpreter().cStr())) return check();
      start(id, asking_.front().worker);
      auto fulfiller = kj::mv(asking_.front().fulfiller);
      asking_.erase(asking_.begin());
      fulfiller->fulfill(kj::mv(id));
    }
    check();
  }
  void check() {
    for (size_t i = 0; i < watchers_.size();) {
      if (!watchers_[i].condition()) {
        ++i;
        continue;
      }
      watchers_[i].fulfiller->fulfill();
      watchers_.erase(watchers_.begin() + static_cast<ptrdiff_t>(i));
    }
  }

  schema::AttemptRow::Builder open(uint64_t id, uint64_t fence) {
    for (auto attempt : job(id).getAttempts()) {
      if (attempt.getFence() == fence) return attempt;
    }
    KJ_FAIL_REQUIRE("no attempt of this fence", id, fence);
  }
  bool is_open(uint64_t id, uint64_t fence) {
    auto outcome = open(id, fence).getOutcome();
    return outcome == Outcome::RUNNING || outcome == Outcome::PUBLISHING;
  }

  void decide(schema::Command::Reader command) {
    for (auto blob : command.getBlobs()) store(ledger::view(blob));
    auto body = command.getBody();
    switch (body.which()) {
      case Body::SUCCEED_ATTEMPT: {
        auto done = body.getSucceedAttempt();
        if (!is_open(done.getJob(), done.getFence())) return;
        auto attempt = open(done.getJob(), done.getFence());
        attempt.setOutcome(Outcome::PUBLISHING);
        attempt.setOutputs(done.getOutputs());
        attempt.setStaging(done.getStaging());
        attempt.setLog(done.getLog());
        attempt.setMessage(done.getMessage());
        return;
      }
      case Body::PUBLISH_JOB: {
        auto done = body.getPublishJob();
        if (is_open(done.getJob(), done.getFence())) open(done.getJob(), done.getFence()).setOutcome(Outcome::SUCCEEDED);
        return;
      }
      case Body::FAIL_ATTEMPT: {
        auto done = body.getFailAttempt();
        if (!is_open(done.getJob(), done.getFence())) return;
        auto attempt = open(done.getJob(), done.getFence());
        attempt.setOutcome(Outcome::FAILED);
        attempt.setKind(done.getKind());
        attempt.setMessage(done.getMessage());
        attempt.setTraceback(done.getTraceback());
        attempt.setLog(done.getLog());
        attempt.setOutputs(done.getOutputs());
        attempt.setExitStatus(done.getExitStatus());
        return;
      }
      case Body::SKIP_ATTEMPT: {
        auto done = body.getSkipAttempt();
        if (!is_open(done.getJob(), done.getFence())) return;
        auto attempt = open(done.getJob(), done.getFence());
        attempt.setOutcome(Outcome::SKIPPED);
        attempt.setMessage(done.getReason().getText());
        attempt.setLog(done.getLog());
        return;
      }
      case Body::JOIN_WORKER:
      case Body::LEAVE_WORKER:
        for (auto& [id, message] : jobs_) {
          for (auto attempt : job(id).getAttempts()) {
            if (attempt.getOutcome() == Outcome::RUNNING) attempt.setOutcome(Outcome::LOST);
          }
        }
        return;
      default:
        return;
    }
  }

  class Port final : public schema::DaemonPort::Server {
   public:
    explicit Port(FakeLedger& ledger) : ledger_(ledger) {}
    kj::Promise<void> submit(SubmitContext context) override {
      auto commands = context.getParams().getCommands();
      auto answers = context.getResults().initAnswers(commands.size());
      for (size_t i = 0; i < commands.size(); ++i) {
        auto kind = commands[i].getBody().which();
        if (ledger_.breaks_at(kind)) broken();
        ledger_.before(commands[i]);
        base::Code refusal = ledger_.refuses(commands[i]);
        answers[i].initRefusal().setCode(static_cast<schema::Refusal::Code>(refusal));
        answers[i].getRefusal().setText(refusal == base::Code::kOk ? "" : "the test refuses it");
        if (refusal != base::Code::kOk) continue;
        ledger_.commands_.push_back(std::make_unique<Kept>(commands[i]));
        ledger_.decide(commands[i]);
        if (ledger_.breaks_after(kind)) broken();
      }
      ledger_.check();
      return kj::READY_NOW;
    }
    kj::Promise<void> job(JobContext context) override {
      context.getResults().setJob(ledger_.job(context.getParams().getJob()));
      return kj::READY_NOW;
    }
    kj::Promise<void> nextJob(NextJobContext context) override {
      context.allowCancellation();
      auto params = context.getParams();
      ledger_.environments.clear();
      for (auto environment : params.getEnvironments()) {
        ledger_.environments.emplace(ledger::view(environment.getInterpreter()), ledger::view(environment.getDocument()));
      }
      auto pair = kj::newPromiseAndFulfiller<uint64_t>();
      ledger_.asking_.push_back({params.getWorker().cStr(), kj::mv(pair.fulfiller)});
      ledger_.dispatch();
      return pair.promise.then([this, context](uint64_t id) mutable {
        auto row = ledger_.job(id);
        context.getResults().setJob(row);
        auto attempt = row.getAttempts()[row.getAttempts().size() - 1];
        context.getResults().setAttempt(attempt.getNumber());
        context.getResults().setFence(attempt.getFence());
        ledger_.leased();
      });
    }
    kj::Promise<void> alive(AliveContext context) override {
      auto cancelled = context.getResults().initCancelled(ledger_.cancelled_.size());
      for (size_t i = 0; i < ledger_.cancelled_.size(); ++i) cancelled.set(i, ledger_.cancelled_[i]);
      ledger_.cancelled_.clear();
      ledger_.detail = context.getParams().getDetail().cStr();
      ledger_.check();
      return kj::READY_NOW;
    }

   private:
    FakeLedger& ledger_;
  };

  class Subscription final : public schema::Subscription::Server {};

  class Runs final : public schema::Runs::Server {
   public:
    explicit Runs(FakeLedger& ledger) : ledger_(ledger) {}
    kj::Promise<void> blob(BlobContext context) override {
      auto params = context.getParams();
      auto found = ledger_.blobs.find(std::string(ledger::view(params.getSha256())));
      if (found == ledger_.blobs.end()) {
        auto refusal = context.getResults().initRefusal();
        refusal.setCode(schema::Refusal::Code::NOT_FOUND);
        refusal.setText("no such blob");
        return kj::READY_NOW;
      }
      // In small pieces, as a big blob would come.
      std::string piece = found->second.substr(params.getOffset(), 1000);
      context.getResults().setBytes(ledger::data(piece));
      context.getResults().setTotalBytes(found->second.size());
      return kj::READY_NOW;
    }
    /// Every job is a version of the run that is asked for.
    kj::Promise<void> show(ShowContext context) override {
      auto versions = context.getResults().initVersions(ledger_.jobs_.size());
      size_t i = 0;
      for (const auto& [id, message] : ledger_.jobs_) versions.setWithCaveats(i++, ledger_.job(id));
      return kj::READY_NOW;
    }
    kj::Promise<void> watch(WatchContext context) override {
      ledger_.sink_ = std::make_unique<kj::Maybe<schema::EventSink::Client>>(context.getParams().getSink());
      context.getResults().setSubscription(kj::heap<Subscription>());
      return kj::READY_NOW;
    }
    kj::Promise<void> instruments(InstrumentsContext context) override {
      auto rows = context.getResults().initInstruments(ledger_.interpreters.size());
      for (size_t i = 0; i < ledger_.interpreters.size(); ++i) rows[i].initConfig().setInterpreter(ledger_.interpreters[i]);
      return kj::READY_NOW;
    }

   private:
    FakeLedger& ledger_;
  };

  class Operator final : public schema::Operator::Server {
   public:
    explicit Operator(FakeLedger& ledger) : ledger_(ledger) {}
    kj::Promise<void> queue(QueueContext context) override {
      auto rows = context.getResults().initWaiting(ledger_.waiting_.size());
      for (size_t i = 0; i < ledger_.waiting_.size(); ++i) rows[i].setJob(ledger_.waiting_[i]);
      return kj::READY_NOW;
    }
    kj::Promise<void> workers(WorkersContext context) override {
      auto row = context.getResults().initWorkers(1)[0];
      row.initWorker().setWorker("alpha");
      auto jobs = row.initJobs(ledger_.jobs_.size());
      size_t i = 0;
      for (const auto& [id, message] : ledger_.jobs_) jobs.set(i++, id);
      return kj::READY_NOW;
    }

   private:
    FakeLedger& ledger_;
  };

  class Session final : public schema::Session::Server {
   public:
    explicit Session(FakeLedger& ledger) : ledger_(ledger) {}
    kj::Promise<void> runs(RunsContext context) override {
      context.getResults().setRuns(kj::heap<Runs>(ledger_));
      return kj::READY_NOW;
    }
    kj::Promise<void> operator_(OperatorContext context) override {
      context.getResults().setOperator(kj::heap<Operator>(ledger_));
      return kj::READY_NOW;
    }
    kj::Promise<void> daemon(DaemonContext context) override {
      context.getResults().setPort(kj::heap<Port>(ledger_));
      return kj::READY_NOW;
    }

   private:
    FakeLedger& ledger_;
  };

  std::map<uint64_t, std::unique_ptr<capnp::MallocMessageBuilder>> jobs_;
  std::vector<uint64_t> waiting_, cancelled_;
  std::vector<Asking> asking_;
  std::vector<std::unique_ptr<Kept>> commands_;
  std::vector<Watcher> watchers_;
  std::unique_ptr<kj::Maybe<schema::EventSink::Client>> sink_;
  uint64_t next_seq_ = 100;
};

}  // namespace support
