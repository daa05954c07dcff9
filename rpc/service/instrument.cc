#include "ledger/blame.h"
#include "ledger/preview.h"
#include "ledger/variables.h"
#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/gateway.h"
#include "rpc/service/seen_rows.h"
#include "rpc/service/seen_support_files.h"
#include "rpc/service/service.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

constexpr size_t kVersionsAValue = 1000;
constexpr size_t kChangedRuns = 1000;

class InstrumentServer final : public schema::Instrument::Server {
 public:
  InstrumentServer(const Viewpoint& from, std::shared_ptr<Authority> authority, std::string name)
      : from_(from), authority_(std::move(authority)), name_(std::move(name)) {}

  kj::Promise<void> show(ShowContext context) override {
    if (!may_see(context)) return kj::READY_NOW;
    return from_.answer(
        context,
        [name = name_](const ledger::Snapshot& snapshot, auto, auto results) {
          auto row = ledger::find_instrument(snapshot, name);
          if (!row) return write_refusal(gone(name), results.initRefusal());
          results.setInstrument(row->get());
        },
        [authority = authority_](auto results) { authority->hand_out(results); });
  }

  kj::Promise<void> pause(PauseContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto paused = command.get().getBody().initPauseInstrument();
    paused.setInstrument(name_);
    paused.initReason().setText(params.getComment());
    return answer(command, Action::kPauseInstrument, context);
  }

  kj::Promise<void> resume(ResumeContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto resumed = command.get().getBody().initResumeInstrument();
    resumed.setInstrument(name_);
    resumed.initReason().setText(params.getComment());
    return answer(command, Action::kPauseInstrument, context);
  }

  kj::Promise<void> variableRules(VariableRulesContext context) override {
    if (!may_see(context)) return kj::READY_NOW;
    return from_.answer(context, [name = name_, sight = authority_->sight()](const ledger::Snapshot& snapshot, auto, auto results) {
      auto rules = ledger::variable_rules(snapshot, name);
      if (!rules) return;
      std::vector<schema::VariableRule::Reader> seen;
      for (auto rule : rules->get().getRules()) {
        if (sees_scope(*sight, name, rule.getScope())) seen.push_back(rule);
      }
      auto list = results.initRules(static_cast<unsigned>(seen.size()));
      for (unsigned i = 0; i < list.size(); ++i) list.setWithCaveats(i, seen[i]);
    });
  }

  kj::Promise<void> resolve(ResolveContext context) override {
    if (!may_see(context)) return kj::READY_NOW;
    if (const std::string_view asked = view(context.getParams().getExperiment()); !asked.empty()) {
      if (base::Status status = authority_->require(Action::kSeeRun, {name_, std::string(asked)}); !status.is_ok()) {
        write_refusal(status, context.getResults().initRefusal());
        return kj::READY_NOW;
      }
    }
    return from_.answer(context, [name = name_, sight = authority_->sight()](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto instrument = ledger::find_instrument(snapshot, name);
      if (!instrument) return write_refusal(gone(name), results.initRefusal());
      std::string experiment(view(params.getExperiment()));
      if (experiment.empty()) {
        auto run = ledger::find_run(snapshot, name, params.getRunNumber());
        if (run && sees(*sight, run->get())) experiment = view(run->get().getExperiment());
      }
      if (std::string trouble = ledger::variables_trouble(instrument->get()); !trouble.empty()) {
        return write_refusal({base::Code::kConflict, trouble}, results.initRefusal());
      }
      std::optional<ledger::Row<schema::VariableSet>> own;
      if (auto defaults = snapshot.blob(view(instrument->get().getScript().getDefaults()))) own.emplace(*defaults);
      auto rules = ledger::variable_rules(snapshot, name);
      auto resolved = ledger::resolve(own ? own->get() : schema::VariableSet::Reader(),
                                      rules ? rules->get().getRules() : capnp::List<schema::VariableRule>::Reader(), experiment,
                                      params.getRunNumber(), instrument->get().getScriptSeq());
      results.setSet(ledger::data(resolved.document));
      results.setScriptSeq(instrument->get().getScriptSeq());
    });
  }

  kj::Promise<void> setVariables(SetVariablesContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    command.get().getBody().setSetVariables(params.getChange());
    command.get().getBody().getSetVariables().setInstrument(name_);
    return answer(command, Action::kSetVariables, context);
  }

  kj::Promise<void> clearVariables(ClearVariablesContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    command.get().getBody().setClearVariables(params.getChange());
    command.get().getBody().getClearVariables().setInstrument(name_);
    return answer(command, Action::kSetVariables, context);
  }

  kj::Promise<void> scripts(ScriptsContext context) override {
    if (!may_see(context)) return kj::READY_NOW;
    return from_.answer(
        context,
        [name = name_](const ledger::Snapshot& snapshot, auto, auto results) {
          auto rows = ledger::scripts(snapshot, name);
          auto scripts = results.initScripts(rows.size());
          for (size_t i = 0; i < rows.size(); ++i) scripts.setWithCaveats(i, rows[i].get());
        },
        [authority = authority_](auto results) { authority->hand_out(results); });
  }

  kj::Promise<void> supportFiles(SupportFilesContext context) override {
    if (!may_see(context)) return kj::READY_NOW;
    auto read = [name = name_, sight = authority_->sight()](const ledger::Snapshot& snapshot, auto params, auto results) {
      const auto page = seen_support_files(snapshot, *sight, name, page_size(params.getLimit(), 200, 1000), view(params.getAfter()));
      auto files = results.initFiles(static_cast<uint32_t>(page.rows.size()));
      for (uint32_t i = 0; i < files.size(); ++i) files.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    };
    auto told = [authority = authority_](auto results) { authority->hand_out(results); };
    return authority_->sight()->sees_all_of(name_) ? from_.answer(context, std::move(read), std::move(told)) : from_.answer_on_pool(context, std::move(read), std::move(told));
  }

  kj::Promise<void> stages(StagesContext context) override {
    if (!may_see(context)) return kj::READY_NOW;
    return from_.answer(context, [name = name_](const ledger::Snapshot& snapshot, auto, auto results) {
      const auto rows = ledger::stage_rules(snapshot, name);
      auto stages = results.initStages(static_cast<uint32_t>(rows.size()));
      for (uint32_t i = 0; i < stages.size(); ++i) stages.setWithCaveats(i, rows[i].get());
    });
  }

  kj::Promise<void> setStage(SetStageContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    command.get().getBody().setSetStage(params.getRule());
    command.get().getBody().getSetStage().setInstrument(name_);
    command.get().getBody().getSetStage().setFromSite(false);
    return answer(command, Action::kSetStage, context);
  }

  kj::Promise<void> removeStage(RemoveStageContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto removed = command.get().getBody().initRemoveStage();
    removed.setInstrument(name_);
    removed.setName(params.getName());
    removed.initReason().setText(params.getComment());
    return answer(command, Action::kSetStage, context);
  }

  kj::Promise<void> blame(BlameContext context) override {
    if (!may_see(context)) return kj::READY_NOW;
    return from_.answer_on_pool(context, [name = name_, sight = authority_->sight()](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto found = ledger::blame(snapshot, name, view(params.getName()), kVersionsAValue);
      if (!found.is_ok()) return write_refusal(found.status(), results.initRefusal());
      if (!sight->sees_all_of(name)) keep_seen(snapshot, *sight, name, *found);
      auto values = results.initValues(found->size());
      for (size_t i = 0; i < found->size(); ++i) {
        const ledger::ValueHistory& value = (*found)[i];
        values[i].setRule(value.rule.get());
        values[i].setFromScript(value.from_script);
        values[i].setEndedSeq(value.ended_seq);
        values[i].setVersionCount(value.version_count);
        auto versions = values[i].initVersions(value.versions.size());
        for (size_t k = 0; k < value.versions.size(); ++k) {
          versions[k].getRun().setInstrument(name);
          versions[k].getRun().setRunNumber(value.versions[k].run_number);
          versions[k].setVersion(value.versions[k].version);
          versions[k].setJob(value.versions[k].job);
        }
      }
    });
  }

  kj::Promise<void> preview(PreviewContext context) override {
    if (base::Status status = authority_->require(Action::kSetVariables, {name_}); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    return from_.answer_on_pool(context, [name = name_](const ledger::Snapshot& snapshot, auto params, auto results) {
      capnp::MallocMessageBuilder message;
      message.setRoot(params.getChange());
      auto change = message.getRoot<schema::VariablesSet>();
      change.setInstrument(name);
      const ledger::VariablesPreview found = ledger::preview(snapshot, change.asReader(), kChangedRuns);
      auto effect = results.initEffect();
      effect.setChangeCount(found.change_count);
      effect.setConsidered(found.considered);
      auto changes = effect.initChanges(found.changes.size());
      for (size_t i = 0; i < found.changes.size(); ++i) {
        changes[i].getRun().setInstrument(name);
        changes[i].getRun().setRunNumber(found.changes[i].run_number);
        changes[i].setName(found.changes[i].name);
        changes[i].setBefore(found.changes[i].before);
        changes[i].setAfter(found.changes[i].after);
      }
      write_texts(found.coming, effect.initComing(found.coming.size()));
      write_texts(found.problems, effect.initProblems(found.problems.size()));
    });
  }

 private:
  static base::Status gone(const std::string& name) {
    return {base::Code::kNotFound, name + ": there is no such instrument; `runledger status` lists those there are"};
  }

  /// False: refused, and the answer says so.
  template <typename Context>
  bool may_see(Context& context) {
    const base::Status status = authority_->require(Action::kSeeInstrument, {name_});
    if (!status.is_ok()) write_refusal(status, context.getResults().initRefusal());
    return status.is_ok();
  }

  /// Values of experiments that are not seen go, and so do the versions of such runs.
  static void keep_seen(const ledger::Snapshot& snapshot, const Sight& sight, const std::string& instrument, std::vector<ledger::ValueHistory>& values) {
    std::erase_if(values, [&](const ledger::ValueHistory& value) { return !sees_scope(sight, instrument, value.rule.get().getScope()); });
    for (ledger::ValueHistory& value : values) {
      std::erase_if(value.versions, [&](const auto& version) {
        const auto run = ledger::find_run(snapshot, instrument, version.run_number);
        return !run || !sees(sight, run->get());
      });
      value.version_count = value.versions.size();
    }
  }

  static void write_texts(const std::vector<std::string>& texts, capnp::List<capnp::Text>::Builder list) {
    for (size_t i = 0; i < texts.size(); ++i) list.set(i, texts[i]);
  }

  template <typename Context>
  kj::Promise<void> answer(CommandMessage& command, Action action, Context context) {
    const base::Status now = from_.may("change " + name_);
    auto identity = now.is_ok() ? authority_->may(action, {name_}) : base::Result<ledger::Identity>(now);
    if (!identity.is_ok()) {
      write_refusal(identity.status(), context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    return from_.service().submit(command.reader(), *identity).then([context](ledger::Answer decided) mutable {
      write_answer(decided, context.getResults().initAnswer());
    });
  }

  const Viewpoint from_;
  const std::shared_ptr<Authority> authority_;
  std::string name_;
};

}  // namespace

schema::Instrument::Client make_instrument(const Viewpoint& from, std::shared_ptr<Authority> authority, std::string instrument) {
  return kj::heap<InstrumentServer>(from, std::move(authority), std::move(instrument));
}

}  // namespace rpc
