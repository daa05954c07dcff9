// A facility's month, in process: 12 instruments, 3 000 runs, variables set in advance, two bad masks found at its end and put right by
// campaigns. The ledger, its capabilities and coordinatord are the real ones; instruments and workers are made up. What must come out
// is worked out here a second time, from the calendar of the month alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>

#include "base/program.h"
#include "daemons/coordinator/coordinator.h"
#include "ledger/canonical.h"
#include "schema/document.capnp.h"
#include "tests/support/served_ledger.h"

namespace {

using base::Sha256;
using ledger::view;
using schema::RunState;
using support::CommandMessage;

constexpr std::array<const char*, 12> kInstruments = {"ALF", "ARGUS", "CHRONUS", "EMU", "ENGINX", "GEM", "HIFI", "HRPD", "INES", "INTER", "IRIS", "LARMOR"};
constexpr size_t kRuns = 250;          // of each instrument
constexpr size_t kRunsAnExperiment = 50;
constexpr int64_t kBetweenRuns = 864 * support::FakeClock::kSecond;  // 3 000 of them are 30 days
constexpr uint16_t kSlots = 4;         // jobs that run at once
constexpr uint64_t kDayMs = 86'400'000;

// The calendar, by index of the run on its instrument (0 to 249). What is set is set well before it applies.
constexpr size_t kCutFrom = 60;                                      // ALF: cut = 0.7 from here on
constexpr size_t kMonExperiment = 3, kMonFrom = 160, kMonTo = 219;   // ENGINX: mon = 3 for an experiment, mon = 5 for a range
constexpr size_t kMaskBadFrom = 90;                                  // GEM: its mask file is spoilt here
constexpr size_t kScriptChanged = 120;                               // HRPD: reduce.py is rewritten here
constexpr size_t kWrongMaskExperiment = 2;                           // INTER: this experiment should have had another mask

bool fails(size_t index) { return index % 83 == 7; }
bool skips(size_t index) { return index % 100 == 50; }
bool succeeds(size_t index) { return !fails(index) && !skips(index); }
template <typename Wanted>
size_t how_many(size_t from, size_t to, Wanted wanted) {
  size_t count = 0;
  for (size_t index = from; index < to; ++index) count += wanted(index);
  return count;
}

uint64_t run_number(size_t instrument, size_t index) { return 10'000 * (instrument + 1) + 1 + index; }
size_t index_of(uint64_t number) { return (number - 1) % 10'000; }
size_t place_of(std::string_view instrument) {
  return static_cast<size_t>(std::find(kInstruments.begin(), kInstruments.end(), instrument) - kInstruments.begin());
}
std::string experiment(size_t instrument, size_t index) { return std::to_string(2'600'000 + 10 * instrument + index / kRunsAnExperiment); }

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// The made-up workers: what a job leads to follows from what it was given, and from nothing else.
///
/// Borrows the served ledger, which must outlive it.
class Workers {
 public:
  explicit Workers(support::ServedLedger& served) : served_(served), session_(served.session()) {
    auto joining = session_.daemonRequest();
    joining.setRole(schema::DaemonRole::WORKER);
    joining.setName("workerd/month");
    port_ = joining.send().getPort();
    served_.must(support::join_worker("join", "month", kSlots), support::daemon("workerd/month"));
  }
  void start() {
    for (size_t i = 0; i < kSlots; ++i) working_.add(work().eagerlyEvaluate([](kj::Exception&& problem) { ADD_FAILURE() << problem.getDescription().cStr(); }));
  }
  /// From now on jobs are left in the queue, but for those that the slots have asked for already.
  void rest() {
    auto paf = kj::newPromiseAndFulfiller<void>();
    rested_ = paf.promise.fork();
    wake_ = kj::mv(paf.fulfiller);
    resting_ = true;
  }
  void wake() {
    resting_ = false;
    wake_->fulfill();
  }

 private:
  kj::Promise<void> work() {
    if (resting_) return rested_.addBranch().then([this] { return work(); });
    return port_->aliveRequest().send().then([this](auto&&) { return take_job(); }).then([this] { return work(); });  // days go by between two jobs
  }

  kj::Promise<void> take_job() {
    auto request = port_->nextJobRequest();
    request.setCommandId("month/next/" + std::to_string(next_++));
    request.setWorker("month");
    request.setHost("month");
    request.setLeaseMs(kDayMs);
    auto environment = request.initEnvironments(1)[0];
    environment.setInterpreter("/usr/bin/python3");
    environment.setDocument(ledger::data(environment_));
    return request.send().then([this](auto&& given) {
      auto commands = port_->submitRequest();
      answer(given.getJob(), given.getAttempt(), given.getFence(), commands);
      return commands.send();
    }).then([this](auto&& answered) {
      for (auto answer : answered.getAnswers()) EXPECT_EQ(answer.getRefusal().getText(), "");
    });
  }

  template <typename Request>
  void answer(schema::JobRow::Reader job, uint16_t attempt, uint64_t fence, Request& request) {
    const auto queued = job.getQueued();
    const size_t index = index_of(queued.getRuns()[0].getRunNumber());
    const std::string id = "month/" + std::to_string(fence);
    if (succeeds(index)) {
      auto commands = request.initCommands(2);
      succeed(commands[0], id + "/succeed", job, attempt, fence);
      commands[1].setId(id + "/publish");
      auto publish = commands[1].initBody().initPublishJob();
      publish.setJob(job.getJob());
      publish.setAttempt(attempt);
      publish.setFence(fence);
      return;
    }
    auto command = request.initCommands(1)[0];
    command.setId(id + "/end");
    if (fails(index)) {
      auto failed = command.initBody().initFailAttempt();
      failed.setJob(job.getJob());
      failed.setAttempt(attempt);
      failed.setFence(fence);
      failed.setKind(schema::FailureKind::SCRIPT_EXCEPTION);
      failed.setMessage("ValueError: no monitor spectrum");
    } else {
      auto skipped = command.initBody().initSkipAttempt();
      skipped.setJob(job.getJob());
      skipped.setAttempt(attempt);
      skipped.setFence(fence);
      skipped.initReason().setCode("skipped_by_script");
      skipped.getReason().setText("Skip: an alignment run");
    }
  }

  void succeed(schema::Command::Builder command, const std::string& id, schema::JobRow::Reader job, uint16_t attempt, uint64_t fence) {
    const auto queued = job.getQueued();
    std::string made_from = std::string(view(queued.getScriptSha256()));
    for (auto sibling : queued.getSiblings()) made_from += std::string(view(sibling.getSha256()));
    const auto snapshot = served_.ledger->snapshot();
    const ledger::Row<schema::VariableSet> values(*snapshot->blob(view(queued.getVariables())));
    for (auto variable : values.get().getVariables()) made_from += fmt(variable.getName()) + fmt(variable.getValue());
    for (auto file : queued.getSupportFiles()) made_from += std::string(view(file.getSha256()));
    for (auto input : queued.getInputs()) made_from += std::string(view(input.getSha256()));

    capnp::MallocMessageBuilder message;
    auto file = message.initRoot<schema::OutputManifest>().initFiles(1)[0];
    file.setPath("reduced.nxs");
    file.setSizeBytes(1000);
    const Sha256 bytes = base::sha256(made_from);
    file.setSha256(support::data(bytes));
    const std::string manifest = ledger::canonical_bytes(message.getRoot<schema::OutputManifest>().asReader());
    const Sha256 name = base::sha256(manifest);

    command.setId(id);
    command.initBlobs(1).set(0, ledger::data(manifest));
    auto succeeded = command.initBody().initSucceedAttempt();
    succeeded.setJob(job.getJob());
    succeeded.setAttempt(attempt);
    succeeded.setFence(fence);
    auto outputs = succeeded.initOutputs();
    outputs.setManifest(support::data(name));
    outputs.setFiles(1);
    outputs.setTotalBytes(1000);
    outputs.setDirectory(queued.getOutputDirectory());
    succeeded.setStaging(std::string(queued.getOutputDirectory().cStr()) + ".staging");
  }
  static std::string fmt(capnp::Text::Reader text) { return std::string(view(text)) + "\n"; }

  support::ServedLedger& served_;
  schema::Session::Client session_;
  std::optional<schema::DaemonPort::Client> port_;
  static std::string make_environment() {
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::Environment>().setHost("month");
    return ledger::canonical_bytes(message.getRoot<schema::Environment>().asReader());
  }
  const std::string environment_ = make_environment();
  uint64_t next_ = 0;
  bool resting_ = false;
  kj::ForkedPromise<void> rested_ = nullptr;
  kj::Own<kj::PromiseFulfiller<void>> wake_;
  kj::Vector<kj::Promise<void>> working_;
};

class MonthTest : public testing::Test {
 protected:
  MonthTest() {
    spdlog::set_level(spdlog::level::off);
    for (size_t i = 0; i < kInstruments.size(); ++i) configure(i);
    settings.look_again_ms = 300;
    coordinator = std::make_unique<daemons::Coordinator>(served.loop, served.session(), settings, *launcher);
    coordinating = coordinator->run().eagerlyEvaluate(nullptr);
    workers.start();
  }

  ~MonthTest() noexcept override {}

  std::filesystem::path scripts(size_t instrument) { return served.folder / "scripts" / kInstruments[instrument]; }
  std::string mask(size_t instrument, const char* name = "mask.xml") { return (scripts(instrument) / name).string(); }

  void configure(size_t instrument) {
    const std::string name = kInstruments[instrument];
    write_file(scripts(instrument) / "reduce.py", "import reduce_vars as web_var\nimport common\n\ndef main(input_file, output_dir):\n    pass\n");
    write_file(scripts(instrument) / "common.py", "FACTOR = 1\n");
    write_file(scripts(instrument) / "reduce_vars.py",
               "standard_vars = {'mon': 1, 'mask_file': '" + mask(instrument) + "'}\nadvanced_vars = {'cut': 0.5}\n");
    write_file(mask(instrument), "a good mask of " + name);
    write_file(mask(instrument, "mask2.xml"), "the other mask of " + name);
    auto command = support::configure_instrument("configure " + name, name);
    command.get().getBody().getConfigureInstrument().setScriptPath((scripts(instrument) / "reduce.py").string());
    served.must(command);
  }

  void detect(size_t instrument, size_t index) {
    const std::string name = kInstruments[instrument];
    const uint64_t number = run_number(instrument, index);
    const std::filesystem::path path = served.folder / "archive" / name / (name + std::to_string(number) + ".nxs");
    write_file(path, "raw " + std::to_string(number));
    auto command = support::detect_run("detect " + path.filename().string(), name, number, experiment(instrument, index), "raw " + std::to_string(number));
    command.get().getBody().getDetectRun().getFiles()[0].setPath(path.string());
    served.must(command, support::daemon("monitord"));
    served.clock.advance(kBetweenRuns);
  }

  void set(size_t instrument, const std::string& name, const std::string& json, const std::function<void(schema::Scope::Builder)>& scope) {
    CommandMessage command("set " + std::to_string(settings_made++));
    auto change = command.get().getBody().initSetVariables();
    change.setInstrument(kInstruments[instrument]);
    scope(change.initScope());
    auto variable = change.initVariables(1)[0];
    variable.setGroup(name == "cut" ? schema::Variable::Group::ADVANCED : schema::Variable::Group::STANDARD);
    variable.setName(name);
    variable.setValue(json);
    served.must(command, support::person("scientist"));
  }

  /// Every run of index `index` has a job that has ended.
  void settle(size_t index) {
    served.until([&] {
      const auto snapshot = served.ledger->snapshot();
      for (size_t i = 0; i < kInstruments.size(); ++i) {
        const auto run = ledger::find_run(*snapshot, kInstruments[i], run_number(i, index));
        if (run->get().getState() == RunState::SKIPPED && run->get().getVersion() == 0) throw std::runtime_error(run->get().getReason().getText().cStr());
        if (run->get().getFinishedAt() == 0) return false;
      }
      return true;
    });
  }

  void live_through_the_month() {
    for (size_t index = 0; index < kRuns; ++index) {
      if (index == 20) set(0, "cut", "0.7", [](auto scope) { scope.setFromRun(run_number(0, kCutFrom)); });
      if (index == 100) {
        set(4, "mon", "3", [](auto scope) { scope.setExperiment(experiment(4, kMonExperiment * kRunsAnExperiment)); });
        set(4, "mon", "5", [](auto scope) {
          scope.setFromRun(run_number(4, kMonFrom));
          scope.setToRun(run_number(4, kMonTo));
        });
      }
      if (index == kMaskBadFrom) write_file(mask(5), "a spoilt mask of GEM");
      if (index == kScriptChanged) {
        write_file(scripts(7) / "reduce.py", "import reduce_vars as web_var\nimport common\n\ndef main(input_file, output_dir):\n    return None\n");
      }
      for (size_t i = 0; i < kInstruments.size(); ++i) detect(i, index);
      settle(index);
    }
  }

  // ---- what is asked of the record, as the command asks it ----

  template <typename Fill>
  std::vector<uint64_t> runs(Fill fill) {
    std::vector<uint64_t> found;
    auto client = session.runsRequest().send().getRuns();
    std::string after;
    do {
      auto request = client.listRequest();
      fill(request.initFilter());
      request.setLimit(1000);
      request.setAfter(ledger::data(after));
      auto page = served.loop.wait(request.send());
      EXPECT_EQ(page.getRefusal().getText(), "");
      for (auto run : page.getRuns()) found.push_back(run.getRun().getRunNumber());
      after = std::string(view(page.getNext()));
    } while (!after.empty());
    return found;
  }
  size_t count(RunState state) {
    return runs([&](schema::RunFilter::Builder filter) { filter.initStates(1).set(0, state); }).size();
  }

  struct Stale {
    uint64_t run;
    uint16_t version;
    std::vector<std::tuple<schema::StaleReason::Kind, std::string, std::string, std::string>> why;  // kind, name, was, now
  };
  std::vector<Stale> stale(const char* instrument = "") {
    std::vector<Stale> found;
    auto client = session.runsRequest().send().getRuns();
    std::string after;
    do {
      auto request = client.staleRequest();
      request.initFilter().setInstrument(instrument);
      request.setLimit(1000);
      request.setAfter(ledger::data(after));
      auto page = served.loop.wait(request.send());
      EXPECT_EQ(page.getRefusal().getText(), "");
      for (auto result : page.getResults()) {
        Stale one{result.getRun().getRunNumber(), result.getVersion(), {}};
        for (auto why : result.getWhy()) one.why.emplace_back(why.getKind(), why.getName().cStr(), why.getWas().cStr(), why.getNow().cStr());
        found.push_back(std::move(one));
      }
      after = std::string(view(page.getNext()));
    } while (!after.empty());
    return found;
  }

  schema::Campaigns::Client campaigns() { return session.campaignsRequest().send().getCampaigns(); }

  /// A campaign over the stale results of an instrument, by the current script and what is set now.
  uint64_t start_campaign(const char* instrument, const char* purpose, size_t expected) {
    const auto fill = [&](schema::CampaignRequest::Builder wanted) {
      wanted.setPurpose(purpose);
      wanted.getFilter().setInstrument(instrument);
      wanted.getFilter().setStale(true);
      wanted.setSelection(std::string(instrument) + ", stale");
      wanted.setScript(schema::ReductionRequested::ScriptChoice::CURRENT);
      wanted.setFreshVariables(true);
    };
    auto plan = campaigns().planRequest();
    fill(plan.initRequest());
    auto planned = served.loop.wait(plan.send());
    EXPECT_EQ(planned.getRefusal().getText(), "");
    EXPECT_EQ(planned.getPlan().getRunCount(), expected);
    EXPECT_EQ(planned.getPlan().getPassedCount(), 0u);
    EXPECT_EQ(planned.getPlan().getProblems().size(), 0u);

    auto start = campaigns().startRequest();
    start.setCommandId(purpose);
    fill(start.initRequest());
    auto started = served.loop.wait(start.send());
    EXPECT_EQ(started.getAnswer().getRefusal().getText(), "");
    EXPECT_NE(started.getCampaign(), 0u);
    return started.getCampaign();
  }
  ledger::Row<schema::CampaignRow> campaign(uint64_t id) { return *ledger::find_campaign(*served.ledger->snapshot(), id); }
  void until_finished(uint64_t id) {
    served.until([&] { return campaign(id).get().getState() == schema::CampaignRow::State::FINISHED; });
  }
  void expect_whole(schema::CampaignRow::Reader row) {
    const auto counts = row.getCounts();
    EXPECT_EQ(counts.getNotQueued() + counts.getWaiting() + counts.getRunning() + counts.getSucceeded() + counts.getFailed() + counts.getSkipped() +
                  counts.getCancelled() + counts.getPassed(),
              row.getStarted().getRuns());
  }
  std::map<schema::ComparedRun::Outcome, size_t> report(uint64_t id) {
    std::map<schema::ComparedRun::Outcome, size_t> outcomes;
    std::string after;
    do {
      auto request = campaigns().reportRequest();
      request.setCampaign(id);
      request.setAfter(ledger::data(after));
      auto page = served.loop.wait(request.send());
      EXPECT_EQ(page.getRefusal().getText(), "");
      for (auto run : page.getRuns()) ++outcomes[run.getOutcome()];
      after = std::string(view(page.getNext()));
    } while (!after.empty());
    return outcomes;
  }

  struct Campaigns {
    uint64_t gem, inter, hrpd;
  };
  /// The run's events are those of the calendar and no others, and each queueing names what led to it.
  void expect_explained(size_t instrument, size_t index, const Campaigns& done) {
    using Body = schema::Event::Body;
    auto request = session.runsRequest().send().getRuns().historyRequest();
    auto key = request.initSubject().initRun();
    key.setInstrument(kInstruments[instrument]);
    key.setRunNumber(run_number(instrument, index));
    auto answer = served.loop.wait(request.send());
    ASSERT_EQ(answer.getRefusal().getText(), "");
    std::vector<Body::Which> kinds;
    uint64_t detected = 0;
    std::vector<std::pair<std::string, uint64_t>> queued;  // reason code and cause
    for (auto bytes : answer.getEvents()) {
      const ledger::Row<schema::Event> event(std::string(view(bytes)));
      const auto body = event.get().getBody();
      kinds.push_back(body.which());
      if (body.isRunDetected()) detected = event.get().getSeq();
      if (body.isJobQueued()) queued.emplace_back(view(body.getJobQueued().getReason().getCode()), event.get().getCause());
    }

    std::vector<Body::Which> expected = {Body::RUN_DETECTED, Body::JOB_QUEUED, Body::ATTEMPT_STARTED};
    std::vector<std::pair<std::string, uint64_t>> causes = {{"new_run", detected}};
    const auto succeed = [&] { expected.insert(expected.end(), {Body::ATTEMPT_SUCCEEDED, Body::JOB_SUCCEEDED}); };
    if (fails(index)) expected.insert(expected.end(), {Body::ATTEMPT_FAILED, Body::JOB_FAILED});
    if (skips(index)) expected.insert(expected.end(), {Body::JOB_SKIPPED});
    if (succeeds(index)) succeed();
    uint64_t campaign = 0;
    const std::string name = kInstruments[instrument];
    if (name == "GEM" && index >= kMaskBadFrom && succeeds(index)) campaign = done.gem;
    if (name == "INTER" && index / kRunsAnExperiment == kWrongMaskExperiment && succeeds(index)) campaign = done.inter;
    if (name == "HRPD" && index < kScriptChanged && succeeds(index) && how_many(0, index, succeeds) < kSlots) campaign = done.hrpd;
    const bool was_held = campaign == done.inter && how_many(kWrongMaskExperiment * kRunsAnExperiment, index, succeeds) >= kSlots;
    if (campaign != 0) {
      expected.push_back(Body::JOB_QUEUED);
      if (was_held) expected.insert(expected.end(), {Body::JOB_HELD, Body::JOB_RELEASED});
      expected.push_back(Body::ATTEMPT_STARTED);
      succeed();
      causes.emplace_back("campaign", campaign);
    } else if (name == "HRPD" && index < kScriptChanged && succeeds(index) && kinds.size() > expected.size()) {
      expected.insert(expected.end(), {Body::JOB_QUEUED, Body::JOB_CANCELLED});  // taken back, if its turn had come
      causes.emplace_back("campaign", done.hrpd);
    }
    ASSERT_EQ(kinds, expected) << name << ' ' << index;
    ASSERT_EQ(queued, causes) << name << ' ' << index;
  }

  ledger::Row<schema::JobRow> result_of(size_t instrument, size_t index) {
    const auto snapshot = served.ledger->snapshot();
    const auto run = ledger::find_run(*snapshot, kInstruments[instrument], run_number(instrument, index));
    return *ledger::find_job(*snapshot, run->get().getResult());
  }
  struct Value {
    std::string json;
    schema::ResolvedVariable::Rule rule;
    std::string set_by;
    bool operator==(const Value&) const = default;
  };
  Value value(schema::JobRow::Reader job, std::string_view name) {
    const ledger::Row<schema::VariableSet> set(*served.ledger->snapshot()->blob(view(job.getQueued().getVariables())));
    for (auto variable : set.get().getVariables()) {
      if (view(variable.getName()) == name) return {std::string(view(variable.getValue())), variable.getRule(), std::string(view(variable.getSetBy()))};
    }
    ADD_FAILURE() << "no variable " << name;
    return {};
  }

  support::ServedLedger served;
  daemons::Coordinator::Settings settings{base::shared_file("run_script.py"), served.folder / "scratch", served.folder / "trials"};
  std::unique_ptr<daemons::ProcessLauncher> launcher = daemons::make_process_launcher(served.loop);
  Workers workers{served};
  std::unique_ptr<daemons::Coordinator> coordinator;
  kj::Promise<void> coordinating = nullptr;
  schema::Session::Client session = served.session();
  uint64_t settings_made = 0;
};
using Rule = schema::ResolvedVariable::Rule;
using Why = schema::StaleReason::Kind;
using Outcome = schema::ComparedRun::Outcome;

TEST_F(MonthTest, TwoBadMasksArePutRightByCampaigns) {
  live_through_the_month();

  // ---- runs ----
  const size_t failed = kInstruments.size() * how_many(0, kRuns, fails), skipped = kInstruments.size() * how_many(0, kRuns, skips);
  EXPECT_EQ(count(RunState::FAILED), failed);
  EXPECT_EQ(count(RunState::SKIPPED), skipped);
  EXPECT_EQ(count(RunState::SUCCEEDED), kInstruments.size() * kRuns - failed - skipped);
  EXPECT_EQ(runs([](schema::RunFilter::Builder filter) { filter.setExperiment(experiment(3, 120)); }).size(), kRunsAnExperiment);
  EXPECT_EQ(runs([](schema::RunFilter::Builder filter) {
              filter.setInstrument("ALF");
              auto wanted = filter.initVariables(1)[0];
              wanted.setName("cut");
              wanted.setValue("0.7");
            }).size(),
            kRuns - kCutFrom);
  const Sha256 good = base::sha256(std::string_view("a good mask of GEM")), spoilt = base::sha256(std::string_view("a spoilt mask of GEM"));
  EXPECT_EQ(runs([&](schema::RunFilter::Builder filter) { filter.setSupportFile(base::hex(spoilt)); }).size(), kRuns - kMaskBadFrom);

  // ---- which value each run of ENGINX and ALF had, by which rule, and whose ----
  for (size_t index = 0; index < kRuns; ++index) {
    if (!succeeds(index)) continue;
    Value mon{"1", Rule::SCRIPT_DEFAULT, ""};
    if (index >= kMonFrom && index <= kMonTo) mon = {"5", Rule::FROM_RUN, "scientist"};
    if (index / kRunsAnExperiment == kMonExperiment) mon = {"3", Rule::EXPERIMENT, "scientist"};
    EXPECT_EQ(value(result_of(4, index).get(), "mon"), mon) << index;
    const Value cut = index < kCutFrom ? Value{"0.5", Rule::SCRIPT_DEFAULT, ""} : Value{"0.7", Rule::FROM_RUN, "scientist"};
    EXPECT_EQ(value(result_of(0, index).get(), "cut"), cut) << index;
  }

  // ---- stale: HRPD's script was changed; GEM's mask, too, and who does not know that it is spoilt takes the earlier results for old ----
  const size_t old_script = how_many(0, kScriptChanged, succeeds), before_spoilt = how_many(0, kMaskBadFrom, succeeds);
  const size_t hrpd_place = place_of("HRPD"), gem_place = place_of("GEM");
  {
    const auto found = stale();
    EXPECT_EQ(found.size(), old_script + before_spoilt);
    for (const Stale& one : found) {
      const bool of_hrpd = one.run / 10'000 == hrpd_place + 1;
      ASSERT_TRUE(of_hrpd || one.run / 10'000 == gem_place + 1) << one.run;
      ASSERT_LT(index_of(one.run), of_hrpd ? kScriptChanged : kMaskBadFrom);
      ASSERT_EQ(one.why.size(), 1u);
      ASSERT_EQ(std::get<0>(one.why[0]), of_hrpd ? Why::SCRIPT : Why::SUPPORT_FILE);
    }
  }

  // ---- the masks are found to be bad: GEM's file is mended, INTER's experiment is given the other one ----
  write_file(mask(5), "a good mask of GEM");
  served.until([&] {
    const auto seen = ledger::find_support_file(*served.ledger->snapshot(), "GEM", mask(5));
    return seen && view(seen->get().getFile().getSha256()) == base::as_bytes(good);
  });
  set(9, "mask_file", "\"" + mask(9, "mask2.xml") + "\"", [](auto scope) { scope.setExperiment(experiment(9, kWrongMaskExperiment * kRunsAnExperiment)); });
  const size_t spoilt_runs = how_many(kMaskBadFrom, kRuns, succeeds);
  const size_t wrong_runs = how_many(kWrongMaskExperiment * kRunsAnExperiment, (kWrongMaskExperiment + 1) * kRunsAnExperiment, succeeds);
  {
    const auto gem = stale("GEM");
    EXPECT_EQ(gem.size(), spoilt_runs);
    for (const Stale& one : gem) {
      ASSERT_GE(index_of(one.run), kMaskBadFrom);
      ASSERT_THAT(one.why, testing::ElementsAre(std::tuple(Why::SUPPORT_FILE, mask(5), base::hex(spoilt), base::hex(good))));
    }
    const auto inter = stale("INTER");
    EXPECT_EQ(inter.size(), wrong_runs);
    for (const Stale& one : inter) {
      ASSERT_THAT(one.why, testing::ElementsAre(std::tuple(Why::VARIABLE, "mask_file", "\"" + mask(9) + "\"", "\"" + mask(9, "mask2.xml") + "\"")));
    }
    EXPECT_EQ(stale().size(), old_script + spoilt_runs + wrong_runs);
  }

  // ---- GEM: straight through ----
  const uint64_t gem = start_campaign("GEM", "the mask was spoilt from day 11 on", spoilt_runs);
  until_finished(gem);
  {
    const auto row = campaign(gem);
    expect_whole(row.get());
    EXPECT_EQ(row.get().getCounts().getSucceeded(), spoilt_runs);
    EXPECT_THAT(report(gem), testing::ElementsAre(testing::Pair(Outcome::DIFFERS, spoilt_runs)));
    EXPECT_TRUE(stale("GEM").empty());
    for (size_t index = 0; index < kRuns; ++index) {
      if (!succeeds(index)) continue;
      const auto now = result_of(5, index);
      ASSERT_EQ(now.get().getQueued().getVersion(), index < kMaskBadFrom ? 1 : 2) << index;
      ASSERT_EQ(now.get().getSupersededBy(), 0u);
      const auto run = ledger::find_run(*served.ledger->snapshot(), "GEM", run_number(5, index));
      const auto first = ledger::find_job(*served.ledger->snapshot(), run->get().getJobs()[0]);
      ASSERT_EQ(first->get().getSupersededBy(), index < kMaskBadFrom ? 0u : now.get().getJob());
    }
  }

  // ---- INTER: paused in the middle, then to its end ----
  workers.rest();
  const uint64_t inter = start_campaign("INTER", "this experiment needs the other mask", wrong_runs);
  served.until([&] {
    const auto row = campaign(inter);
    return row.get().getCounts().getWaiting() + kSlots == wrong_runs && row.get().getCounts().getSucceeded() == kSlots;
  });
  auto pause = campaigns().pauseRequest();
  pause.setCommandId("pause");
  pause.setCampaign(inter);
  pause.setComment("is the other mask the right one?");
  EXPECT_EQ(served.loop.wait(pause.send()).getAnswer().getRefusal().getText(), "");
  EXPECT_EQ(campaign(inter).get().getState(), schema::CampaignRow::State::PAUSED);
  EXPECT_EQ(count(RunState::HELD), wrong_runs - kSlots);
  workers.wake();
  auto resume = campaigns().resumeRequest();
  resume.setCommandId("resume");
  resume.setCampaign(inter);
  EXPECT_EQ(served.loop.wait(resume.send()).getAnswer().getRefusal().getText(), "");
  until_finished(inter);
  expect_whole(campaign(inter).get());
  EXPECT_EQ(campaign(inter).get().getCounts().getSucceeded(), wrong_runs);
  EXPECT_THAT(report(inter), testing::ElementsAre(testing::Pair(Outcome::DIFFERS, wrong_runs)));
  EXPECT_TRUE(stale("INTER").empty());
  EXPECT_EQ(value(result_of(9, kWrongMaskExperiment * kRunsAnExperiment).get(), "mask_file"),
            (Value{"\"" + mask(9, "mask2.xml") + "\"", Rule::EXPERIMENT, "scientist"}));

  // ---- HRPD: stopped when the four slots had taken a run each; the others are as they were ----
  workers.rest();
  const uint64_t hrpd = start_campaign("HRPD", "everything by the new script", old_script);
  served.until([&] { return campaign(hrpd).get().getCounts().getSucceeded() == kSlots && campaign(hrpd).get().getCounts().getWaiting() > 0; });
  auto stop = campaigns().stopRequest();
  stop.setCommandId("stop");
  stop.setCampaign(hrpd);
  stop.setComment("not needed after all");
  EXPECT_EQ(served.loop.wait(stop.send()).getAnswer().getRefusal().getText(), "");
  workers.wake();
  until_finished(hrpd);
  expect_whole(campaign(hrpd).get());
  EXPECT_EQ(campaign(hrpd).get().getCounts().getSucceeded(), kSlots);
  EXPECT_EQ(stale("HRPD").size(), old_script - kSlots);

  // ---- explain: what led to each version of every run, event by event ----
  for (size_t i = 0; i < kInstruments.size(); ++i) {
    for (size_t index = 0; index < kRuns; ++index) expect_explained(i, index, {gem, inter, hrpd});
  }

  EXPECT_EQ(count(RunState::FAILED), failed);
  EXPECT_EQ(count(RunState::SKIPPED), skipped);
  EXPECT_EQ(count(RunState::CANCELLED), 0u);
  EXPECT_EQ(count(RunState::SUCCEEDED), kInstruments.size() * kRuns - failed - skipped);
}

}  // namespace
