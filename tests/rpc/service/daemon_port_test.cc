#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/service/access_desk.h"
#include "rpc/service/gateway.h"
#include "tests/support/served_ledger.h"

namespace {

using schema::DaemonRole;
using Code = schema::Refusal::Code;

class DaemonPortTest : public testing::Test {
 protected:
  DaemonPortTest() { served.must(support::configure_instrument("configure", "MARI")); }
  Code submit(DaemonRole role, const support::CommandMessage& command) {
    auto owner = std::make_shared<rpc::Authority>(served.service->access(), rpc::Caller{.kind = rpc::Caller::Kind::kOwner, .name = "runledger", .proof = "test"});
    auto port = rpc::make_daemon_port(*served.service, owner, support::daemon("a daemon"), role);
    auto request = port.submitRequest();
    request.initCommands(1).setWithCaveats(0, command.reader());
    Code code{};
    served.loop.wait(request.send().then([&](auto&& response) { code = response.getAnswers()[0].getRefusal().getCode(); }));
    return code;
  }
  support::ServedLedger served;
};

TEST_F(DaemonPortTest, CommandsOfAnotherRoleAreNotTaken) {
  auto detect = support::detect_run("detect", "MARI", 28001);
  EXPECT_EQ(submit(DaemonRole::WORKER, detect), Code::PERMISSION_DENIED);
  EXPECT_EQ(submit(DaemonRole::COORDINATOR, detect), Code::PERMISSION_DENIED);
  EXPECT_EQ(submit(DaemonRole::MONITOR, detect), Code::OK);
  EXPECT_EQ(submit(DaemonRole::MONITOR, support::join_worker("join", "w1")), Code::PERMISSION_DENIED);
  EXPECT_EQ(submit(DaemonRole::WORKER, support::join_worker("join", "w1")), Code::OK);
}

TEST_F(DaemonPortTest, NobodyMaySendWhatNobodyUses) {
  for (DaemonRole role : {DaemonRole::MONITOR, DaemonRole::COORDINATOR, DaemonRole::WORKER}) {
    EXPECT_EQ(submit(role, support::advance("advance")), Code::PERMISSION_DENIED);
    EXPECT_EQ(submit(role, support::annotate_run("note", "MARI", 28001, "a note")), Code::PERMISSION_DENIED);
  }
}

}  // namespace
