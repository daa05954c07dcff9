// From what the reader says of a file to what the ledger is told.
#pragma once

#include <capnp/message.h>

#include <string>
#include <string_view>

#include "daemons/monitor/candidates.h"
#include "schema/command.capnp.h"
#include "schema/rawfile.capnp.h"

namespace daemons {

/// The outcome of a report, with the state the file was read in.
Verdict verdict_of(schema::RawFileReport::Reader report);

/// Fills `command` from the report on a complete file: detectRun, or refuseFile when there is no run number anywhere, or the reader refused.
/// `recorded_seq`: what the ledger last recorded of this path; part of a detectRun's id, so that old bytes put
/// back count as a change; a refusal said again is the same refusal.
void describe(schema::RawFileReport::Reader report, const std::string& instrument, const Examination& examination,
              uint64_t recorded_seq, schema::Command::Builder command);

/// Fills `command` for a file that stays incomplete.
void describe(const GivenUp& file, const std::string& instrument, schema::Command::Builder command);

}  // namespace daemons
