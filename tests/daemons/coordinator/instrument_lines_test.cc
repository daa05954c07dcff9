#include "daemons/coordinator/instrument_lines.h"

#include <gtest/gtest.h>
#include <kj/debug.h>

#include <map>
#include <memory>
#include <vector>

#include "rpc/loop.h"

namespace {

class InstrumentLinesTest : public testing::Test {
 protected:
  ~InstrumentLinesTest() noexcept override {}
  /// Work that is under way until it is told to end.
  void add(uint64_t seq, const std::string& instrument) {
    auto pair = kj::newPromiseAndFulfiller<void>();
    ends[seq] = kj::mv(pair.fulfiller);
    auto end = std::make_shared<kj::Promise<void>>(kj::mv(pair.promise));
    lines.add(seq, instrument, [this, seq, end] {
      begun.push_back(seq);
      return kj::mv(*end);
    });
    settle();
  }
  void end(uint64_t seq) {
    ends[seq]->fulfill();
    settle();
  }
  void settle() { loop.wait(kj::evalLast([] {})); }

  rpc::Loop loop;
  std::map<uint64_t, kj::Own<kj::PromiseFulfiller<void>>> ends;
  std::vector<uint64_t> begun;
  daemons::InstrumentLines lines;
};

TEST_F(InstrumentLinesTest, OneInstrumentWaitsForNoOther) {
  add(1, "MARI");
  add(2, "LET");
  EXPECT_EQ(begun, (std::vector<uint64_t>{1, 2}));
}

TEST_F(InstrumentLinesTest, EventsOfOneInstrumentKeepTheirOrder) {
  add(1, "MARI");
  add(2, "MARI");
  add(3, "MARI");
  EXPECT_EQ(begun, (std::vector<uint64_t>{1}));
  end(1);
  EXPECT_EQ(begun, (std::vector<uint64_t>{1, 2}));
  end(2);
  EXPECT_EQ(begun, (std::vector<uint64_t>{1, 2, 3}));
}

TEST_F(InstrumentLinesTest, PositionStaysBeforeTheFirstEventThatIsNotDone) {
  add(10, "MARI");
  add(20, "LET");
  add(30, "LET");
  EXPECT_EQ(lines.position_after(10), 19u);
  EXPECT_EQ(lines.position_after(20), 9u);
  end(20);
  EXPECT_EQ(lines.position_after(30), 9u);
  end(10);
  EXPECT_EQ(lines.position_after(30), 30u);
}

TEST_F(InstrumentLinesTest, LastOfAllMovesThePositionToTheEnd) {
  add(10, "MARI");
  add(20, "LET");
  end(20);
  EXPECT_EQ(lines.position_after(10), 20u);
}

TEST_F(InstrumentLinesTest, WorkThatRejectsIsNotPassedOver) {
  lines.add(10, "MARI", []() -> kj::Promise<void> { return KJ_EXCEPTION(DISCONNECTED, "the connection broke"); });
  add(20, "LET");
  EXPECT_EQ(lines.position_after(20), 9u);
}

}  // namespace
