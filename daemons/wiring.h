// From the site file to running daemons: the one place that knows which setting goes to whom.
#pragma once

#include <kj/async.h>

#include <string>

#include "base/time.h"
#include "daemons/process/process.h"
#include "rpc/loop.h"
#include "schema/api.capnp.h"
#include "site/site.h"

namespace daemons {

// Each works until its connection breaks (rejects) or the promise is dropped. Borrowed arguments outlive the promise.
kj::Promise<void> run_monitor(rpc::Loop& loop, const site::Site& site, const base::Clock& clock, ProcessLauncher& launcher,
                              schema::Session::Client session);
kj::Promise<void> run_coordinator(rpc::Loop& loop, const site::Site& site, ProcessLauncher& launcher,
                                  schema::Session::Client session);
kj::Promise<void> run_worker(rpc::Loop& loop, const site::Site& site, const base::Clock& clock, ProcessLauncher& launcher,
                             const std::string& name, schema::Session::Client session);

}  // namespace daemons
