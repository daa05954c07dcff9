#include "daemons/ledgerd/site_stages.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "daemons/ledgerd/site_contract.h"
#include "ledger/canonical.h"
#include "ledger/view_rows.h"

namespace daemons {
namespace {

using ledger::view;
using Commands = std::vector<std::shared_ptr<rpc::CommandMessage>>;

void write_texts(const std::vector<std::string>& texts, capnp::List<capnp::Text>::Builder list) {
  for (uint32_t i = 0; i < list.size(); ++i) list.set(i, texts[i]);
}

void write_stage(const std::string& instrument, const site::Stage& stage, schema::StageRule::Builder rule) {
  using Over = schema::StageRule::Over;
  rule.setInstrument(instrument);
  rule.setName(stage.name);
  write_texts(stage.after, rule.initAfter(static_cast<uint32_t>(stage.after.size())));
  rule.setOver(stage.over == "experiment" ? Over::EXPERIMENT : stage.over == "runs" ? Over::RUNS : Over::RUN);
  rule.setScriptPath(stage.script_path);
  rule.setContract(contract_of(stage.contract));
  rule.setInterpreter(stage.interpreter);
  write_texts(stage.input_patterns, rule.initInputPatterns(static_cast<uint32_t>(stage.input_patterns.size())));
  rule.setOutputPattern(stage.output_pattern);
  rule.setTimeLimitMs(stage.time_limit_ms);
  rule.setMemoryLimitBytes(stage.memory_limit_bytes);
  rule.setFromSite(true);
}

bool comes_after(schema::StageRule::Reader rule, capnp::Text::Reader name) {
  for (auto before : rule.getAfter()) {
    if (before == name) return true;
  }
  return false;
}

/// Rules of the site file that stand in it no longer; each before those it comes after.
std::vector<std::string> taken_out(const std::vector<ledger::Row<schema::StageRow>>& rows, const site::Instrument& instrument) {
  std::vector<schema::StageRule::Reader> gone;
  for (const auto& row : rows) {
    auto rule = row.get().getRule();
    const auto is_it = [&](const site::Stage& stage) { return stage.name == view(rule.getName()); };
    if (rule.getFromSite() && std::none_of(instrument.stages.begin(), instrument.stages.end(), is_it)) gone.push_back(rule);
  }
  std::vector<std::string> ordered;
  while (!gone.empty()) {
    const auto is_last = [&](schema::StageRule::Reader rule) {
      return std::none_of(gone.begin(), gone.end(), [&](schema::StageRule::Reader other) { return comes_after(other, rule.getName()); });
    };
    auto next = std::find_if(gone.begin(), gone.end(), is_last);
    if (next == gone.end()) next = gone.begin();
    ordered.emplace_back(view(next->getName()));
    gone.erase(next);
  }
  return ordered;
}

Commands commands_for(ledger::Ledger& ledger, const site::Site& site) {
  Commands commands;
  for (const site::Instrument& instrument : site.instruments) {
    for (const site::Stage& stage : instrument.stages) {
      capnp::MallocMessageBuilder message;
      write_stage(instrument.name, stage, message.initRoot<schema::StageRule>());
      const std::string hash = base::hex(base::sha256(ledger::canonical_bytes(message.getRoot<schema::StageRule>().asReader()))).substr(0, 32);
      // The same rule is set nothing twice; one that comes back after another is a change again.
      auto command = std::make_shared<rpc::CommandMessage>(fmt::format("ledgerd/stage/{}/{}", hash, ledger.head()));
      command->get().getBody().setSetStage(message.getRoot<schema::StageRule>());
      commands.push_back(std::move(command));
    }
    for (const std::string& name : taken_out(ledger::stage_rules(*ledger.snapshot(), instrument.name), instrument)) {
      auto command = std::make_shared<rpc::CommandMessage>(fmt::format("ledgerd/stage-out/{}/{}/{}", instrument.name, name, ledger.head()));
      auto removed = command->get().getBody().initRemoveStage();
      removed.setInstrument(instrument.name);
      removed.setName(name);
      removed.initReason().setText("it was taken out of the site file");
      commands.push_back(std::move(command));
    }
  }
  return commands;
}

kj::Promise<void> submit(rpc::LedgerService& service, std::shared_ptr<Commands> commands, size_t index) {
  if (index == commands->size()) return kj::READY_NOW;
  return service.submit((*commands)[index]->reader(), {schema::Actor::Kind::DAEMON, "ledgerd", "site file"})
      .then([&service, commands, index](ledger::Answer answer) {
        if (!answer.status.is_ok()) spdlog::error("a stage of the site file is not on record as it says: {}", answer.status.message());
        return submit(service, commands, index + 1);
      });
}

}  // namespace

kj::Promise<void> put_stages_on_record(rpc::LedgerService& service, ledger::Ledger& ledger, const site::Site& site) {
  return submit(service, std::make_shared<Commands>(commands_for(ledger, site)), 0);
}

}  // namespace daemons
