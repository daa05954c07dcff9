// How far long work at the ledger is, for whoever waits at a terminal.
#pragma once

#include "schema/api.capnp.h"

namespace tools {

class Context;

/// One line that is written over, on a terminal; nothing where a program reads the results.
schema::Progress::Client shown_progress(Context& context);

}  // namespace tools
