// Stages: their rules, and what they made. Rows: schema/row.capnp, StageRow and StageResultRow.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// The numbers of a job's runs.
std::vector<uint64_t> run_numbers(capnp::List<schema::RunKey>::Reader runs);

/// What tells one result of a stage from its others: bytes for a key, of the run, the experiment, or all of the runs (their order does not
/// matter). `runs` holds at least one.
std::string stage_group(schema::StageRule::Over over, std::vector<uint64_t> runs, std::string_view experiment);

/// Keys of ViewId::kStages:
///   's' instrument 00 stage 00          -> StageRow
///   'r' instrument 00 stage 00 group    -> StageResultRow
///   'p' instrument 00 stage 00 group    -> empty; of a result that was asked for and has no job yet
///   'j' job(8)                          -> instrument 00 stage 00 group of what it makes
///   'd' directory 00                    -> job(8) whose output belongs there
///   'e' job(8)                          -> outcome.h
class StagesView final : public View {
 public:
  static std::string rule_key(std::string_view instrument, std::string_view stage);
  /// stage empty = of all.
  static std::string results_prefix(std::string_view instrument, std::string_view stage);
  static std::string result_key(std::string_view instrument, std::string_view stage, std::string_view group);
  static std::string pending_prefix(std::string_view instrument);
  static std::string job_key(uint64_t job) { return std::string("j").append(u64_key(job)); }
  static std::string directory_key(std::string_view directory);

  ViewId id() const override { return ViewId::kStages; }
  const char* name() const override { return "stages"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
