// Experiments: which runs belong to which, as the files say. Rows: schema/row.capnp, ExperimentRow.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kExperiments:
///   'e' experiment 00                      -> ExperimentRow
///   'r' experiment 00 instrument 00 run(8) -> empty; its runs in the order they are listed
///   'x' instrument 00 run(8)               -> the run's experiment
class ExperimentsView final : public View {
 public:
  static std::string row_key(std::string_view experiment);
  static std::string run_mark(std::string_view experiment, std::string_view run_key);
  static std::string experiment_key(std::string_view run_key) { return std::string("x").append(run_key); }

  ViewId id() const override { return ViewId::kExperiments; }
  const char* name() const override { return "experiments"; }
  uint32_t version() const override { return 2; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
