// Instruments: configuration, pause, and the scripts seen. Rows: schema/row.capnp, InstrumentRow and ScriptRow.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kInstruments:
///   'i' instrument 00             -> InstrumentRow
///   's' instrument 00 event(8)    -> ScriptRow, oldest first
///   'r' instrument 00 run(8)      -> empty; a run that InstrumentRow.runs counts
class InstrumentsView final : public View {
 public:
  static std::string row_key(std::string_view instrument);
  static std::string script_key(std::string_view instrument, uint64_t seq) {
    return std::string("s").append(run_key(instrument, seq));
  }
  static std::string run_mark(std::string_view instrument, uint64_t run_number) {
    return std::string("r").append(run_key(instrument, run_number));
  }

  ViewId id() const override { return ViewId::kInstruments; }
  const char* name() const override { return "instruments"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
