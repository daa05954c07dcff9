// Roles, tokens and denials in words: what they are, as a sentence that begins with whom they are of.
#pragma once

#include <optional>
#include <string>

#include "schema/api.capnp.h"

namespace tools {

/// "scientist of MARI", "member of experiment 2010001", "auditor".
std::string role_text(schema::Grant::Reader grant);
/// "group isis_mari_team" or "the site file".
std::string giver_text(schema::Grant::Reader grant);
/// "read-only, MARI and SANS2D only", "worker w1's work only"; "whatever its owner may" of a scope that limits nothing.
std::string scope_text(schema::TokenScope::Reader scope);
/// How the roles on record stand to the directory: "none; roles are those of the site file", "read 2026-11-01 12:00:00", and why not since.
std::string directory_text(schema::AccessStatus::Reader status);
/// The sentence of an event about access; nullopt for other kinds.
std::optional<std::string> access_text(schema::Event::Body::Reader body);

}  // namespace tools
