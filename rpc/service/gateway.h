// The capabilities handed out: Gateway -> Session -> Runs, Instrument, Campaigns, Operator, Auditor, Administrator, DaemonPort. One file a capability.
#pragma once

#include <memory>
#include <string>

#include "ledger/ledger.h"
#include "schema/api.capnp.h"

namespace rpc {

struct Allowances;
class Authority;
class EventFilter;
class LedgerService;
struct Peer;
class Viewpoint;

// Every server object borrows the service, which outlives all connections, and answers on the loop thread.
schema::Gateway::Client make_gateway(LedgerService& service, Peer peer);
schema::Runs::Client make_runs(const Viewpoint& from, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances);
schema::Instrument::Client make_instrument(const Viewpoint& from, std::shared_ptr<Authority> authority, std::string instrument);
schema::Campaigns::Client make_campaigns(const Viewpoint& from, std::shared_ptr<Authority> authority);
schema::Operator::Client make_operator(const Viewpoint& from, std::shared_ptr<Authority> authority);
schema::Administrator::Client make_administrator(LedgerService& service, std::shared_ptr<Authority> authority);
schema::Auditor::Client make_auditor(LedgerService& service, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances);
/// `identity` is the daemon's own: kind daemon, its name, its caller's proof.
schema::DaemonPort::Client make_daemon_port(LedgerService& service, std::shared_ptr<Authority> authority, ledger::Identity identity, schema::DaemonRole role);
/// `use` is of the watches its connection may have.
schema::Subscription::Client make_subscription(LedgerService& service, std::shared_ptr<Authority> authority, uint64_t from, EventFilter filter, schema::EventSink::Client sink,
                                               std::shared_ptr<void> use);

}  // namespace rpc
