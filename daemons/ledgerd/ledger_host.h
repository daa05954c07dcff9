// ledgerd as an object: the open ledger, its capabilities, and the addresses it listens on.
#pragma once

#include <kj/async.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "daemons/ledgerd/clock_watch.h"
#include "daemons/ledgerd/follower.h"
#include "daemons/ledgerd/retention.h"
#include "ledger/ledger.h"
#include "rpc/loop.h"
#include "rpc/service/service.h"
#include "rpc/transport.h"
#include "site/site.h"

namespace daemons {

/// Opens the site's ledger, puts the site file's instruments on record, serves whom [access] lets in, has checkpoints witnessed, and forgets what
/// [retention] says. A site with [follow] has the copy of another ledger: that one is followed instead.
///
/// Owns:    ledger, service, listeners; ends them in order. Borrows loop and clock.
/// Threads: loop thread.
/// Errors:  open() says why the ledger cannot serve; nothing listens before the instruments are on record, unless views have to be folded first: then
///          what needs no view is served at once.
class LedgerHost {
 public:
  static base::Result<std::unique_ptr<LedgerHost>> open(rpc::Loop& loop, const site::Site& site, const base::Clock& clock);
  ~LedgerHost();

  /// Appends instrumentConfigured for every instrument whose table differs from the record, and for each whose table is gone: that one
  /// is retired. Then listens. A ledger that takes no commands is served as it is.
  kj::Promise<base::Status> start();
  /// Refuses new connections, lets what is under way end, signs a last checkpoint.
  kj::Promise<void> close();

  schema::Gateway::Client gateway(ledger::Identity identity) { return service_->gateway(std::move(identity)); }

 private:
  LedgerHost(rpc::Loop& loop, const site::Site& site, const base::Clock& clock, std::unique_ptr<ledger::Ledger> ledger);
  void follow(const ledger::NoteKey& source);
  /// kInvalidArgument: what is wrong with [access].
  base::Status use_access(const site::Access& access);
  capnp::Capability::Client bootstrap(const rpc::PeerIdentity& peer);
  using Tables = std::vector<std::string>;  // canonical InstrumentConfigured
  Tables instrument_tables() const;
  kj::Promise<base::Status> configure(Tables tables, size_t index);
  base::Status listen();

  /// A checkpoint now, and again after [witness] every.
  kj::Promise<void> sign_checkpoints();
  kj::Promise<void> sign_checkpoint();

  rpc::Loop& loop_;
  const base::Clock& clock_;
  const site::Site site_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<rpc::LedgerService> service_;
  Retention retention_;
  ClockWatch clock_watch_;
  std::vector<std::unique_ptr<rpc::Listener>> listeners_;
  std::optional<rpc::Connection> source_;  // the latest connection to it
  std::unique_ptr<Follower> follower_;
  kj::Promise<void> following_ = nullptr;
  kj::Promise<void> signing_ = nullptr;
  kj::Promise<void> retaining_ = nullptr;
  kj::Promise<void> watching_clock_ = nullptr;
  kj::Promise<void> keeping_roles_ = nullptr;
  kj::Promise<void> configuring_ = nullptr;  // once the views are folded
};

}  // namespace daemons
