// The log over RPC, whole: what Auditor.copy answers. For exports and followers.
#pragma once

#include "schema/api.capnp.h"

namespace rpc {

class LedgerService;

/// Every event from `from` on with the documents it names, then live ones; dropping the subscription ends it.
kj::Promise<void> copy_log(LedgerService& service, capnp::CallContext<schema::Auditor::CopyParams, schema::Auditor::CopyResults> context);

}  // namespace rpc
