#include "base/version.h"

namespace base {

std::string_view version() { return RUNLEDGER_VERSION; }

}  // namespace base
