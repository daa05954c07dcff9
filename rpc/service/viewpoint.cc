#include "rpc/service/viewpoint.h"

#include <fmt/format.h>

#include "ledger/past.h"

namespace rpc {

std::unique_ptr<ledger::Snapshot> Viewpoint::snapshot() const {
  if (!is_past()) return service_.snapshot();
  return std::make_unique<ledger::Past>(service_.snapshot(), seq_);
}

base::Status Viewpoint::may(std::string_view what) const {
  if (!is_past()) return base::Status::ok();
  return {base::Code::kPermissionDenied,
          fmt::format("this session looks back to event {}, where nothing can be changed or waited for; {} without --at", seq_, what)};
}

}  // namespace rpc
