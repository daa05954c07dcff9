// Rules small enough to see through: what the storage half of the ledger is tested with.
#pragma once

#include "ledger/rules.h"

namespace support {

/// annotateRun becomes runAnnotated. Its text may ask for more: "refuse", "busy", "throw", "throw in fold", "nothing" (no event),
/// "twice" (two events), "erase" (the view drops the run's row). detectRun, queueJob, startAttempt and acceptLoss become their events;
/// advance becomes none; everything else is refused.
/// The one view, "notes", keeps per run how many notes there were and the last one.
ledger::Rules toy_rules();
/// The same, with a higher version of the view and other rows.
ledger::Rules toy_rules_of_next_release();

struct Note {
  uint64_t count = 0;
  std::string last;
};
std::optional<Note> note_of(const ledger::RowReader& rows, std::string_view instrument, uint64_t run);

}  // namespace support
