// Events about a subject, as far as a caller sees them: what Runs.history answers.
#pragma once

#include <memory>

#include "rpc/service/viewpoint.h"

namespace rpc {

class Authority;

using HistoryContext = capnp::CallContext<schema::Runs::HistoryParams, schema::Runs::HistoryResults>;
kj::Promise<void> answer_history(const Viewpoint& from, const std::shared_ptr<Authority>& authority, HistoryContext context);

}  // namespace rpc
