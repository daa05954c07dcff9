#include "tests/ledger/rules/story.h"

#include <capnp/dynamic.h>

#include "ledger/fold.h"

namespace rules_test {
namespace {

using ledger::view;

capnp::Data::Reader sha(const std::string& hash) { return ledger::data(hash); }

void put_blobs(schema::Command::Builder command, const std::vector<std::string>& blobs) {
  auto list = command.initBlobs(static_cast<uint32_t>(blobs.size()));
  for (uint32_t i = 0; i < blobs.size(); ++i) list.set(i, ledger::data(blobs[i]));
}

std::string variables_document(const Story::Values& values) {
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::VariableSet>().initVariables(static_cast<uint32_t>(values.size()));
  for (uint32_t i = 0; i < values.size(); ++i) {
    list[i].setName(values[i].first);
    list[i].setValue(values[i].second);
  }
  return ledger::canonical_bytes(message.getRoot<schema::VariableSet>().asReader());
}

}  // namespace

std::string hash_of(std::string_view content) { return std::string(base::as_bytes(base::sha256(content))); }

::testing::AssertionResult refused(const Told& told, base::Code code, std::string_view part) {
  if (told.status.code() != code) {
    return ::testing::AssertionFailure() << "answered " << base::code_name(told.status.code()) << ": " << told.status.message();
  }
  if (told.status.message().find(part) == std::string::npos) {
    return ::testing::AssertionFailure() << "the sentence is: " << told.status.message();
  }
  if (!told.events.empty()) return ::testing::AssertionFailure() << "a refusal left events";
  return ::testing::AssertionSuccess();
}

Story& Story::as(schema::Actor::Kind kind, std::string name) {
  kind_ = kind;
  actor_ = std::move(name);
  return *this;
}

void Story::fold(schema::Event::Reader event, support::MemoryRows& rows) const {
  for (const ledger::View* view : ledger::views()) {
    support::OwnRows own(rows, view->id());
    view->fold(event, own);
  }
}

Told Story::tell(const Fill& fill, uint64_t cause) {
  capnp::MallocMessageBuilder message;
  auto command = message.initRoot<schema::Command>();
  std::string id = "test/" + std::to_string(head());
  command.setId(id);
  command.setCause(cause);
  fill(command);
  capnp::MallocMessageBuilder actor;
  auto who = actor.initRoot<schema::Actor>();
  who.setKind(kind_);
  who.setName(actor_);
  now_ns_ += kSecond;
  ledger::DecideContext context{now_ns_, head() + 1, who.asReader()};
  auto decided = ledger::decide(rows_, context, command.asReader());
  if (!decided.is_ok()) return {decided.status(), {}};
  for (auto blob : command.asReader().getBlobs()) rows_.put_blob(view(blob));
  Told told;
  for (auto& draft : *decided) {
    auto event = draft.event();
    event.setSeq(head() + 1);
    event.setTime(now_ns_);
    event.setCommandId(id);
    event.setActor(who);
    if (event.getCause() == 0) event.setCause(cause);
    events_.emplace_back(ledger::canonical_bytes(event.asReader()));
    told.events.push_back(head());
    fold(events_.back().get(), rows_);
  }
  return told;
}

Told Story::configure(std::string_view instrument, schema::Contract contract) {
  return tell([&](schema::Command::Builder command) {
    std::string name(instrument);
    auto config = command.getBody().initConfigureInstrument();
    config.setInstrument(name);
    config.setContract(contract);
    config.initRawFolders(1).set(0, "/archive/" + name);
    config.initFilePatterns(1).set(0, "*.nxs");
    config.setScriptPath("/scripts/" + name + "/reduce.py");
    config.setOutputPattern("/reduced/" + name + "/{run}/{version}");
    config.setInterpreter("/usr/bin/python3");
    config.setDetect("directory");
  });
}

Told Story::detect(uint64_t run, std::string_view content, std::string_view path, std::string_view experiment,
                   std::string_view instrument, std::vector<std::string> problems) {
  return tell([&](schema::Command::Builder command) {
    auto detected = command.getBody().initDetectRun();
    detected.initRun().setInstrument(std::string(instrument));
    detected.getRun().setRunNumber(run);
    auto file = detected.initFiles(1)[0];
    file.setPath(path.empty() ? "/archive/" + std::string(instrument) + "/" + std::to_string(run) + ".nxs" : std::string(path));
    file.setSizeBytes(content.size());
    file.setSha256(sha(hash_of(content)));
    auto title = detected.initMetadata().initTitle();
    title.setKnown(true);
    title.setValue("title of " + std::string(content));
    detected.getMetadata().initExperiment().setKnown(!experiment.empty());
    detected.getMetadata().getExperiment().setValue(std::string(experiment));
    detected.setSource("scan");
    auto list = detected.initProblems(static_cast<uint32_t>(problems.size()));
    for (uint32_t i = 0; i < problems.size(); ++i) list.set(i, problems[i]);
  });
}

Told Story::refuse_file(uint64_t run, std::string_view path, std::string_view code, std::string_view text, std::string_view content,
                        int64_t modified_at) {
  return tell([&](schema::Command::Builder command) {
    auto refused = command.getBody().initRefuseFile();
    refused.setInstrument("MARI");
    refused.setRunNumber(run);
    refused.initFile().setPath(std::string(path));
    refused.getFile().setSizeBytes(content.size());
    refused.getFile().setModifiedAt(modified_at);
    refused.getFile().setSha256(sha(hash_of(content)));
    refused.initReason().setCode(std::string(code));
    refused.getReason().setText(std::string(text));
  });
}

Told Story::skip_run(uint64_t run, std::string_view code, std::string_view text, uint64_t cause) {
  return tell(
      [&](schema::Command::Builder command) {
        auto skipped = command.getBody().initSkipRun();
        skipped.initRun().setInstrument("MARI");
        skipped.getRun().setRunNumber(run);
        skipped.initReason().setCode(std::string(code));
        skipped.getReason().setText(std::string(text));
      },
      cause);
}

Told Story::request(uint64_t run, const std::function<void(schema::ReductionRequested::Builder)>& fill) {
  return tell([&](schema::Command::Builder command) {
    auto requested = command.getBody().initRequestReduction();
    requested.initRun().setInstrument("MARI");
    requested.getRun().setRunNumber(run);
    requested.setScript(schema::ReductionRequested::ScriptChoice::CURRENT);
    if (fill) fill(requested);
  });
}

Told Story::queue(uint64_t number, const std::function<void(schema::JobQueued::Builder)>& fill, uint64_t cause,
                  std::string_view instrument) {
  auto row = ledger::find_run(rows_, instrument, number);
  if (row && cause == 0) cause = row->get().getPendingRequest() ? row->get().getPendingRequest() : row->get().getRevisedSeq();
  return tell(
      [&](schema::Command::Builder command) {
        put_blobs(command, {std::string(kScript)});
        auto queued = command.getBody().initQueueJob();
        queued.initRuns(1)[0].setInstrument(std::string(instrument));
        queued.getRuns()[0].setRunNumber(number);
        queued.setContract(schema::Contract::ISIS);
        queued.setScriptPath("/scripts/" + std::string(instrument) + "/reduce.py");
        queued.setScriptSha256(sha(hash_of(kScript)));
        if (row) queued.setInputs(row->get().getRawFiles());
        queued.setOutputDirectory("/reduced/" + std::string(instrument) + "/" + std::to_string(number) + "/{version}");
        queued.setInterpreter("/usr/bin/python3");
        queued.setPriority(10);
        queued.initReason().setCode("new_run");
        queued.getReason().setText("a new run");
        if (row) queued.setExperiment(row->get().getExperiment());
        if (fill) fill(queued);
      },
      cause);
}

Told Story::pause(std::string_view instrument, std::string_view text) {
  return tell([&](schema::Command::Builder command) {
    auto paused = command.getBody().initPauseInstrument();
    paused.setInstrument(std::string(instrument));
    paused.initReason().setText(std::string(text));
  });
}
Told Story::resume(std::string_view instrument) {
  return tell(
      [&](schema::Command::Builder command) { command.getBody().initResumeInstrument().setInstrument(std::string(instrument)); });
}
Told Story::join(std::string_view worker, uint32_t process) {
  return tell([&](schema::Command::Builder command) {
    auto joined = command.getBody().initJoinWorker();
    joined.setWorker(std::string(worker));
    joined.setHost("node1");
    joined.setProcessId(process);
    joined.setSlots(2);
  });
}
Told Story::leave(std::string_view worker) {
  return tell([&](schema::Command::Builder command) {
    auto left = command.getBody().initLeaveWorker();
    left.setWorker(std::string(worker));
    left.initReason().setCode("worker_stopped");
    left.getReason().setText("shut down");
  });
}
Told Story::start(uint64_t job, std::string_view worker) {
  return tell([&](schema::Command::Builder command) {
    put_blobs(command, {"environment"});
    auto started = command.getBody().initStartAttempt();
    started.setJob(job);
    started.setWorker(std::string(worker));
    started.setEnvironment(sha(hash_of("environment")));
    started.setLeaseMs(30'000);
  });
}
Told Story::succeed(uint64_t job, uint16_t attempt, uint64_t fence,
                    const std::function<void(schema::AttemptSucceeded::Builder)>& fill) {
  return tell([&](schema::Command::Builder command) {
    capnp::MallocMessageBuilder message;
    auto file = message.initRoot<schema::OutputManifest>().initFiles(1)[0];
    file.setPath("out.nxs");
    file.setSizeBytes(7);
    file.setSha256(sha(hash_of("reduced")));
    std::string manifest = ledger::canonical_bytes(message.getRoot<schema::OutputManifest>().asReader());
    put_blobs(command, {manifest, "printed"});
    auto succeeded = command.getBody().initSucceedAttempt();
    succeeded.setJob(job);
    succeeded.setAttempt(attempt);
    succeeded.setFence(fence);
    auto outputs = succeeded.initOutputs();
    outputs.setManifest(sha(hash_of(manifest)));
    outputs.setFiles(1);
    outputs.setTotalBytes(7);
    succeeded.setLog(sha(hash_of("printed")));
    succeeded.setStaging("/reduced/.staging/" + std::to_string(fence));
    if (fill) fill(succeeded);
  });
}
Told Story::publish(uint64_t job, uint16_t attempt, uint64_t fence) {
  return tell([&](schema::Command::Builder command) {
    auto publish = command.getBody().initPublishJob();
    publish.setJob(job);
    publish.setAttempt(attempt);
    publish.setFence(fence);
  });
}
Told Story::fail(uint64_t job, uint16_t attempt, uint64_t fence, schema::FailureKind kind, std::string_view message) {
  return tell([&](schema::Command::Builder command) {
    put_blobs(command, {"Traceback ..."});
    auto failed = command.getBody().initFailAttempt();
    failed.setJob(job);
    failed.setAttempt(attempt);
    failed.setFence(fence);
    failed.setKind(kind);
    failed.setMessage(std::string(message));
    failed.setTraceback(sha(hash_of("Traceback ...")));
  });
}
Told Story::skip(uint64_t job, uint16_t attempt, uint64_t fence, std::string_view text) {
  return tell([&](schema::Command::Builder command) {
    auto skipped = command.getBody().initSkipAttempt();
    skipped.setJob(job);
    skipped.setAttempt(attempt);
    skipped.setFence(fence);
    skipped.initReason().setCode("script_skip");
    skipped.getReason().setText(std::string(text));
  });
}
Told Story::lose(uint64_t job, uint16_t attempt, uint64_t fence) {
  return tell([&](schema::Command::Builder command) {
    auto lost = command.getBody().initLoseAttempt();
    lost.setJob(job);
    lost.setAttempt(attempt);
    lost.setFence(fence);
    lost.initReason().setCode("worker_silent");
    lost.getReason().setText("worker w1 gave no sign of life for 30 s");
  });
}
Told Story::cancel(uint64_t job, std::string_view text) {
  return tell([&](schema::Command::Builder command) {
    auto cancelled = command.getBody().initCancelJob();
    cancelled.setJob(job);
    cancelled.initReason().setText(std::string(text));
  });
}

std::string Story::store_variables(const Values& values) {
  std::string document = variables_document(values);
  rows_.put_blob(document);
  return document;
}

Told Story::register_script(std::string_view script, const Values& defaults, std::string_view instrument) {
  return tell([&](schema::Command::Builder command) {
    std::string document = variables_document(defaults);
    put_blobs(command, {std::string(script), document});
    auto registered = command.getBody().initRegisterScript();
    registered.setInstrument(std::string(instrument));
    registered.setContract(schema::Contract::ISIS);
    registered.setPath("/scripts/" + std::string(instrument) + "/reduce.py");
    registered.setSha256(sha(hash_of(script)));
    registered.setDefaults(sha(hash_of(document)));
  });
}

Told Story::set(const Values& values, const std::function<void(schema::Scope::Builder)>& scope, std::string_view instrument) {
  return tell([&](schema::Command::Builder command) {
    auto change = command.getBody().initSetVariables();
    change.setInstrument(std::string(instrument));
    if (scope) scope(change.initScope());
    auto list = change.initVariables(static_cast<uint32_t>(values.size()));
    for (uint32_t i = 0; i < values.size(); ++i) {
      list[i].setName(values[i].first);
      list[i].setValue(values[i].second);
    }
  });
}

Told Story::clear(const std::vector<std::string>& names, const std::function<void(schema::Scope::Builder)>& scope) {
  return tell([&](schema::Command::Builder command) {
    auto change = command.getBody().initClearVariables();
    change.setInstrument("MARI");
    if (scope) scope(change.initScope());
    auto list = change.initNames(static_cast<uint32_t>(names.size()));
    for (uint32_t i = 0; i < names.size(); ++i) list.set(i, names[i]);
  });
}

void Story::complete(uint64_t id) {
  uint64_t fence = start(id).first();
  ASSERT_NE(fence, 0u);
  auto number = event(fence).getBody().getAttemptStarted().getAttempt();
  ASSERT_TRUE(succeed(id, number, fence).ok());
  ASSERT_TRUE(publish(id, number, fence).ok());
}

ledger::Row<schema::RunRow> Story::run(uint64_t number, std::string_view instrument) const {
  auto row = ledger::find_run(rows_, instrument, number);
  if (!row) throw std::logic_error("no run " + std::to_string(number));
  return std::move(*row);
}
ledger::Row<schema::JobRow> Story::job(uint64_t id) const {
  auto row = ledger::find_job(rows_, id);
  if (!row) throw std::logic_error("no job " + std::to_string(id));
  return std::move(*row);
}

namespace {
std::string state_name(schema::RunState state) {
  static const char* const kNames[] = {"detected",  "refused", "held",    "queued",   "running",
                                       "succeeded", "failed",  "skipped", "cancelled"};
  return kNames[static_cast<size_t>(state)];
}
}  // namespace

std::string Story::run_state(uint64_t number) const { return state_name(run(number).get().getState()); }
std::string Story::job_state(uint64_t id) const { return state_name(job(id).get().getState()); }
std::string Story::reason_code(uint64_t number) const { return std::string(view(run(number).get().getReason().getCode())); }
std::vector<std::string> Story::problems(uint64_t number) const {
  std::vector<std::string> result;
  auto row = run(number);
  for (auto problem : row.get().getProblems()) result.emplace_back(view(problem));
  return result;
}

std::vector<std::string> Story::kinds(const Told& told) const {
  std::vector<std::string> names;
  for (uint64_t seq : told.events) {
    capnp::DynamicStruct::Reader body = event(seq).getBody();
    KJ_IF_MAYBE (member, body.which()) {
      names.emplace_back(member->getProto().getName().cStr());
    }
  }
  return names;
}

support::MemoryRows Story::refold() const {
  support::MemoryRows rows;
  for (const auto& event : events_) fold(event.get(), rows);
  return rows;
}

}  // namespace rules_test
