#include "base/status.h"

namespace base {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kOk: return "ok";
    case Code::kNotFound: return "not found";
    case Code::kAlreadyExists: return "already exists";
    case Code::kConflict: return "conflict";
    case Code::kInvalidArgument: return "invalid argument";
    case Code::kPermissionDenied: return "permission denied";
    case Code::kUnavailable: return "unavailable";
    case Code::kTimedOut: return "timed out";
    case Code::kCorruption: return "corruption";
    case Code::kUnsupportedVersion: return "unsupported version";
    case Code::kInternal: return "internal error";
  }
  return "unknown";
}

Status Status::in(std::string_view subject) const {
  if (is_ok()) return *this;
  return {code_, std::string(subject) + ": " + message_};
}

}  // namespace base
