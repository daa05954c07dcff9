// The stages of the site file, put on record.
#pragma once

#include <kj/async.h>

#include "ledger/ledger.h"
#include "rpc/service/service.h"
#include "site/site.h"

namespace daemons {

/// Sets each stage of the site file, and removes those that stood in it and do no longer. Stages that people set stay as they are, unless the
/// file has one of the same name. One the ledger refuses is logged: the others, and all runs, go on. The instruments are on record before.
/// Borrows all until the promise is done.
kj::Promise<void> put_stages_on_record(rpc::LedgerService& service, ledger::Ledger& ledger, const site::Site& site);

}  // namespace daemons
