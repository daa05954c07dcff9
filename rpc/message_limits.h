// How large a message may be, in Cap'n Proto's terms. Internal to rpc/.
#pragma once

#include <capnp/message.h>

#include "rpc/transport.h"

namespace rpc {

inline capnp::ReaderOptions reader_options() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = kMaxMessageBytes / sizeof(capnp::word);
  return options;
}

}  // namespace rpc
