// Whom a connection is taken for, by what it knows of its other end.
#include "daemons/ledgerd/peer.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace {

rpc::TlsPeer from(std::string name) { return {"192.0.2.1:4711", "192.0.2.1", rpc::PeerCertificate{std::move(name), "12ab"}}; }

TEST(PeerTest, AccountThatRunsTheLedgerAndRootAreTheOwner) {
  for (const uid_t uid : {geteuid(), uid_t{0}}) {
    const rpc::Peer peer = daemons::peer_on_machine({.uid = uid, .account_name = "somebody"});
    ASSERT_TRUE(peer.caller);
    EXPECT_EQ(peer.caller->kind, rpc::Caller::Kind::kOwner);
    EXPECT_EQ(peer.caller->proof, "peer uid " + std::to_string(uid));
  }
}

TEST(PeerTest, OthersOfTheMachineAreTheAccountsTheyAre) {
  const rpc::Peer peer = daemons::peer_on_machine({.uid = geteuid() + 4711, .account_name = "alice"});
  EXPECT_FALSE(peer.caller);
  EXPECT_EQ(peer.account, "alice");
  EXPECT_EQ(daemons::peer_on_machine({.uid = geteuid() + 4711, .account_name = "uid:4711"}).account, "") << "a number is no account";
}

TEST(PeerTest, CertificateMakesTheDaemonOfItsNameAndNobodyElse) {
  const rpc::Peer worker = daemons::peer_on_network(from("workerd/w1"));
  ASSERT_TRUE(worker.caller);
  EXPECT_EQ(worker.caller->kind, rpc::Caller::Kind::kDaemon);
  EXPECT_EQ(worker.caller->daemon, schema::DaemonRole::WORKER);
  EXPECT_EQ(worker.caller->proof, "certificate 12ab");
  for (const char* name : {"", "alice", "root", "workerd", "ledgerd"}) {
    const rpc::Peer peer = daemons::peer_on_network(from(name));
    EXPECT_FALSE(peer.caller) << name;
    EXPECT_EQ(peer.account, "") << name;
    EXPECT_EQ(peer.unknown_certificate, name) << "for the refusal";
    EXPECT_EQ(peer.source, "192.0.2.1");
  }
  EXPECT_FALSE(daemons::peer_on_network({"192.0.2.1:4711", "192.0.2.1", {}}).caller) << "no certificate";
}

}  // namespace
