// Who may what, as JSON that programs may rely on. Fields: docs/formats/json_output.md.
#pragma once

#include "schema/api.capnp.h"
#include "tools/json_output.h"

namespace tools {

/// {role, instrument, experiment, group, since, event}; with `account` first where it is asked for.
Json grant_json(schema::GrantRow::Reader row, bool with_account);
/// {id, account, kind, label, read_only, instruments, daemon, issued_at, issued_by, expires_at, event}. Never its secret.
Json token_json(schema::TokenRow::Reader row);
/// {name, kind, proof, everything, enforced, roles, token, expires_at, directory}
Json whoami_json(schema::Actor::Reader actor, schema::Rights::Reader rights);
/// {event, time, account, proof, action, subject, source, count, first_at, reason, reason_code} of an accessDenied event.
Json denial_json(schema::Event::Reader event);

}  // namespace tools
