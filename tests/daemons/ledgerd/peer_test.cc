// Whom a connection is taken for, by what it knows of its other end.
#include "daemons/ledgerd/peer.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace {

rpc::Peer local(uid_t uid, const std::string& account) { return daemons::peer_on_machine({.uid = uid, .account_name = account}); }
rpc::Peer far(std::optional<rpc::PeerCertificate> certificate) { return daemons::peer_on_network({"192.0.2.1:4711", "192.0.2.1", std::move(certificate)}); }

TEST(PeerTest, AccountThatRunsTheLedgerAndRootAreTheOwner) {
  for (const uid_t uid : {geteuid(), uid_t{0}}) {
    const rpc::Peer peer = local(uid, "somebody");
    ASSERT_TRUE(peer.caller);
    EXPECT_EQ(peer.caller->kind, rpc::Caller::Kind::kOwner);
    EXPECT_EQ(peer.caller->proof, "peer uid " + std::to_string(uid));
  }
}

TEST(PeerTest, OthersOfTheMachineAreTheAccountsTheyAre) {
  const rpc::Peer peer = local(geteuid() + 4711, "alice");
  EXPECT_FALSE(peer.caller);
  EXPECT_EQ(peer.account, "alice");
  EXPECT_EQ(local(geteuid() + 4711, "uid:4711").account, "") << "a number is no account";
}

TEST(PeerTest, CertificateMakesTheDaemonOfItsNameAndNobodyElse) {
  const rpc::Peer worker = far(rpc::PeerCertificate{"workerd/w1", "12ab"});
  ASSERT_TRUE(worker.caller);
  EXPECT_EQ(worker.caller->kind, rpc::Caller::Kind::kDaemon);
  EXPECT_EQ(worker.caller->daemon, schema::DaemonRole::WORKER);
  EXPECT_EQ(worker.caller->proof, "certificate 12ab");
  for (const char* name : {"", "alice", "root", "workerd", "ledgerd"}) {
    const rpc::Peer peer = far(rpc::PeerCertificate{name, "12ab"});
    EXPECT_FALSE(peer.caller) << name;
    EXPECT_EQ(peer.account, "") << name;
    EXPECT_EQ(peer.source, "192.0.2.1");
  }
  EXPECT_FALSE(far(std::nullopt).caller);
}

}  // namespace
