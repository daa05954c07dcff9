#include "rpc/service/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/served_ledger.h"

namespace {

using Body = schema::Command::Body;
using rpc::Dispatcher;
using testing::HasSubstr;

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() {
    served.must(support::configure_instrument("configure", "MARI"));
    served.must(support::register_script("script", "MARI"));
    job = queue(28001);
  }
  uint64_t queue(uint64_t run) {
    std::string name = std::to_string(run);
    uint64_t detected = served.must(support::detect_run("detect" + name, "MARI", run));
    return served.must(support::queue_job("queue" + name, "MARI", run).cause(detected));
  }
  void leave(const std::string& worker) {
    support::CommandMessage command("leave/" + worker);
    command.get().getBody().initLeaveWorker().setWorker(worker);
    served.must(command);
  }
  kj::Promise<Dispatcher::Lease> next(const std::string& worker) {
    Dispatcher::Request request{"next/" + worker, worker, "host", {{"/usr/bin/python3", "environment"}}, 30'000,
                                support::daemon("workerd/" + worker)};
    return served.service->dispatcher().next(std::move(request));
  }
  support::ServedLedger served;
  uint64_t job = 0;
};

TEST_F(DispatcherTest, WaitingWorkerIsGivenTheJobDurably) {
  served.must(support::join_worker("join", "w1"));
  Dispatcher::Lease lease = served.loop.wait(next("w1"));
  EXPECT_TRUE(lease.status.is_ok());
  EXPECT_EQ(lease.job, job);
  EXPECT_EQ(lease.attempt, 1u);
  auto row = ledger::find_job(*served.ledger->snapshot(), job);
  EXPECT_EQ(row->get().getAttempts()[0].getFence(), lease.fence);
}

TEST_F(DispatcherTest, WorkerTheLedgerRefusesIsToldSoOnce) {
  // Symptom: a worker that had left and asked for a job all the same was offered it again and again, with ledgerd at full load.
  served.must(support::join_worker("join", "w1"));
  leave("w1");
  auto spins = kj::newPromiseAndFulfiller<Dispatcher::Lease>();
  std::atomic<int> offers = 0;
  served.refuses = [&](schema::Command::Reader command) {
    if (command.getBody().which() == Body::START_ATTEMPT && ++offers == 10) {
      served.loop.post([&] { spins.fulfiller->fulfill({base::Status(base::Code::kInternal, "it spins")}); });
    }
    return base::Status();
  };
  Dispatcher::Lease lease = served.loop.wait(next("w1").exclusiveJoin(kj::mv(spins.promise)));
  EXPECT_EQ(lease.status.code(), base::Code::kConflict);
  EXPECT_THAT(lease.status.message(), HasSubstr("worker w1 has left"));
  EXPECT_EQ(offers, 1);
  served.must(support::join_worker("join2", "w2"));
  EXPECT_EQ(served.loop.wait(next("w2")).job, job) << "another worker is given the job";
}

}  // namespace
