#include "tests/bench/ledger_under_test.h"

#include <fmt/format.h>

#include <future>

#include "ledger/rules.h"
#include "tests/bench/measured.h"

namespace bench {
namespace {

base::Result<ledger::EventDrafts> copied(const ledger::RowReader&, const ledger::DecideContext&, schema::Command::Reader command) {
  ledger::EventDrafts drafts;
  drafts.emplace_back().body().setRunDetected(command.getBody().getDetectRun());
  return drafts;
}

}  // namespace

std::unique_ptr<ledger::Ledger> open_ledger(const std::string& folder, Parts parts) {
  ledger::Rules rules = ledger::standard_rules();
  if (!parts.deciding) rules.decide = copied;
  if (!parts.views) rules.views = {};
  ledger::Ledger::Options options;
  options.tree = parts.tree;
  auto opened = ledger::Ledger::open(folder, options, base::system_clock(), rules);
  if (!opened.is_ok()) die(opened.status().message());
  if (parts.deciding) {
    const auto configured = (*opened)->apply(support::configure_instrument("configure", "MARI").reader(), support::person());
    if (!configured.status.is_ok()) die(configured.status.message());
  }
  return std::move(*opened);
}

std::unique_ptr<ledger::Ledger> open_filled(const std::string& folder) {
  auto opened = ledger::Ledger::open(folder, {}, base::system_clock());
  if (!opened.is_ok()) die(opened.status().message());
  return std::move(*opened);
}

support::CommandMessage detect(int thread, uint64_t call) {
  return support::detect_run(fmt::format("{}/{}", thread, call), "MARI", static_cast<uint64_t>(thread) * 10'000'000 + call + 1);
}

void append(ledger::Ledger& ledger, int thread, uint64_t first_call, uint32_t calls) {
  capnp::MallocMessageBuilder message;
  auto commands = message.initRoot<capnp::List<schema::Command>>(calls);
  for (uint32_t i = 0; i < calls; ++i) commands.setWithCaveats(i, detect(thread, first_call + i).reader());
  std::promise<std::vector<ledger::Answer>> done;
  ledger.submit_all(commands.asReader(), support::person(),
                    [&](std::vector<ledger::Answer> answers) { done.set_value(std::move(answers)); });
  for (const ledger::Answer& answer : done.get_future().get()) {
    if (!answer.status.is_ok()) die(answer.status.message());
  }
}

void warm_up(ledger::Ledger& ledger, int rounds) {
  for (int round = 0; round < rounds; ++round) append(ledger, 900, static_cast<uint64_t>(round) * kWarmUpCalls, kWarmUpCalls);
}

}  // namespace bench
