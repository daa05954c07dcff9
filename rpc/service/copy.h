// The log over RPC, whole: what Auditor.copy answers. For exports and followers.
#pragma once

#include <memory>

#include "schema/api.capnp.h"

namespace rpc {

class Allowance;
class Authority;
class LedgerService;

/// Every event from `from` on with the documents it names, then live ones; dropping the subscription ends it. One of `copies` while it lasts.
kj::Promise<void> copy_log(LedgerService& service, std::shared_ptr<Authority> authority, Allowance& copies, capnp::CallContext<schema::Auditor::CopyParams, schema::Auditor::CopyResults> context);

}  // namespace rpc
