#include "ledger/variables.h"
#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/gateway.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

class InstrumentServer final : public schema::Instrument::Server {
 public:
  InstrumentServer(LedgerService& service, ledger::Identity identity, std::string name)
      : service_(service), identity_(std::move(identity)), name_(std::move(name)) {}

  kj::Promise<void> show(ShowContext context) override {
    auto snapshot = service_.snapshot();
    if (auto row = ledger::find_instrument(*snapshot, name_)) {
      context.getResults().setInstrument(row->get());
    } else {
      write_refusal(gone(), context.getResults().initRefusal());
    }
    require_read(*snapshot);
    return kj::READY_NOW;
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
    auto snapshot = service_.snapshot();
    auto rules = ledger::variable_rules(*snapshot, name_);
    if (rules) context.getResults().setRules(rules->get().getRules());
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> resolve(ResolveContext context) override {
    auto params = context.getParams();
    auto snapshot = service_.snapshot();
    auto results = context.getResults();
    auto instrument = ledger::find_instrument(*snapshot, name_);
    if (!instrument) {
      write_refusal(gone(), results.initRefusal());
      return kj::READY_NOW;
    }
    std::string experiment(view(params.getExperiment()));
    if (experiment.empty()) {
      if (auto run = ledger::find_run(*snapshot, name_, params.getRunNumber())) experiment = view(run->get().getExperiment());
    }
    auto script = instrument->get().getScript();
    auto defaults = snapshot->blob(view(script.getDefaults()));
    std::optional<ledger::Row<schema::VariableSet>> own;
    if (defaults) own.emplace(*defaults);
    auto rules = ledger::variable_rules(*snapshot, name_);
    auto resolved = ledger::resolve(own ? own->get() : schema::VariableSet::Reader(), rules ? rules->get().getRules() : capnp::List<schema::VariableRule>::Reader(), experiment,
                                    params.getRunNumber(), instrument->get().getScriptSeq());
    results.setSet(ledger::data(resolved.document));
    results.setScriptSeq(instrument->get().getScriptSeq());
    require_read(*snapshot);
    return kj::READY_NOW;
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
    auto snapshot = service_.snapshot();
    auto rows = ledger::scripts(*snapshot, name_);
    auto scripts = context.getResults().initScripts(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) scripts.setWithCaveats(i, rows[i].get());
    require_read(*snapshot);
    return kj::READY_NOW;
  }

 private:
  base::Status gone() const {
    return {base::Code::kNotFound, name_ + ": there is no such instrument; `runledger status` lists those there are"};
  }

  template <typename Context>
  kj::Promise<void> answer(CommandMessage& command, Context context) {
    return service_.submit(command.reader(), identity_).then([context](ledger::Answer decided) mutable {
      write_answer(decided, context.getResults().initAnswer());
    });
  }

  LedgerService& service_;
  ledger::Identity identity_;
  std::string name_;
};

}  // namespace

schema::Instrument::Client make_instrument(LedgerService& service, ledger::Identity identity, std::string instrument) {
  return kj::heap<InstrumentServer>(service, std::move(identity), std::move(instrument));
}

}  // namespace rpc
