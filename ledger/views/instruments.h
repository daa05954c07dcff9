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
class InstrumentsView final : public View {
 public:
  static std::string row_key(std::string_view instrument);
  static std::string script_key(std::string_view instrument, uint64_t seq) {
    return std::string("s").append(run_key(instrument, seq));
  }

  ViewId id() const override { return ViewId::kInstruments; }
  const char* name() const override { return "instruments"; }
  uint32_t version() const override { return 2; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
