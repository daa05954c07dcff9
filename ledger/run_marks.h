// Which runs there are and of which experiment, from the marks that views keep of them: a fiftieth of the bytes of their rows.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "ledger/rows.h"

namespace ledger {

/// `experiment` empty = the file names none.
using VisitMark = std::function<bool(uint64_t run_number, std::string_view experiment)>;
/// The instrument's runs first .. last whose file was not refused, ascending, until `visit` returns false.
void visit_run_marks(const RowReader& rows, std::string_view instrument, uint64_t first, uint64_t last, const VisitMark& visit);
/// Those of an experiment.
void visit_run_marks_of(const RowReader& rows, std::string_view instrument, std::string_view experiment, const VisitMark& visit);

}  // namespace ledger
