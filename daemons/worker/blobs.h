// Fetching what is kept by content, and making sure that it is what was asked for.
#pragma once

#include <kj/async.h>

#include <string>

#include "base/status.h"
#include "schema/api.capnp.h"

namespace daemons {

/// The blob named by its SHA-256 (32 bytes), checked against that name. `subject` heads the messages. kNotFound, kCorruption.
/// Rejects when the connection breaks.
kj::Promise<base::Result<std::string>> fetch_blob(schema::Runs::Client runs, std::string sha256, std::string subject);

}  // namespace daemons
