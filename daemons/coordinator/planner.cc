#include "daemons/coordinator/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "daemons/coordinator/interpreter.h"
#include "daemons/coordinator/value_check.h"
#include "ledger/variables.h"

namespace daemons {
namespace {

using ledger::view;
using Set = ledger::Row<schema::VariableSet>;
using Captured = ScriptRecord::Captured;
using VariableName = std::pair<schema::Variable::Group, std::string>;

/// A script's own variables, and where the record has them.
struct OwnVariables {
  std::string document;  // empty = it has none
  std::string problem;   // why they are not known; empty = they are
  uint64_t seq = 0;      // its scriptRegistered; 0 = it is not the instrument's
};

bool is_same(schema::ScriptRegistered::Reader registered, const StoredScript& script) {
  auto siblings = registered.getSiblings();
  if (registered.getContract() != script.contract || view(registered.getPath()) != script.path || to_hash(registered.getSha256()) != script.sha256) return false;
  if (siblings.size() != script.siblings.size()) return false;
  for (uint32_t i = 0; i < siblings.size(); ++i) {
    if (view(siblings[i].getName()) != script.siblings[i].first || to_hash(siblings[i].getSha256()) != script.siblings[i].second) return false;
  }
  return true;
}

std::string bytes_of(const base::Sha256& hash) { return std::string(base::as_bytes(hash)); }

/// One wish on its way.
class Planning {
 public:
  Planning(const Planner::Parts& parts, Wish wish) : parts_(parts), wish_(std::move(wish)) {}

  kj::Promise<void> work() { return step(0); }
  Planned finish() { return kj::mv(planned_); }

 private:
  using Step = kj::Promise<void> (Planning::*)();
  kj::Promise<void> step(size_t i) {
    static constexpr Step kSteps[] = {&Planning::read_instrument, &Planning::take_script,    &Planning::choose_interpreter, &Planning::read_own_variables,
                                      &Planning::choose_values,   &Planning::put_given_over, &Planning::check_values,       &Planning::find_support_files};
    if (i == std::size(kSteps) || planned_.decline) return kj::READY_NOW;
    return (this->*kSteps[i])().then([this, i] { return step(i + 1); });
  }
  kj::Promise<void> decline(std::string_view code, std::string text) {
    planned_.decline = Decline{std::string(code), std::move(text)};
    return kj::READY_NOW;
  }
  /// What keeps other jobs from being made is only said of this one, if it is lenient.
  kj::Promise<void> object(std::string_view code, const std::string& text) {
    if (!wish_.lenient) return decline(code, text);
    remark(text);
    return kj::READY_NOW;
  }
  void remark(const std::string& text) { content().remarks += "; " + text; }
  JobContent& content() { return planned_.content; }
  schema::InstrumentConfigured::Reader config() { return content().instrument->getInstrument().getConfig(); }

  // ---- the script ----

  kj::Promise<void> read_instrument() {
    return parts_.record.instrument(wish_.instrument).then([this](Record::Instrument&& found) { content().instrument = kj::mv(found); });
  }

  kj::Promise<void> take_script() {
    if (const auto* stored = std::get_if<StoredScript>(&wish_.script)) {
      content().script = *stored;
      return kj::READY_NOW;
    }
    if (const auto* other = std::get_if<ScriptAt>(&wish_.script)) return capture(other->path, other->contract);
    std::string path(view(config().getScriptPath()));
    if (path.empty()) return decline("no_script", fmt::format("{} has no reduction script: name one in site.toml, then {}", wish_.instrument, wish_.next_step));
    return capture(path, config().getContract()).then([this, path]() -> kj::Promise<void> {
      if (planned_.decline) return kj::READY_NOW;
      return parts_.scripts.keep(parts_.submitter, content().instrument->getInstrument(), path, captured_, wish_.cause, wish_.asked).then([this] {
        return read_instrument();
      });
    });
  }

  kj::Promise<void> capture(const std::string& path, schema::Contract contract) {
    return parts_.loop.on_pool([captures = parts_.captures, path, contract] { return captures->capture(path, contract); })
        .then([this, path, contract](base::Result<Captured>&& captured) -> kj::Promise<void> {
          if (!captured.is_ok()) {
            bool missing = captured.status().code() == base::Code::kNotFound;
            return decline(missing ? "no_script" : "script_unreadable", fmt::format("the reduction script cannot be read: {}; mend that, then {}",
                                                                                    captured.status().message(), wish_.next_step));
          }
          captured_ = std::move(*captured);
          StoredScript& script = content().script;
          script = {path, contract, captured_->script.sha256, {}, interpreter_for(config(), captured_->conda_env)};
          content().blobs.push_back(captured_->script.bytes);
          for (const scripts::CapturedFile& file : captured_->siblings) {
            script.siblings.emplace_back(file.name, file.sha256);
            content().blobs.push_back(file.bytes);
          }
          return kj::READY_NOW;
        });
  }

  /// The texts of a stored script, as if they had been captured now.
  kj::Promise<void> read_texts() {
    if (captured_) return kj::READY_NOW;
    auto texts = std::make_shared<scripts::CapturedScript>();
    const StoredScript& script = content().script;
    kj::Vector<kj::Promise<void>> reads;
    auto read = [&](const base::Sha256& sha256, scripts::CapturedFile& into) {
      into.sha256 = sha256;
      reads.add(parts_.record.blob(bytes_of(sha256)).then([texts, &into](std::string&& bytes) { into.bytes = std::move(bytes); }));
    };
    texts->script.name = script.path.substr(script.path.rfind('/') + 1);
    read(script.sha256, texts->script);
    texts->siblings.resize(script.siblings.size());
    for (size_t i = 0; i < script.siblings.size(); ++i) {
      texts->siblings[i].name = script.siblings[i].first;
      read(script.siblings[i].second, texts->siblings[i]);
    }
    return kj::joinPromises(reads.releaseAsArray()).then([this, texts] {
      captured_ = texts;
      if (content().script.contract != schema::Contract::SNS) return;
      auto env = scripts::conda_env_of(texts->script.bytes, content().script.path);
      if (env.is_ok()) texts->conda_env = *env;  // else it was captured where nobody minded, and runs as if there was no such line
    });
  }

  kj::Promise<void> choose_interpreter() {
    std::string& interpreter = content().script.interpreter;
    if (wish_.interpreter.empty() && !interpreter.empty()) return kj::READY_NOW;
    if (wish_.interpreter.empty() || wish_.interpreter == "instrument") {
      return read_texts().then([this, &interpreter] { interpreter = interpreter_for(config(), captured_->conda_env); });
    }
    for (auto named : config().getInterpreters()) {
      if (view(named.getName()) != wish_.interpreter) continue;
      interpreter = view(named.getPath());
      return kj::READY_NOW;
    }
    return decline("interpreter_unknown", fmt::format("{} has no interpreter {}: name it in site.toml, then {}", wish_.instrument, wish_.interpreter, wish_.next_step));
  }

  // ---- its variables ----

  /// Those on record with this script; else those its interpreter reads now.
  kj::Promise<void> read_own_variables() {
    if (wish_.values == ValuesFrom::kVersionExactly && wish_.given.variables.size() == 0) return kj::READY_NOW;
    auto row = content().instrument->getInstrument();
    if (row.getScriptSeq() != 0 && is_same(row.getScript(), content().script)) return take_own_variables(row.getScript(), row.getScriptSeq());
    return parts_.record.at_instrument(wish_.instrument).scriptsRequest().send().then([this](auto&& response) -> kj::Promise<void> {
      auto scripts = response.getScripts();
      for (uint32_t i = scripts.size(); i-- > 0;) {
        auto known = scripts[i].getScript();
        if (is_same(known, content().script) && known.getProblem().size() == 0) return take_own_variables(known, scripts[i].getSeq());
      }
      return read_texts()
          .then([this] {
            const StoredScript& script = content().script;
            return parts_.defaults.read(script.interpreter, script.contract, script.path, captured_, wish_.asked);
          })
          .then([this](ScriptDefaults&& read) {
            own_ = {std::move(read.document), std::move(read.problem), 0};
            return object_to_unknown_variables();
          });
    });
  }
  kj::Promise<void> take_own_variables(schema::ScriptRegistered::Reader script, uint64_t seq) {
    own_.seq = seq;
    own_.problem = view(script.getProblem());
    if (!own_.problem.empty()) return object_to_unknown_variables();
    if (script.getDefaults().size() == 0) return kj::READY_NOW;
    return parts_.record.blob(std::string(view(script.getDefaults()))).then([this](std::string&& document) { own_.document = std::move(document); });
  }
  kj::Promise<void> object_to_unknown_variables() {
    if (own_.problem.empty()) return kj::READY_NOW;
    return object("variables_unknown", ledger::variables_trouble(wish_.instrument, own_.problem));
  }

  kj::Promise<void> choose_values() {
    switch (wish_.values) {
      case ValuesFrom::kVersionExactly:
        return version_values().then([this](std::string&& document) {
          remember_version(document);
          content().variables = std::move(document);
        });
      case ValuesFrom::kScript:
        resolve(capnp::List<schema::VariableRule>::Reader());
        return kj::READY_NOW;
      case ValuesFrom::kSettings:
        return resolve_settings();
      case ValuesFrom::kVersion:
        return resolve_settings().then([this] { return version_values(); }).then([this](std::string&& previous) {
          if (previous.empty()) return;
          remember_version(previous);
          auto with = ledger::with_previous(Set(content().variables).get(), Set(previous).get());
          content().variables = std::move(with.document);
          unused_.insert(with.unknown.begin(), with.unknown.end());
        });
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> resolve_settings() {
    return parts_.record.at_instrument(wish_.instrument).variableRulesRequest().send().then([this](auto&& response) { resolve(response.getRules()); });
  }
  void resolve(capnp::List<schema::VariableRule>::Reader rules) {
    Set own(own_.document);
    auto resolved = ledger::resolve(own_.document.empty() ? schema::VariableSet::Reader() : own.get(), rules, wish_.experiment, wish_.run_number, own_.seq);
    content().variables = std::move(resolved.document);
    for (const std::string& name : resolved.unknown) {
      if (auto rule = setting_of_experiment(rules, wish_.experiment, name)) {
        wrong_.push_back(no_such_variable(own_variables(), name, set_words(*rule)));
      } else {
        unused_.insert(name);
      }
    }
  }
  void remember_version(const std::string& document) {
    Set set(document);
    if (document.empty()) return;
    for (auto variable : set.get().getVariables()) of_version_.emplace(variable.getGroup(), view(variable.getName()));
  }
  kj::Promise<std::string> version_values() {
    std::string hash(view(wish_.version->getJob().getQueued().getVariables()));
    if (hash.empty()) return std::string();
    return parts_.record.blob(std::move(hash));
  }

  kj::Promise<void> put_given_over() {
    const GivenValues& given = wish_.given;
    if (given.variables.size() == 0) return kj::READY_NOW;
    Set set(content().variables);
    auto with = ledger::with_given(content().variables.empty() ? schema::VariableSet::Reader() : set.get(), given.variables, given.by, given.at, given.seq);
    for (const std::string& name : with.unknown) wrong_given_.push_back(no_such_variable(own_variables(), name, given_words(given.by, given.seq)));
    content().variables = std::move(with.document);
    return kj::READY_NOW;
  }

  /// The script may have changed since a value was set.
  kj::Promise<void> check_values() {
    if (!unused_.empty()) remark(fmt::format("set but not used, as its script has no such variable: {}", fmt::join(unused_, ", ")));
    Set set(content().variables);
    auto chosen = content().variables.empty() ? schema::VariableSet::Reader() : set.get();
    bool exactly = wish_.values == ValuesFrom::kVersionExactly;
    for (const WrongValue& value : wrong_values(chosen, own_variables(), wish_.instrument)) {
      if (value.given) {
        wrong_given_.push_back(value.sentence);
      } else if (!exactly) {  // else it was fit for this very script before
        wrong_.push_back(value.sentence);
      }
    }
    if (!wrong_given_.empty()) return decline("variables_wrong", fmt::format("{}; give another value", fmt::join(wrong_given_, "; ")));
    if (!wrong_.empty()) return object("variables_wrong", fmt::format("{}; mend that, then {}", fmt::join(wrong_, "; "), wish_.next_step));
    if (exactly) return kj::READY_NOW;
    if (auto missing = without_value(chosen); !missing.empty()) {
      return object("variables_missing", fmt::format("its script has places that nobody set a value for: {}; `runledger vars set {} NAME=VALUE`, then {}",
                                                     fmt::join(missing, ", "), wish_.instrument, wish_.next_step));
    }
    return kj::READY_NOW;
  }
  schema::VariableSet::Reader own_variables() {
    if (own_.document.empty()) return schema::VariableSet::Reader();
    if (!own_set_) own_set_.emplace(own_.document);
    return own_set_->get();
  }

  // ---- the files that its variables name ----

  kj::Promise<void> find_support_files() {
    SupportQuestion question;
    question.variables = content().variables;
    if (wish_.values == ValuesFrom::kVersion || wish_.values == ValuesFrom::kVersionExactly) question.variables = keep_support_files_of_version();
    question.script_folder = std::filesystem::path(content().script.path).parent_path();
    question.raw_paths = wish_.raw_paths;
    question.trusted_request = wish_.given.by_member ? 0 : wish_.given.seq;
    for (auto url : config().getSupportUrls()) question.urls.emplace_back(view(url));
    return parts_.support_files.find(wish_.instrument, std::move(question), wish_.cause).then([this](NamedFiles&& named) -> kj::Promise<void> {
      for (NamedFile& file : named.files) content().support_files.push_back(std::move(file));
      if (named.missing.empty()) return kj::READY_NOW;
      return object("support_file_missing", fmt::format("{}; mend that, then {}", fmt::join(named.missing, "; "), wish_.next_step));
    });
  }
  /// Values of a version keep the contents it had; answers the others, for which files are looked for.
  std::string keep_support_files_of_version() {
    std::vector<schema::ResolvedVariable::Reader> anew;
    std::set<VariableName> kept;
    Set set(content().variables);
    for (auto variable : content().variables.empty() ? capnp::List<schema::ResolvedVariable>::Reader() : set.get().getVariables()) {
      VariableName name(variable.getGroup(), view(variable.getName()));
      const bool given = variable.getRule() == schema::ResolvedVariable::Rule::GIVEN && variable.getSetSeq() == wish_.given.seq;
      if (given || !of_version_.contains(name)) {
        anew.push_back(variable);
      } else {
        kept.insert(std::move(name));
      }
    }
    for (auto file : wish_.version->getJob().getQueued().getSupportFiles()) {
      if (!kept.contains({file.getGroup(), std::string(view(file.getName()))})) continue;
      content().support_files.push_back({file.getGroup(), std::string(view(file.getName())), std::string(view(file.getPath())),
                                         {to_hash(file.getSha256()), file.getSizeBytes(), file.getKept(), nullptr}});
    }
    capnp::MallocMessageBuilder message;
    auto variables = message.initRoot<schema::VariableSet>().initVariables(static_cast<uint32_t>(anew.size()));
    for (uint32_t i = 0; i < anew.size(); ++i) variables.setWithCaveats(i, anew[i]);
    return ledger::canonical_bytes(message.getRoot<schema::VariableSet>().asReader());
  }

  const Planner::Parts& parts_;
  Wish wish_;
  Planned planned_;
  Captured captured_;  // null: a stored script whose texts were not needed
  OwnVariables own_;
  std::optional<Set> own_set_;
  std::set<VariableName> of_version_;  // whose values are those of another job
  std::set<std::string> unused_;       // set, but of no use
  std::vector<std::string> wrong_, wrong_given_;  // what makes no job
};

}  // namespace

StoredScript stored_script(schema::JobQueued::Reader job) {
  StoredScript script{std::string(view(job.getScriptPath())), job.getContract(), to_hash(job.getScriptSha256()), {}, std::string(view(job.getInterpreter()))};
  for (auto sibling : job.getSiblings()) script.siblings.emplace_back(view(sibling.getName()), to_hash(sibling.getSha256()));
  return script;
}

kj::Promise<Planned> Planner::plan(Wish wish) {
  auto planning = kj::heap<Planning>(parts_, std::move(wish));
  auto work = planning->work();
  return work.then([&planning = *planning] { return planning.finish(); }).attach(kj::mv(planning));
}

}  // namespace daemons
