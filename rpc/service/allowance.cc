#include "rpc/service/allowance.h"

#include <fmt/format.h>

namespace rpc {

base::Result<Allowance::Use> Allowance::take() {
  if (*used_ == most_) {
    return base::Status(base::Code::kUnavailable, fmt::format("this connection has {} {}, and no connection may have more at a time; end one first", most_, kind_));
  }
  ++*used_;
  return Use(nullptr, [used = used_](void*) { --*used; });
}

}  // namespace rpc
