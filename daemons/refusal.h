// What the ledger refuses ends a daemon's connection, with the ledger's own sentence for the log (host.cc).
#pragma once

#include <kj/exception.h>
#include <kj/string.h>

#include <string_view>

#include "base/status.h"
#include "rpc/answers.h"

namespace daemons {

/// The message, and nothing about this source.
inline kj::Exception failure(const base::Status& status) {
  return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(status.message().c_str()));
}

[[noreturn]] inline void give_up(const base::Status& status) { kj::throwFatalException(failure(status)); }

/// Returns where nothing was refused; `subject` says whose or what.
inline void require_granted(schema::Refusal::Reader refusal, std::string_view subject) {
  if (base::Status status = rpc::status_of(refusal); !status.is_ok()) give_up(status.in(subject));
}

}  // namespace daemons
