// A ledger in a temporary folder, with toy rules and a clock in the hand.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "ledger/event_bytes.h"
#include "ledger/ledger.h"
#include "tests/ledger/toy_rules.h"
#include "tests/support/commands.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace support {

class LedgerFixture : public ::testing::Test {
 protected:
  base::Status open(ledger::Rules rules = toy_rules()) {
    ledger_.reset();
    auto opened = ledger::Ledger::open(folder(), options_, clock_, std::move(rules));
    if (!opened.is_ok()) return opened.status();
    ledger_ = std::move(opened).value();
    return {};
  }
  void must_open() {
    const base::Status status = open();
    ASSERT_TRUE(status.is_ok()) << status.message();
  }
  void close() { ledger_.reset(); }

  ledger::Answer apply(const CommandMessage& command, const ledger::Identity& who = person()) {
    return ledger_->apply(command.reader(), who);
  }
  ledger::Answer note(std::string_view id, std::string_view text, uint64_t run = 28001) {
    return apply(annotate_run(id, "MARI", run, text));
  }
  void note_many(int count, std::string_view prefix = "note") {
    for (int i = 0; i < count; ++i) {
      const auto answer = note(std::string(prefix) + std::to_string(i), "text " + std::to_string(i), 28000 + i);
      ASSERT_TRUE(answer.status.is_ok()) << answer.status.message();
    }
  }
  std::string event_bytes(uint64_t seq) {
    const auto words = ledger_->snapshot()->event(seq);
    return words.is_ok() ? std::string(ledger::as_bytes(*words)) : "unreadable: " + words.status().message();
  }
  std::filesystem::path folder() const { return root_ / "ledger"; }

  TemporaryFolder root_;
  FakeClock clock_;
  ledger::Ledger::Options options_;
  std::unique_ptr<ledger::Ledger> ledger_;
};

}  // namespace support
