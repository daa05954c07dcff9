// A real ledger behind its capabilities, in process; a test may refuse commands that the rules would take.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>

#include "ledger/ledger.h"
#include "ledger/rules.h"
#include "ledger/view_rows.h"
#include "rpc/loop.h"
#include "rpc/service/service.h"
#include "tests/support/commands.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace support {

class ServedLedger {
 public:
  ServedLedger() {
    ledger::Rules rules = ledger::standard_rules();
    rules.decide = [this, decide = rules.decide](const ledger::RowReader& rows, const ledger::DecideContext& context,
                                                 schema::Command::Reader command) -> base::Result<ledger::EventDrafts> {
      if (base::Status refusal = refuses(command); !refusal.is_ok()) return refusal;
      return decide(rows, context, command);
    };
    ledger = ledger::Ledger::open(folder / "ledger", {}, clock, std::move(rules)).value();
    service = std::make_unique<rpc::LedgerService>(loop, *ledger, clock, "Test");
    service->use_witness(std::make_shared<ledger::Witness>(ledger->checkpoint_key(), folder / "witness"));
  }
  ~ServedLedger() { ledger.reset(); }

  /// The event a command that must be taken became.
  uint64_t must(const CommandMessage& command, const ledger::Identity& who = person()) {
    ledger::Answer answer = ledger->apply(command.reader(), who);
    if (!answer.status.is_ok()) throw std::runtime_error(answer.status.message());
    return answer.events.at(0);
  }
  schema::Session::Client session() { return service->gateway(person()).loginRequest().send().getSession(); }
  /// Looks now and after each event. Throws when none comes for a minute: then the test has failed.
  void until(const std::function<bool()>& condition) {
    while (!condition()) {
      auto late = loop.timer().afterDelay(60 * kj::SECONDS).then([] { throw std::runtime_error("nothing of the kind happened"); });
      loop.wait(service->when_committed(service->head() + 1).exclusiveJoin(kj::mv(late)));
    }
  }
  ledger::Row<schema::RunRow> run(uint64_t number) { return *ledger::find_run(*ledger->snapshot(), "MARI", number); }
  ledger::Row<schema::InstrumentRow> mari() { return *ledger::find_instrument(*ledger->snapshot(), "MARI"); }

  TemporaryFolder folder;
  FakeClock clock;
  rpc::Loop loop;
  /// Asked on the writer's thread; change it while no command is under way.
  std::function<base::Status(schema::Command::Reader)> refuses = [](schema::Command::Reader) { return base::Status(); };
  std::unique_ptr<ledger::Ledger> ledger;
  std::unique_ptr<rpc::LedgerService> service;
};

}  // namespace support
