// What is asked for runs (reductions, trials, combinations): whether the caller may, and who stands behind it.
#pragma once

#include <kj/async.h>

#include <memory>

#include "ledger/ledger.h"
#include "rpc/access/policy.h"
#include "rpc/service/rerun_limit.h"
#include "rpc/service/viewpoint.h"

namespace rpc {

class Authority;

base::Status unknown_run(schema::RunKey::Reader key);

struct MayRerun {
  base::Result<ledger::Identity> identity;
  RerunLimit::Use use = {};  // until it is answered
};
/// A member may have so many reductions waiting at a time.
kj::Promise<MayRerun> may_rerun(const Viewpoint& from, const std::shared_ptr<Authority>& authority, schema::ReductionRequested::Reader request);

/// Who may do `action` with a run; of one he does not see he is told that there is none.
base::Result<ledger::Identity> may_ask(const Viewpoint& from, Authority& authority, Action action, schema::RunKey::Reader key);
/// All of the runs are the caller's to reduce.
base::Result<ledger::Identity> may_combine(const Viewpoint& from, Authority& authority, schema::CombinationRequested::Reader request);
/// Each text that is sent is named, and each that is named is sent or one he was told of: by naming a hash nobody gets at what others wrote.
base::Status check_texts(const Authority& authority, schema::TrialRequested::Reader request, capnp::List<capnp::Data>::Reader texts);

}  // namespace rpc
