// Variables: the live settings of each instrument. Rows: schema/row.capnp, VariableRules.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kVariables:
///   instrument 00   -> VariableRules, sorted by scope kind (default, from a run, experiment), scope value, group, name
class VariablesView final : public View {
 public:
  static std::string row_key(std::string_view instrument) {
    std::string key;
    append_text(key, instrument);
    return key;
  }

  ViewId id() const override { return ViewId::kVariables; }
  const char* name() const override { return "variables"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
