#include "tests/tools/fake_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/tools/fake_auditor.h"
#include "tools/event_text.h"

namespace fake {
namespace {

/// It is about an account's roles or tokens.
bool is_done_to(schema::Event::Body::Reader body, capnp::Text::Reader account) {
  return (body.isRoleGranted() && body.getRoleGranted().getAccount() == account) || (body.isRoleRevoked() && body.getRoleRevoked().getAccount() == account) ||
         (body.isTokenIssued() && body.getTokenIssued().getAccount() == account) || (body.isTokenRevoked() && body.getTokenRevoked().getAccount() == account);
}

bool is_of_campaign(schema::Event::Reader event, uint64_t campaign) {
  const auto body = event.getBody();
  return (body.isCampaignStarted() && event.getSeq() == campaign) || (body.isCampaignStopped() && body.getCampaignStopped().getCampaign() == campaign) ||
         (body.isJobQueued() && body.getJobQueued().getCampaign() == campaign);
}

bool touches(schema::Event::Reader event, schema::Subject::Reader subject, const Ledger& ledger) {
  uint64_t job = tools::job_of(event);
  if (subject.isActor()) return event.getActor().getName() == subject.getActor() || is_done_to(event.getBody(), subject.getActor());
  if (subject.isDenials()) return event.getBody().isAccessDenied();
  auto is_run = [&](schema::RunKey::Reader run) {
    return subject.isRun() && run.getInstrument() == subject.getRun().getInstrument() && run.getRunNumber() == subject.getRun().getRunNumber();
  };
  if (subject.isSeq()) return event.getSeq() == subject.getSeq();
  if (subject.isJob()) return job == subject.getJob();
  if (subject.isRun() && job != 0) {
    return std::any_of(ledger.jobs.begin(), ledger.jobs.end(),
                       [&](const auto& row) { return row.read().getJob() == job && is_run(row.read().getQueued().getRuns()[0]); });
  }
  auto body = event.getBody();
  if (body.isRunDetected()) return is_run(body.getRunDetected().getRun());
  if (body.isRunSkipped()) return is_run(body.getRunSkipped().getRun());
  if (body.isTrialRequested()) return is_run(body.getTrialRequested().getRun());
  if (subject.isCampaign()) return is_of_campaign(event, subject.getCampaign());
  if (body.isReductionRequested()) return is_run(body.getReductionRequested().getRun());
  if (subject.isInstrument()) {
    if (body.isVariablesSet()) return body.getVariablesSet().getInstrument() == subject.getInstrument();
    if (body.isVariablesCleared()) return body.getVariablesCleared().getInstrument() == subject.getInstrument();
    if (body.isRawFileRefused()) return body.getRawFileRefused().getInstrument() == subject.getInstrument();
  }
  return false;
}

std::string scope_word(schema::Scope::Reader scope) {
  if (scope.isFromRun()) return fmt::format("from {} to {}", scope.getFromRun(), scope.getToRun());
  return scope.isExperiment() ? fmt::format("experiment {}", scope.getExperiment().cStr()) : "default";
}

std::string interpreter_text(capnp::Text::Reader name) { return name.size() == 0 ? "" : fmt::format(" with {}", name.cStr()); }

class Watching final : public schema::Subscription::Server, private kj::TaskSet::ErrorHandler {
 public:
  Watching(Ledger& ledger, uint64_t from, schema::EventSink::Client sink) : ledger_(ledger), sink_(kj::mv(sink)), tasks_(*this) {
    next_ = from == 0 ? ledger.events.size() : std::min<size_t>(from - 1, ledger.events.size());
    tasks_.add(kj::evalLast([this] { return go_on(0); }));  // events come later than every answer
  }

 private:
  kj::Promise<void> go_on(size_t done) {
    kj::Promise<void> pushed = push();
    if (done == ledger_.live.size()) {
      return pushed.then([this] {
        if (ledger_.ends_watches) sink_ = nullptr;
      });
    }
    return pushed.then([this, done] {
      ledger_.live[done]();
      return go_on(done + 1);
    });
  }
  kj::Promise<void> push() {
    if (next_ == ledger_.events.size()) return kj::READY_NOW;
    auto request = sink_.pushRequest();
    auto list = request.initEvents(ledger_.events.size() - next_);
    for (uint32_t i = 0; i < list.size(); ++i) list.set(i, as_data(canonical(ledger_.events[next_ + i].read())));
    next_ = ledger_.events.size();
    return request.send().ignoreResult();
  }
  void taskFailed(kj::Exception&&) override {}

  Ledger& ledger_;
  schema::EventSink::Client sink_;
  size_t next_;
  kj::TaskSet tasks_;
};

class Runs final : public ReducingRuns {
 public:
  explicit Runs(Ledger& ledger) : ReducingRuns(ledger), ledger_(ledger) {}

  kj::Promise<void> list(ListContext context) override {
    auto params = context.getParams();
    auto filter = params.getFilter();
    ledger_.reducing.filter = kj::str(filter).cStr();
    std::vector<size_t> found;
    for (size_t i = 0; i < ledger_.runs.size(); ++i) {
      auto run = ledger_.runs[i].read();
      bool state = filter.getStates().size() == 0;
      for (auto wanted : filter.getStates()) state |= run.getState() == wanted;
      bool fits = state && (filter.getInstrument() == "" || filter.getInstrument() == run.getRun().getInstrument()) &&
                  (filter.getExperiment() == "" || filter.getExperiment() == run.getExperiment()) &&
                  run.getRun().getRunNumber() >= filter.getFirstRun() &&
                  (filter.getLastRun() == 0 || run.getRun().getRunNumber() <= filter.getLastRun()) && is_in(filter.getRanges(), run.getRun().getRunNumber()) &&
                  (filter.getScript().size() == 0 || is_made_with(filter.getScript(), run));
      if (fits) found.push_back(i);
    }
    // Pages of at most two rows, so that every listing has to go on.
    size_t begin = params.getAfter().size() == 0 ? 0 : std::stoul(bytes(params.getAfter()));
    size_t count = std::min<size_t>({2, params.getLimit() == 0 ? 2 : params.getLimit(), found.size() - begin});
    auto runs = context.getResults().initRuns(count);
    for (uint32_t i = 0; i < count; ++i) runs.setWithCaveats(i, ledger_.runs[found[begin + i]].read());
    if (begin + count < found.size()) context.getResults().setNext(as_data(std::to_string(begin + count)));
    return kj::READY_NOW;
  }

  static bool is_in(capnp::List<schema::RunRange>::Reader ranges, uint64_t number) {
    bool is_in = ranges.size() == 0;
    for (auto range : ranges) is_in |= number >= range.getFirst() && number <= range.getLast();
    return is_in;
  }
  bool is_made_with(capnp::Data::Reader script, schema::RunRow::Reader run) const {
    return std::any_of(ledger_.jobs.begin(), ledger_.jobs.end(), [&](const auto& job) {
      return job.read().getJob() == run.getJob() && bytes(job.read().getQueued().getScriptSha256()).starts_with(bytes(script));
    });
  }

  kj::Promise<void> show(ShowContext context) override {
    auto key = context.getParams().getRun();
    auto same = [&](schema::RunKey::Reader run) { return run.getInstrument() == key.getInstrument() && run.getRunNumber() == key.getRunNumber(); };
    for (const auto& run : ledger_.runs) {
      if (!same(run.read().getRun())) continue;
      context.getResults().setRun(run.read());
      std::vector<schema::JobRow::Reader> jobs;
      for (const auto& job : ledger_.jobs) {
        const bool is_version = job.read().getQueued().getKind() == schema::JobKind::REDUCTION;
        if (is_version && same(job.read().getQueued().getRuns()[0])) jobs.push_back(job.read());
      }
      auto versions = context.getResults().initVersions(jobs.size());
      for (uint32_t i = 0; i < jobs.size(); ++i) versions.setWithCaveats(i, jobs[i]);
      return kj::READY_NOW;
    }
    refuse(context.getResults().initRefusal(), schema::Refusal::Code::NOT_FOUND,
           fmt::format("{} {}: there is no such run", key.getInstrument().cStr(), key.getRunNumber()));
    return kj::READY_NOW;
  }

  kj::Promise<void> history(HistoryContext context) override {
    std::vector<std::string> found;
    for (const auto& event : ledger_.events) {
      if (event.read().getSeq() > context.getParams().getAfter() && touches(event.read(), context.getParams().getSubject(), ledger_)) {
        found.push_back(canonical(event.read()));
      }
    }
    auto events = context.getResults().initEvents(found.size());
    for (uint32_t i = 0; i < found.size(); ++i) events.set(i, as_data(found[i]));
    return kj::READY_NOW;
  }

  kj::Promise<void> blob(BlobContext context) override {
    auto found = ledger_.blobs.find(bytes(context.getParams().getSha256()));
    if (found == ledger_.blobs.end()) {
      refuse(context.getResults().initRefusal(), schema::Refusal::Code::NOT_FOUND, "there is no such blob");
      return kj::READY_NOW;
    }
    constexpr size_t kPiece = 7;  // small, so that every blob comes in pieces
    context.getResults().setBytes(as_data(std::string_view(found->second).substr(context.getParams().getOffset(), kPiece)));
    context.getResults().setTotalBytes(found->second.size());
    return kj::READY_NOW;
  }

  kj::Promise<void> watch(WatchContext context) override {
    auto params = context.getParams();
    ledger_.watched = kj::str(params.getFilter()).cStr();
    context.getResults().setSubscription(kj::heap<Watching>(ledger_, params.getFrom(), params.getSink()));
    return kj::READY_NOW;
  }

  kj::Promise<void> rerun(RerunContext context) override {
    auto request = context.getParams().getRequest();
    answer_change(ledger_, context.getResults().initAnswer(),
           fmt::format("rerun {} {} basis {} {}{}{} ({})", request.getRun().getInstrument().cStr(), request.getRun().getRunNumber(), request.getBasis(),
                       request.getScript() == schema::ReductionRequested::ScriptChoice::STORED ? "stored" : "current",
                       request.getFreshVariables() ? " fresh" : "", variables_text(request.getVariables()) + interpreter_text(request.getInterpreter()),
                       request.getComment().cStr()));
    return kj::READY_NOW;
  }

  kj::Promise<void> status(StatusContext context) override {
    context.getResults().setStatus(ledger_.status.read());
    return kj::READY_NOW;
  }

  kj::Promise<void> instruments(InstrumentsContext context) override {
    auto list = context.getResults().initInstruments(ledger_.instruments.size());
    uint32_t i = 0;
    for (const auto& [name, row] : ledger_.instruments) list.setWithCaveats(i++, row.read());
    return kj::READY_NOW;
  }

 private:
  Ledger& ledger_;
};

class Instrument final : public StagedInstrument {
 public:
  Instrument(Ledger& ledger, std::string name) : StagedInstrument(ledger), ledger_(ledger), name_(std::move(name)) {}

  kj::Promise<void> show(ShowContext context) override {
    context.getResults().setInstrument(ledger_.instruments.at(name_).read());
    return kj::READY_NOW;
  }
  kj::Promise<void> pause(PauseContext context) override {
    answer_change(ledger_, context.getResults().initAnswer(), fmt::format("pause {} ({})", name_, context.getParams().getComment().cStr()));
    return kj::READY_NOW;
  }
  kj::Promise<void> resume(ResumeContext context) override {
    answer_change(ledger_, context.getResults().initAnswer(), fmt::format("resume {} ({})", name_, context.getParams().getComment().cStr()));
    return kj::READY_NOW;
  }
  kj::Promise<void> variableRules(VariableRulesContext context) override {
    auto rules = context.getResults().initRules(ledger_.rules.size());
    for (uint32_t i = 0; i < ledger_.rules.size(); ++i) rules.setWithCaveats(i, ledger_.rules[i].read());
    return kj::READY_NOW;
  }
  kj::Promise<void> resolve(ResolveContext context) override {
    context.getResults().setSet(as_data(canonical(ledger_.resolved.read())));
    context.getResults().setScriptSeq(3);
    return kj::READY_NOW;
  }
  kj::Promise<void> setVariables(SetVariablesContext context) override {
    auto change = context.getParams().getChange();
    answer_change(ledger_, context.getResults().initAnswer(),
           fmt::format("set {} {}{} ({})", change.getInstrument().cStr(), scope_word(change.getScope()), variables_text(change.getVariables()),
                       change.getComment().cStr()));
    return kj::READY_NOW;
  }
  kj::Promise<void> clearVariables(ClearVariablesContext context) override {
    auto change = context.getParams().getChange();
    std::string names;
    for (auto name : change.getNames()) names += fmt::format(" {}", name.cStr());
    answer_change(ledger_, context.getResults().initAnswer(), fmt::format("clear {} {}{}", change.getInstrument().cStr(), scope_word(change.getScope()), names));
    return kj::READY_NOW;
  }
  kj::Promise<void> blame(BlameContext context) override {
    ledger_.asked.push_back(fmt::format("blame {} {}", name_, context.getParams().getName().cStr()));
    auto values = context.getResults().initValues(ledger_.values.size());
    for (uint32_t i = 0; i < ledger_.values.size(); ++i) values.setWithCaveats(i, ledger_.values[i].read());
    return kj::READY_NOW;
  }
  kj::Promise<void> preview(PreviewContext context) override {
    auto change = context.getParams().getChange();
    ledger_.asked.push_back(fmt::format("preview {} {}{}", change.getInstrument().cStr(), scope_word(change.getScope()),
                                        variables_text(change.getVariables())));
    context.getResults().setEffect(ledger_.effect.read());
    return kj::READY_NOW;
  }
  kj::Promise<void> scripts(ScriptsContext context) override {
    auto scripts = context.getResults().initScripts(ledger_.scripts.size());
    for (uint32_t i = 0; i < ledger_.scripts.size(); ++i) scripts.setWithCaveats(i, ledger_.scripts[i].read());
    return kj::READY_NOW;
  }

 private:
  Ledger& ledger_;
  std::string name_;
};

class Operator final : public schema::Operator::Server {
 public:
  explicit Operator(Ledger& ledger) : ledger_(ledger) {}
  kj::Promise<void> queue(QueueContext context) override {
    auto waiting = context.getResults().initWaiting(ledger_.queue.size());
    for (uint32_t i = 0; i < ledger_.queue.size(); ++i) waiting.setWithCaveats(i, ledger_.queue[i].read());
    return kj::READY_NOW;
  }
  kj::Promise<void> cancel(CancelContext context) override {
    answer_change(ledger_, context.getResults().initAnswer(), fmt::format("cancel {}", context.getParams().getJob()));
    return kj::READY_NOW;
  }

 private:
  Ledger& ledger_;
};

class Session final : public AccessSession {
 public:
  Session(Ledger& ledger, std::string account, std::string token) : AccessSession(ledger.access, std::move(account), std::move(token)), ledger_(ledger) {}
  kj::Promise<void> runs(RunsContext context) override {
    require_good();
    context.getResults().setRuns(kj::heap<Runs>(ledger_));
    return kj::READY_NOW;
  }
  kj::Promise<void> instrument(InstrumentContext context) override {
    std::string name = context.getParams().getName().cStr();
    if (ledger_.instruments.count(name) > 0) {
      context.getResults().setInstrument(kj::heap<Instrument>(ledger_, name));
    } else {
      refuse(context.getResults().initRefusal(), schema::Refusal::Code::NOT_FOUND, fmt::format("{}: there is no such instrument", name));
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> operator_(OperatorContext context) override {
    context.getResults().setOperator(kj::heap<Operator>(ledger_));
    return kj::READY_NOW;
  }
  kj::Promise<void> auditor(AuditorContext context) override {
    context.getResults().setAuditor(make_auditor(ledger_));
    return kj::READY_NOW;
  }
  kj::Promise<void> campaigns(CampaignsContext context) override {
    context.getResults().setCampaigns(make_campaigns(ledger_));
    return kj::READY_NOW;
  }
  kj::Promise<void> at(AtContext context) override {
    auto moment = context.getParams().getMoment();
    ledger_.asked.push_back(moment.isSeq() ? fmt::format("at event {}", moment.getSeq()) : fmt::format("at time {}", moment.getTime()));
    auto results = context.getResults();
    if (ledger_.past == nullptr) {
      refuse(results.initRefusal(), schema::Refusal::Code::NOT_FOUND, "nothing was recorded at or before then");
      return kj::READY_NOW;
    }
    results.setSession(kj::heap<Session>(*ledger_.past, "", ""));
    results.setSeq(7);
    results.setTime(kNoon);
    return kj::READY_NOW;
  }

 private:
  Ledger& ledger_;
};

}  // namespace

void refuse(schema::Refusal::Builder refusal, schema::Refusal::Code code, const std::string& text) {
  refusal.setCode(code);
  refusal.setText(text.c_str());
}

void answer_change(Ledger& ledger, schema::Answer::Builder answer, const std::string& what) {
  if (!ledger.refuse_changes.empty() && ledger.asked.size() >= ledger.refuse_after) {
    refuse(answer.initRefusal(), schema::Refusal::Code::PERMISSION_DENIED, ledger.refuse_changes);
    return;
  }
  ledger.asked.push_back(what);
  answer.initEvents(1).set(0, 900 + ledger.asked.size());
}

std::string variables_text(capnp::List<schema::Variable>::Reader variables) {
  std::string text;
  for (auto variable : variables) {
    text += fmt::format(" {}.{}{}", variable.getGroup() == schema::Variable::Group::STANDARD ? "standard" : "advanced", variable.getName().cStr(),
                        variable.getFollowsScript() ? " follows the script" : fmt::format("={}", variable.getValue().cStr()));
  }
  return text;
}

schema::RunRow::Builder Ledger::add_run(const char* instrument, uint64_t number, schema::RunState state) {
  auto run = runs.emplace_back().get();
  run.getRun().setInstrument(instrument);
  run.getRun().setRunNumber(number);
  run.setState(state);
  run.setDetectedAt(kNoon);
  return run;
}

schema::JobRow::Builder Ledger::add_version(uint16_t version, schema::RunState state) {
  auto run = runs.back().get();
  auto job = jobs.emplace_back().get();
  job.setJob(100 + jobs.size());
  job.setState(state);
  job.getQueued().initRuns(1).setWithCaveats(0, run.getRun().asReader());
  job.getQueued().setVersion(version);
  run.setJob(job.getJob());
  run.setVersion(version);
  run.setState(state);
  return job;
}

schema::Event::Builder Ledger::add_event(const char* actor) {
  auto event = events.emplace_back().get();
  event.setSeq(events.size());
  event.setTime(kNoon + static_cast<int64_t>(events.size()) * kSecond);
  event.getActor().setName(actor);
  return event;
}

std::string Ledger::add_blob(std::string_view text) {
  std::string hash(base::as_bytes(base::sha256(text)));
  blobs[hash] = text;
  return hash;
}

schema::InstrumentRow::Builder Ledger::add_instrument(const char* name) {
  auto row = instruments[name].get();
  row.getConfig().setInstrument(name);
  return row;
}

schema::Gateway::Client gateway_of(Ledger& ledger) {
  return make_gateway(ledger.access, [&ledger](std::string account, std::string token) -> schema::Session::Client {
    return kj::heap<Session>(ledger, std::move(account), std::move(token));
  });
}

Client::Client(Ledger& ledger, std::string address) : tools::Client(std::move(address)), gateway_(gateway_of(ledger)) {}
Client::~Client() noexcept { leave(); }

tools::Reach reach_of(Ledger& ledger) {
  auto find = [](const tools::GlobalOptions& options) -> base::Result<std::string> { return options.address.value_or(kAddress); };
  auto connect = [&](const std::string& address, const tools::GlobalOptions&) -> base::Result<std::unique_ptr<tools::Client>> {
    if (address == "unix:/nowhere") return base::Status(base::Code::kUnavailable, "no ledger is listening at unix:/nowhere");
    return std::unique_ptr<tools::Client>(std::make_unique<Client>(ledger, address));
  };
  return {find, connect};
}

Ran run(Ledger& ledger, std::vector<std::string> arguments, tools::Terminal terminal) {
  std::ostringstream out, err;
  tools::Context context(out, err, terminal, reach_of(ledger), tools::TokenStore(ledger.state_folder));
  int code = tools::run_program(std::move(arguments), context);
  return {code, out.str(), err.str()};
}

}  // namespace fake
