// Stages, trials, support files and campaigns in words.
#pragma once

#include <optional>
#include <string>

#include "schema/event.capnp.h"

namespace tools {

/// "mon = 2, mask follows the script".
std::string variables_text(capnp::List<schema::Variable>::Reader variables);
/// "each run", "a whole experiment", "runs that are named".
std::string over_text(schema::StageRule::Over over);
/// What such an event says where it carries no reason of its own; nullopt for other kinds.
std::optional<std::string> reducing_text(schema::Event::Body::Reader body);

}  // namespace tools
