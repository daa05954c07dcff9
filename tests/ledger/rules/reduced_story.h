// A story in which runs are reduced as the coordinator has it: with the script on record, what is set for the run, and support files.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ledger/variables.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {

using Contents = std::map<std::string, std::string>;  // of files, by name or path

/// What a version is made with besides the script and what is set.
struct Extra {
  Story::Values given = {};
  Contents support_files = {};  // of variable mask
};

class ReducedStory : public Story {
 public:
  ReducedStory() {
    configure();
    join();
  }
  /// Registers the script with the files beside it; the last one is what reduce() takes.
  Told use_script(const std::string& text, const Values& defaults, const Contents& beside = {}) {
    const std::string document = store_variables(defaults);
    rows().put_blob(text);
    for (const auto& [name, content] : beside) rows().put_blob(content);
    return tell([&](schema::Command::Builder command) {
      auto script = command.getBody().initRegisterScript();
      script.setInstrument("MARI");
      script.setContract(schema::Contract::ISIS);
      script.setPath("/scripts/MARI/reduce.py");
      script.setSha256(ledger::data(hash_of(text)));
      auto siblings = script.initSiblings(static_cast<uint32_t>(beside.size()));
      uint32_t next = 0;
      for (const auto& [name, content] : beside) {
        siblings[next].setName(name);
        siblings[next++].setSha256(ledger::data(hash_of(content)));
      }
      script.setDefaults(ledger::data(hash_of(document)));
    });
  }
  Told see(const std::string& path, const std::string& content, const std::string& problem = {}) {
    return tell([&](schema::Command::Builder command) {
      auto seen = command.getBody().initSeeSupportFile();
      seen.setInstrument("MARI");
      seen.setPath(path);
      if (problem.empty()) seen.setSha256(ledger::data(hash_of(content)));
      seen.setProblem(problem);
    });
  }
  /// Queues one more version of a run that was detected; answers the job.
  uint64_t queue_version(uint64_t number, const Extra& extra = {}) {
    const auto instrument = ledger::find_instrument(rows(), "MARI");
    const auto script = instrument->get().getScript();
    const ledger::Row<schema::VariableSet> own(rows().blob(ledger::view(script.getDefaults())).value());
    const auto rules = ledger::variable_rules(rows(), "MARI");
    std::string values = ledger::resolve(own.get(), rules ? rules->get().getRules() : capnp::List<schema::VariableRule>::Reader(),
                                         ledger::view(run(number).get().getExperiment()), number, instrument->get().getScriptSeq())
                             .document;
    capnp::MallocMessageBuilder message;
    auto given = message.initRoot<schema::ReductionRequested>().initVariables(static_cast<uint32_t>(extra.given.size()));
    for (uint32_t i = 0; i < extra.given.size(); ++i) {
      given[i].setName(extra.given[i].first);
      given[i].setValue(extra.given[i].second);
    }
    values = ledger::with_given(ledger::Row<schema::VariableSet>(values).get(), given.asReader(), "dave", 1, 2).document;
    rows().put_blob(values);
    if (run(number).get().getVersion() > 0) {
      EXPECT_TRUE(request(number).ok());
    }
    const Told queued = queue(number, [&](schema::JobQueued::Builder job) {
      job.setScriptSha256(script.getSha256());
      job.setSiblings(script.getSiblings());
      job.setVariables(ledger::data(hash_of(values)));
      auto files = job.initSupportFiles(static_cast<uint32_t>(extra.support_files.size()));
      uint32_t next = 0;
      for (const auto& [path, content] : extra.support_files) {
        files[next].setName("mask");
        files[next].setPath(path);
        files[next++].setSha256(ledger::data(hash_of(content)));
      }
    });
    EXPECT_TRUE(queued.ok()) << queued.status.message();
    return queued.first();
  }
  uint64_t reduce(uint64_t number, const Extra& extra = {}) {
    const uint64_t job = queue_version(number, extra);
    complete(job);
    return job;
  }
  void fail_version(uint64_t number) {
    const uint64_t job = queue_version(number);
    EXPECT_TRUE(fail(job, 1, start(job).first()).ok());
  }
};

}  // namespace rules_test
