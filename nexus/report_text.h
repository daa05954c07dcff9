// A report as people read it.
#pragma once

#include <string>

#include "schema/rawfile.capnp.h"

namespace nexus {

/// Lines of "name  value", safe to print on a terminal.
std::string report_text(schema::RawFileReport::Reader report);

}  // namespace nexus
