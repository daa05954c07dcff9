// Which interpreter a script runs in.
#pragma once

#include <string>

#include "schema/event.capnp.h"

namespace daemons {

/// The instrument's, or that of the conda environment the script names, where the instrument has `conda_python`.
std::string interpreter_for(schema::InstrumentConfigured::Reader config, const std::string& conda_env);

}  // namespace daemons
