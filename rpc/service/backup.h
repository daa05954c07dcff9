// A backup of the running ledger: what Administrator.backup does.
#pragma once

#include "schema/api.capnp.h"

namespace rpc {

class LedgerService;

/// Made and verified on the pool. A caller that goes away ends it.
kj::Promise<void> back_up(LedgerService& service, capnp::CallContext<schema::Administrator::BackupParams, schema::Administrator::BackupResults> context);

}  // namespace rpc
