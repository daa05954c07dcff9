#include "daemons/coordinator/coordinator.h"

#include <fmt/format.h>
#include <kj/debug.h>
#include <spdlog/spdlog.h>

#include <cstring>
#include <memory>
#include <optional>
#include <set>

#include "base/text.h"
#include "daemons/coordinator/instrument_lines.h"
#include "daemons/coordinator/output_path.h"
#include "daemons/coordinator/script_capture.h"
#include "daemons/coordinator/script_defaults.h"
#include "daemons/port.h"
#include "daemons/refusal.h"
#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "ledger/variables.h"

namespace daemons {
namespace {

using ledger::view;

constexpr uint8_t kNewRunPriority = 10;
constexpr uint8_t kRerunPriority = 20;
constexpr std::string_view kName = "coordinatord";
constexpr size_t kLongestReasonBytes = 4000;  // the ledger takes a little more

capnp::Data::Reader hash_data(const base::Sha256& hash) { return {hash.data(), hash.size()}; }

/// What a job will be made from; the ledger has, or is given, every byte of it.
struct Plan {
  std::string run_name;  // "MARI 28001"
  uint64_t cause = 0;
  uint8_t priority = 0;
  std::string reason_code;
  std::string reason_text;
  std::string script_path;
  base::Sha256 script_sha256{};
  std::vector<std::pair<std::string, base::Sha256>> siblings;
  std::string variables;  // VariableSet document; empty = the contract has none
  std::vector<std::string> blobs;
};

/// An event that is kept until it has been reacted to.
struct KeptEvent {
  explicit KeptEvent(capnp::Data::Reader bytes) : words(aligned(bytes)), stored(words.asPtr()) {}
  schema::Event::Reader get() { return stored.get(); }
  static kj::Array<capnp::word> aligned(capnp::Data::Reader bytes) {
    auto copy = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
    memcpy(copy.begin(), bytes.begin(), copy.size() * sizeof(capnp::word));
    return copy;
  }
  kj::Array<capnp::word> words;
  ledger::StoredEvent stored;
};

struct RunName {
  std::string instrument;
  uint64_t number = 0;
  explicit RunName(schema::RunKey::Reader key) : instrument(view(key.getInstrument())), number(key.getRunNumber()) {}
  void write(schema::RunKey::Builder key) const {
    key.setInstrument(instrument);
    key.setRunNumber(number);
  }
  std::string text() const { return fmt::format("{} {}", instrument, number); }
};

/// The values for a run, or why there are none; with the names people set that its script has no variable for.
struct ChosenVariables {
  base::Status status;
  std::string document;
  std::set<std::string> unknown;
};

base::Sha256 to_hash(capnp::Data::Reader bytes) {
  base::Sha256 hash{};
  if (bytes.size() == hash.size()) std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

}  // namespace

class Coordinator::Impl final : public kj::Refcounted {
 public:
  Impl(rpc::Loop& loop, schema::Session::Client session, Settings settings, ProcessLauncher& launcher)
      : loop_(loop),
        session_(kj::mv(session)),
        settings_(std::move(settings)),
        defaults_(loop, launcher, settings_.run_script, settings_.scratch) {}

  kj::Promise<void> run() {
    auto request = session_.daemonRequest();
    request.setRole(schema::DaemonRole::COORDINATOR);
    request.setName(std::string(kName));
    return request.send()
        .then([this](auto&& response) {
          require_granted(response.getRefusal(), "the ledger does not let coordinatord work");
          port_ = response.getPort();
          submitter_.emplace(loop_.timer(), *port_);
          runs_ = session_.runsRequest().send().getRuns();
          operator_ = session_.operatorRequest().send().getOperator();
          return port_->positionRequest().send();
        })
        .then([this](auto&& response) { return watch(response.getSeq() + 1); })
        .then([this] { return signs_of_life().exclusiveJoin(broken_.promise.addBranch()); });
  }

  /// Ends the watch, which holds a reference to this, and what is under way.
  void close() {
    subscription_.reset();
    lines_.reset();
  }

 private:
  class Sink final : public schema::EventSink::Server {
   public:
    explicit Sink(kj::Own<Impl> impl) : impl_(kj::mv(impl)) {}
    /// The ledger lets go of the sink when it watches no longer; without a watch there is nothing to react to.
    ~Sink() noexcept(false) { impl_->broken_.fulfiller->reject(KJ_EXCEPTION(DISCONNECTED, "the ledger ended the watch")); }
    kj::Promise<void> push(PushContext context) override {
      for (auto bytes : context.getParams().getEvents()) impl_->take(bytes);
      return kj::READY_NOW;
    }

   private:
    kj::Own<Impl> impl_;
  };

  kj::Promise<void> watch(uint64_t from) {
    auto request = runs_->watchRequest();
    request.setFrom(from);
    using Body = schema::Event::Body;
    auto kinds = request.initFilter().initKinds(3);
    kinds.set(0, static_cast<uint16_t>(Body::RUN_DETECTED));
    kinds.set(1, static_cast<uint16_t>(Body::RUN_REVISED));
    kinds.set(2, static_cast<uint16_t>(Body::REDUCTION_REQUESTED));
    request.setSink(kj::heap<Sink>(kj::addRef(*this)));
    return request.send().then([this](auto&& response) {
      require_granted(response.getRefusal(), "the ledger's events cannot be watched");
      subscription_ = response.getSubscription();
    });
  }

  /// One after the other for each instrument: what a later event finds is what an earlier one left.
  void take(capnp::Data::Reader bytes) {
    if (!lines_) return;
    auto kept = std::make_shared<KeptEvent>(bytes);
    auto event = kept->get();
    auto body = event.getBody();
    uint64_t seq = event.getSeq();
    switch (body.which()) {
      case schema::Event::Body::RUN_DETECTED: return react_to_file(seq, RunName(body.getRunDetected().getRun()), "new_run");
      case schema::Event::Body::RUN_REVISED: return react_to_file(seq, RunName(body.getRunRevised().getRun()), "run_revised");
      case schema::Event::Body::REDUCTION_REQUESTED:
        return react(seq, RunName(body.getReductionRequested().getRun()), [this, kept] { return reduce_again(kept->get()); });
      default: return;
    }
  }

  void react_to_file(uint64_t seq, const RunName& run, std::string code) {
    react(seq, run, [this, seq, run, code] { return reduce_new(seq, run, code); });
  }

  void react(uint64_t seq, const RunName& run, InstrumentLines::Work work) {
    lines_->add(seq, run.instrument, [this, seq, run, work = std::move(work)] {
      return kj::evalNow(work).catch_([this, seq, run](kj::Exception&& problem) -> kj::Promise<void> {
        if (problem.getType() == kj::Exception::Type::DISCONNECTED) {
          // Not handled and not passed over: the position stays before this event, and a new coordinator starts there.
          broken_.fulfiller->reject(kj::cp(problem));
          kj::throwFatalException(kj::mv(problem));
        }
        spdlog::error("event {} could not be reacted to: {}", seq, problem.getDescription().cStr());
        return give_up(seq, run, problem);
      });
    });
  }

  /// A fault of ours ends the reaction to one event, never the others'; the run says so.
  kj::Promise<void> give_up(uint64_t seq, const RunName& run, const kj::Exception& problem) {
    Command command(fmt::format("{}/fault/{}", kName, seq), seq);
    set_position(command, seq);
    auto skipped = command.body().initSkipRun();
    run.write(skipped.initRun());
    skipped.getReason().setCode("internal_fault");
    skipped.getReason().setText(fmt::format("{}: no job was made, by a fault of coordinatord ({}); `runledger rerun {}` asks again", run.text(),
                                            base::to_utf8(problem.getDescription().cStr(), 1000), run.text()));
    return submitter_->submit(kj::mv(command)).then([seq](CommandAnswer&& answer) {
      if (!answer.status.is_ok()) spdlog::error("event {}: its run could not be told so: {}", seq, answer.status.message());
    });
  }

  // ---- a run was detected, or its file changed ----

  kj::Promise<void> reduce_new(uint64_t seq, const RunName& name, std::string code) {
    return show(name).then([this, seq, code = std::move(code)](Shown&& shown) -> kj::Promise<void> {
      auto run = shown.getRun();
      if (run.getRevisedSeq() != seq) return pass(seq);  // a later revision speaks for the run
      Plan plan;
      plan.run_name = name_of(run.getRun());
      plan.cause = seq;
      plan.priority = kNewRunPriority;
      plan.reason_code = code;
      plan.reason_text = code == "new_run" ? fmt::format("{} was detected; its instrument's script reduces every new run", plan.run_name)
                                           : fmt::format("the raw file of {} was written again with other bytes", plan.run_name);
      return with_current_script(kj::mv(shown), std::move(plan), std::nullopt);
    });
  }

  // ---- somebody asked ----

  kj::Promise<void> reduce_again(schema::Event::Reader event) {
    auto asked = event.getBody().getReductionRequested();
    return show(RunName(asked.getRun())).then([this, event, asked](Shown&& shown) -> kj::Promise<void> {
      auto run = shown.getRun();
      if (run.getPendingRequest() != event.getSeq()) return pass(event.getSeq());
      Plan plan;
      plan.run_name = name_of(run.getRun());
      plan.cause = event.getSeq();
      plan.priority = kRerunPriority;
      plan.reason_code = "rerun_requested";
      plan.reason_text = fmt::format("asked for by {}", view(event.getActor().getName()));
      if (asked.getComment().size() > 0) plan.reason_text += fmt::format(": {}", view(asked.getComment()));
      auto versions = shown.getVersions();
      uint16_t basis = asked.getBasis() == 0 ? static_cast<uint16_t>(versions.size()) : asked.getBasis();
      std::optional<uint16_t> basis_index;
      if (basis >= 1 && basis <= versions.size()) basis_index = basis - 1;
      bool stored = asked.getScript() == schema::ReductionRequested::ScriptChoice::STORED;
      Given given{asked, view(event.getActor().getName()), event.getTime(), event.getSeq(), basis_index};
      if (!stored || !basis_index) return with_current_script(kj::mv(shown), std::move(plan), given);
      auto queued = versions[*basis_index].getQueued();
      plan.script_path = view(queued.getScriptPath());
      plan.script_sha256 = to_hash(queued.getScriptSha256());
      for (auto sibling : queued.getSiblings()) plan.siblings.emplace_back(view(sibling.getName()), to_hash(sibling.getSha256()));
      return with_variables(kj::mv(shown), std::move(plan), given);
    });
  }

  struct Given {
    schema::ReductionRequested::Reader request;
    std::string_view by;
    int64_t at;
    uint64_t seq;
    std::optional<uint16_t> basis_index;
  };

  // ---- the steps from a plan to a job ----

  using Shown = capnp::Response<schema::Runs::ShowResults>;
  using InstrumentShown = capnp::Response<schema::Instrument::ShowResults>;

  kj::Promise<Shown> show(const RunName& run) {
    auto request = runs_->showRequest();
    run.write(request.initRun());
    return request.send().then([](Shown&& shown) { return kj::mv(shown); });
  }

  schema::Instrument::Client instrument(schema::RunKey::Reader key) {
    auto request = session_.instrumentRequest();
    request.setName(key.getInstrument());
    return request.send().getInstrument();
  }

  kj::Promise<void> with_current_script(Shown&& shown, Plan plan, std::optional<Given> given) {
    auto client = instrument(shown.getRun().getRun());
    return client.showRequest().send().then([this, shown = kj::mv(shown), plan = std::move(plan), given](InstrumentShown&& found) mutable
                                            -> kj::Promise<void> {
      auto config = found.getInstrument().getConfig();
      std::string path(view(config.getScriptPath()));
      if (path.empty()) {
        return skip(shown.getRun().getRun(), plan, "no_script",
                    fmt::format("{} has no reduction script: name one in site.toml, then `runledger rerun {} --script current`",
                                view(config.getInstrument()), plan.run_name));
      }
      schema::Contract contract = config.getContract();
      return loop_.on_pool([path, contract] { return capture_script(path, contract); })
          .then([this, shown = kj::mv(shown), plan = std::move(plan), given, found = kj::mv(found),
                 path](base::Result<CapturedScript>&& captured) mutable -> kj::Promise<void> {
            if (!captured.is_ok()) {
              bool missing = captured.status().code() == base::Code::kNotFound;
              return skip(shown.getRun().getRun(), plan, missing ? "no_script" : "script_unreadable",
                          fmt::format("the reduction script cannot be read: {}; mend that, then `runledger rerun {} --script current`",
                                      captured.status().message(), plan.run_name));
            }
            plan.script_path = path;
            plan.script_sha256 = captured->script.sha256;
            plan.blobs.push_back(captured->script.bytes);
            for (const CapturedFile& sibling : captured->siblings) {
              plan.siblings.emplace_back(sibling.name, sibling.sha256);
              plan.blobs.push_back(sibling.bytes);
            }
            return register_script(found.getInstrument(), plan, std::move(*captured), given.has_value())
                .then([this, shown = kj::mv(shown), plan = std::move(plan), given]() mutable {
                  return with_variables(kj::mv(shown), std::move(plan), given);
                })
                .attach(kj::mv(found));
          });
    });
  }

  /// Puts the script on record when it is not the one the instrument had last. `asked`: somebody did, who may have mended what
  /// its variables need.
  kj::Promise<void> register_script(schema::InstrumentRow::Reader instrument, const Plan& plan, CapturedScript captured, bool asked) {
    auto last = instrument.getScript();
    bool same = instrument.getScriptSeq() != 0 && last.getProblem().size() == 0 && view(last.getPath()) == plan.script_path && to_hash(last.getSha256()) == plan.script_sha256 &&
                last.getSiblings().size() == plan.siblings.size();
    for (size_t i = 0; same && i < plan.siblings.size(); ++i) same = to_hash(last.getSiblings()[i].getSha256()) == plan.siblings[i].second;
    if (same) return kj::READY_NOW;
    auto config = instrument.getConfig();
    kj::Promise<ScriptDefaults> defaults = ScriptDefaults{};
    if (!captured.siblings.empty()) {
      defaults = defaults_.read(std::string(view(config.getInterpreter())), plan.script_path, captured.siblings.front(), asked);
    }
    return defaults.then([this, plan, name = std::string(view(config.getInstrument())), contract = config.getContract()](ScriptDefaults&& read) {
      Command command(fmt::format("{}/script/{}", kName, plan.cause), plan.cause);
      std::vector<std::string_view> blobs(plan.blobs.begin(), plan.blobs.end());
      auto script = begin_script(command, plan, name, contract);
      base::Sha256 hash = base::sha256(read.document);
      if (!read.document.empty()) {
        blobs.push_back(read.document);
        script.setDefaults(hash_data(hash));
      }
      script.setProblem(read.problem);
      command.attach(blobs);
      return submitter_->submit(kj::mv(command)).then([this, plan, name, contract](CommandAnswer&& answer) -> kj::Promise<void> {
        if (answer.status.is_ok()) return kj::READY_NOW;
        return register_without_variables(plan, name, contract, answer.status.message());
      });
    });
  }

  static schema::ScriptRegistered::Builder begin_script(Command& command, const Plan& plan, const std::string& name, schema::Contract contract) {
    auto script = command.body().initRegisterScript();
    script.setInstrument(name);
    script.setContract(contract);
    script.setPath(plan.script_path);
    script.setSha256(hash_data(plan.script_sha256));
    write_siblings(plan, script.initSiblings(plan.siblings.size()));
    return script;
  }

  /// The script's variables were not fit for the record: it goes on record without them, with the reason.
  kj::Promise<void> register_without_variables(const Plan& plan, const std::string& name, schema::Contract contract, const std::string& problem) {
    Command command(fmt::format("{}/script-only/{}", kName, plan.cause), plan.cause);
    command.attach(std::vector<std::string_view>(plan.blobs.begin(), plan.blobs.end()));
    begin_script(command, plan, name, contract).setProblem(problem);
    return submitter_->submit(kj::mv(command)).then([name](CommandAnswer&& answer) {
      if (!answer.status.is_ok()) spdlog::warn("{}: the script could not be put on record: {}", name, answer.status.message());
    });
  }

  kj::Promise<void> with_variables(Shown&& shown, Plan plan, std::optional<Given> given) {
    auto run = shown.getRun();
    auto client = instrument(run.getRun());
    return client.showRequest().send().then([this, client, shown = kj::mv(shown), plan = std::move(plan), given](
                                                InstrumentShown&& found) mutable -> kj::Promise<void> {
      if (found.getInstrument().getConfig().getContract() != schema::Contract::ISIS) return queue(shown, found, std::move(plan));
      return choose_variables(client, shown, given)
          .then([this, shown = kj::mv(shown), found = kj::mv(found), plan = std::move(plan),
                 given](ChosenVariables&& chosen) mutable -> kj::Promise<void> {
            if (!chosen.status.is_ok()) return skip(shown.getRun().getRun(), plan, "variables_unknown", chosen.status.message());
            if (given && given->request.getVariables().size() > 0) {
              auto with = ledger::with_given(ledger::Row<schema::VariableSet>(chosen.document).get(), given->request.getVariables(),
                                             given->by, given->at, given->seq);
              chosen.document = std::move(with.document);
              chosen.unknown.insert(with.unknown.begin(), with.unknown.end());
            }
            if (!chosen.unknown.empty()) {
              plan.reason_text += fmt::format("; set but not used, as its script has no such variable: {}", fmt::join(chosen.unknown, ", "));
            }
            plan.blobs.push_back(chosen.document);
            plan.variables = std::move(chosen.document);
            return queue(shown, found, std::move(plan));
          });
    });
  }

  /// What is set now for a new run; for a repeated one the earlier version's values: as they were with the stored script, laid
  /// over the defaults of the current one.
  kj::Promise<ChosenVariables> choose_variables(schema::Instrument::Client client, Shown& shown, const std::optional<Given>& given) {
    bool repeated = given && given->basis_index && !given->request.getFreshVariables();
    std::string basis;
    if (repeated) basis = view(shown.getVersions()[*given->basis_index].getQueued().getVariables());
    if (repeated && given->request.getScript() == schema::ReductionRequested::ScriptChoice::STORED) {
      return blob_from(basis, {}).then([](std::string&& previous) { return ChosenVariables{{}, std::move(previous), {}}; });
    }
    auto resolved = resolve(client, RunName(shown.getRun().getRun()), std::string(view(shown.getRun().getExperiment())));
    if (!repeated || basis.empty()) return resolved;
    return resolved.then([this, basis](ChosenVariables&& now) -> kj::Promise<ChosenVariables> {
      if (!now.status.is_ok()) return kj::mv(now);
      return blob_from(basis, {}).then([now = std::move(now)](std::string&& previous) mutable {
        using Set = ledger::Row<schema::VariableSet>;
        auto with = ledger::with_previous(Set(now.document).get(), Set(previous).get());
        now.document = std::move(with.document);
        now.unknown.insert(with.unknown.begin(), with.unknown.end());
        return std::move(now);
      });
    });
  }

  /// What is set now for the run, over the defaults of the script on record.
  kj::Promise<ChosenVariables> resolve(schema::Instrument::Client client, RunName run, std::string experiment) {
    auto request = client.resolveRequest();
    request.setRunNumber(run.number);
    request.setExperiment(experiment);
    return request.send().then([client, run, experiment](auto&& response) mutable -> kj::Promise<ChosenVariables> {
      auto refusal = response.getRefusal();
      if (refusal.getCode() != schema::Refusal::Code::OK) {
        return ChosenVariables{{static_cast<base::Code>(refusal.getCode()), refusal.getText().cStr()}, {}, {}};
      }
      ChosenVariables chosen{{}, std::string(view(response.getSet())), {}};
      return client.variableRulesRequest().send().then([chosen = std::move(chosen), run, experiment](auto&& answer) mutable {
        ledger::Row<schema::VariableSet> set(chosen.document);
        auto unknown = ledger::resolve(set.get(), answer.getRules(), experiment, run.number).unknown;
        chosen.unknown.insert(unknown.begin(), unknown.end());
        return std::move(chosen);
      });
    });
  }

  kj::Promise<void> queue(Shown& shown, InstrumentShown& found, Plan plan) {
    auto run = shown.getRun();
    auto config = found.getInstrument().getConfig();
    Command command(fmt::format("{}/queue/{}", kName, plan.cause), plan.cause);
    set_position(command, plan.cause);
    std::vector<std::string_view> blobs(plan.blobs.begin(), plan.blobs.end());
    command.attach(blobs);
    auto job = command.body().initQueueJob();
    job.initRuns(1).setWithCaveats(0, run.getRun());
    job.setContract(config.getContract());
    job.setScriptPath(plan.script_path);
    job.setScriptSha256(hash_data(plan.script_sha256));
    write_siblings(plan, job.initSiblings(plan.siblings.size()));
    base::Sha256 variables_sha256 = base::sha256(plan.variables);
    if (!plan.variables.empty()) job.setVariables(hash_data(variables_sha256));
    job.setInputs(run.getRawFiles());
    job.setOutputDirectory(output_directory(view(config.getOutputPattern()), view(config.getInstrument()), view(run.getExperiment()),
                                            run.getRun().getRunNumber()));
    job.setInterpreter(config.getInterpreter());
    job.setTimeLimitMs(config.getTimeLimitMs());
    job.setMemoryLimitBytes(config.getMemoryLimitBytes());
    job.setPriority(plan.priority);
    job.getReason().setCode(plan.reason_code);
    job.getReason().setText(base::to_utf8(plan.reason_text, kLongestReasonBytes));
    job.setExperiment(run.getExperiment());
    return submitter_->submit(kj::mv(command)).then([this, plan = std::move(plan), key = owned(run.getRun())](CommandAnswer&& answer) mutable
                                                        -> kj::Promise<void> {
      if (answer.status.is_ok()) return kj::READY_NOW;
      return skip(key->getRoot<schema::RunKey>().asReader(), plan, "not_queued",
                  fmt::format("the ledger refused the job: {}", answer.status.message()));
    });
  }

  static kj::Own<capnp::MallocMessageBuilder> owned(schema::RunKey::Reader key) {
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    message->setRoot(key);
    return message;
  }

  /// No job for this event, and why. Refused where the run has a job for it already: then there is nothing to explain.
  kj::Promise<void> skip(schema::RunKey::Reader run, const Plan& plan, std::string_view code, const std::string& text) {
    Command command(fmt::format("{}/skip/{}", kName, plan.cause), plan.cause);
    set_position(command, plan.cause);
    auto skipped = command.body().initSkipRun();
    skipped.setRun(run);
    skipped.getReason().setCode(std::string(code));
    skipped.getReason().setText(base::to_utf8(fmt::format("{}: {}", plan.run_name, text), kLongestReasonBytes));
    return submitter_->submit(kj::mv(command)).then([text](CommandAnswer&& answer) {
      if (!answer.status.is_ok()) spdlog::warn("{} ({})", text, answer.status.message());
    });
  }

  /// Nothing to do for this event; its position is stored with a later command.
  kj::Promise<void> pass(uint64_t) { return kj::READY_NOW; }

  void set_position(Command& command, uint64_t seq) {
    command.get().getPosition().setDaemon(std::string(kName));
    command.get().getPosition().setSeq(lines_->position_after(seq));
  }
  static void write_siblings(const Plan& plan, capnp::List<schema::ScriptFile>::Builder siblings) {
    for (size_t i = 0; i < plan.siblings.size(); ++i) {
      siblings[i].setName(plan.siblings[i].first);
      siblings[i].setSha256(hash_data(plan.siblings[i].second));
    }
  }
  static std::string name_of(schema::RunKey::Reader key) { return fmt::format("{} {}", view(key.getInstrument()), key.getRunNumber()); }

  /// The stored document `sha256`, of which `have` is there already.
  kj::Promise<std::string> blob_from(std::string sha256, std::string have) {
    auto request = runs_->blobRequest();
    request.setSha256(ledger::data(sha256));
    request.setOffset(have.size());
    return request.send().then([this, sha256, have = std::move(have)](auto&& response) mutable -> kj::Promise<std::string> {
      require_granted(response.getRefusal(), "a stored document cannot be read");
      have += view(response.getBytes());
      if (have.size() >= response.getTotalBytes()) return std::move(have);
      return blob_from(std::move(sha256), std::move(have));
    });
  }

  // ---- leases ----

  kj::Promise<void> signs_of_life() {
    return port_->aliveRequest()
        .send()
        .then([this](auto&&) { return end_silent_leases(); })
        .then([this] { return loop_.timer().afterDelay(settings_.sign_of_life_ms * kj::MILLISECONDS); })
        .then([this] { return signs_of_life(); });
  }

  kj::Promise<void> end_silent_leases() {
    return runs_->statusRequest().send().then([this](auto&& status) {
      std::map<std::string, int64_t> last_seen;
      for (auto daemon : status.getStatus().getDaemons()) last_seen[daemon.getName().cStr()] = daemon.getLastSeenAt();
      int64_t now = status.getStatus().getNow();
      return operator_->workersRequest().send().then([this, last_seen, now](auto&& response) {
        kj::Vector<kj::Promise<void>> checks;
        for (auto row : response.getWorkers()) {
          std::string worker = row.getWorker().getWorker().cStr();
          auto seen = last_seen.find("workerd/" + worker);
          if (seen == last_seen.end()) continue;
          for (uint64_t job : row.getJobs()) checks.add(check_lease(job, worker, now - seen->second));
        }
        return kj::joinPromises(checks.releaseAsArray());
      });
    });
  }

  kj::Promise<void> check_lease(uint64_t job, std::string worker, int64_t silent_ns) {
    auto request = port_->jobRequest();
    request.setJob(job);
    return request.send().then([this, job, worker = std::move(worker), silent_ns](auto&& response) -> kj::Promise<void> {
      auto attempts = response.getJob().getAttempts();
      if (attempts.size() == 0) return kj::READY_NOW;
      auto attempt = attempts[attempts.size() - 1];
      if (attempt.getOutcome() != schema::AttemptRow::Outcome::RUNNING || view(attempt.getWorker()) != worker) return kj::READY_NOW;
      if (silent_ns < static_cast<int64_t>(attempt.getLeaseMs()) * 1'000'000) return kj::READY_NOW;
      Command command(fmt::format("{}/lost/{}", kName, attempt.getFence()), attempt.getFence());
      auto lost = command.body().initLoseAttempt();
      lost.setJob(job);
      lost.setAttempt(attempt.getNumber());
      lost.setFence(attempt.getFence());
      lost.getReason().setCode("worker_silent");
      lost.getReason().setText(fmt::format("worker {} gave no sign of life for {} s; its lease has ended", worker, silent_ns / 1'000'000'000));
      return submitter_->submit(kj::mv(command)).then([job](CommandAnswer&& answer) {
        if (!answer.status.is_ok()) spdlog::info("job {}: {}", job, answer.status.message());
      });
    });
  }

  rpc::Loop& loop_;
  schema::Session::Client session_;
  Settings settings_;
  ScriptDefaultsReader defaults_;
  std::optional<schema::DaemonPort::Client> port_;
  std::optional<Submitter> submitter_;
  std::optional<schema::Runs::Client> runs_;
  std::optional<schema::Operator::Client> operator_;
  std::optional<schema::Subscription::Client> subscription_;
  std::unique_ptr<InstrumentLines> lines_ = std::make_unique<InstrumentLines>();  // null: closed
  struct Broken {
    kj::ForkedPromise<void> promise;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
    static Broken make() {
      auto paf = kj::newPromiseAndFulfiller<void>();
      return {paf.promise.fork(), kj::mv(paf.fulfiller)};
    }
  } broken_ = Broken::make();
};

Coordinator::Coordinator(rpc::Loop& loop, schema::Session::Client session, Settings settings, ProcessLauncher& launcher)
    : impl_(kj::refcounted<Impl>(loop, kj::mv(session), std::move(settings), launcher)) {}
Coordinator::~Coordinator() { impl_->close(); }

kj::Promise<void> Coordinator::run() { return impl_->run(); }

}  // namespace daemons
