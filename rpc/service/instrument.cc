#include "ledger/blame.h"
#include "ledger/preview.h"
#include "ledger/variables.h"
#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/gateway.h"
#include "rpc/service/service.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

constexpr size_t kVersionsAValue = 1000;
constexpr size_t kChangedRuns = 1000;

class InstrumentServer final : public schema::Instrument::Server {
 public:
  InstrumentServer(const Viewpoint& from, std::shared_ptr<Authority> authority, std::string name)
      : from_(from), identity_(identity_of(authority->caller(), {})), name_(std::move(name)) {}

  kj::Promise<void> show(ShowContext context) override {
    return from_.answer(context, [name = name_](const ledger::Snapshot& snapshot, auto, auto results) {
      auto row = ledger::find_instrument(snapshot, name);
      if (!row) return write_refusal(gone(name), results.initRefusal());
      results.setInstrument(row->get());
    });
  }

  kj::Promise<void> pause(PauseContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto paused = command.get().getBody().initPauseInstrument();
    paused.setInstrument(name_);
    paused.initReason().setText(params.getComment());
    return answer(command, context);
  }

  kj::Promise<void> resume(ResumeContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto resumed = command.get().getBody().initResumeInstrument();
    resumed.setInstrument(name_);
    resumed.initReason().setText(params.getComment());
    return answer(command, context);
  }

  kj::Promise<void> variableRules(VariableRulesContext context) override {
    return from_.answer(context, [name = name_](const ledger::Snapshot& snapshot, auto, auto results) {
      if (auto rules = ledger::variable_rules(snapshot, name)) results.setRules(rules->get().getRules());
    });
  }

  kj::Promise<void> resolve(ResolveContext context) override {
    return from_.answer(context, [name = name_](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto instrument = ledger::find_instrument(snapshot, name);
      if (!instrument) return write_refusal(gone(name), results.initRefusal());
      std::string experiment(view(params.getExperiment()));
      if (experiment.empty()) {
        if (auto run = ledger::find_run(snapshot, name, params.getRunNumber())) experiment = view(run->get().getExperiment());
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
    return answer(command, context);
  }

  kj::Promise<void> clearVariables(ClearVariablesContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    command.get().getBody().setClearVariables(params.getChange());
    command.get().getBody().getClearVariables().setInstrument(name_);
    return answer(command, context);
  }

  kj::Promise<void> scripts(ScriptsContext context) override {
    return from_.answer(context, [name = name_](const ledger::Snapshot& snapshot, auto, auto results) {
      auto rows = ledger::scripts(snapshot, name);
      auto scripts = results.initScripts(rows.size());
      for (size_t i = 0; i < rows.size(); ++i) scripts.setWithCaveats(i, rows[i].get());
    });
  }

  kj::Promise<void> blame(BlameContext context) override {
    return from_.answer_on_pool(context, [name = name_](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto found = ledger::blame(snapshot, name, view(params.getName()), kVersionsAValue);
      if (!found.is_ok()) return write_refusal(found.status(), results.initRefusal());
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

  static void write_texts(const std::vector<std::string>& texts, capnp::List<capnp::Text>::Builder list) {
    for (size_t i = 0; i < texts.size(); ++i) list.set(i, texts[i]);
  }

  template <typename Context>
  kj::Promise<void> answer(CommandMessage& command, Context context) {
    if (base::Status status = from_.may("change " + name_); !status.is_ok()) {
      write_refusal(status, context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    return from_.service().submit(command.reader(), identity_).then([context](ledger::Answer decided) mutable {
      write_answer(decided, context.getResults().initAnswer());
    });
  }

  const Viewpoint from_;
  ledger::Identity identity_;
  std::string name_;
};

}  // namespace

schema::Instrument::Client make_instrument(const Viewpoint& from, std::shared_ptr<Authority> authority, std::string instrument) {
  return kj::heap<InstrumentServer>(from, std::move(authority), std::move(instrument));
}

}  // namespace rpc
