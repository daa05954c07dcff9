// The state of the facility and of its ledger, as far as a caller sees it: what Runs.status answers.
#pragma once

#include <memory>

#include "rpc/service/viewpoint.h"

namespace rpc {

class Authority;

using StatusContext = capnp::CallContext<schema::Runs::StatusParams, schema::Runs::StatusResults>;
/// What is the same for everybody, and the counts of what the caller sees; daemons for those who see everything.
kj::Promise<void> answer_status(const Viewpoint& from, const std::shared_ptr<Authority>& authority, StatusContext context);

}  // namespace rpc
