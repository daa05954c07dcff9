// A command's body walked by its schema: a sender's bytes are never trusted, whatever field they are in.
#pragma once

#include <capnp/dynamic.h>

#include <string_view>

#include "base/status.h"
#include "ledger/decide/limits.h"

namespace ledger {

/// Every text is UTF-8 without NUL and at most `text_limit` bytes, every SHA-256 empty or 32 bytes, every enumerant and union
/// member known, every list of bearable length, the whole at most kMaxBodyBytes. `what` is the subject: "setVariables".
base::Status check_body(capnp::DynamicStruct::Reader body, std::string_view what, size_t text_limit = kMaxTextBytes);

}  // namespace ledger
