// A planned job as the command that queues it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemons/coordinator/planner.h"
#include "daemons/port.h"

namespace daemons {

inline constexpr uint8_t kNewRunPriority = 10, kTrialPriority = 12, kStagePriority = 15, kRerunPriority = 20, kCampaignPriority = 30;
inline constexpr size_t kLongestReasonBytes = 4000;  // the ledger takes a little more

/// Why a job is made, and how soon it is wanted.
struct JobOrder {
  std::string id;  // of the command
  uint64_t cause = 0;
  uint8_t priority = 0;
  std::string code;
  std::string text;
};

/// A queueJob with all that does not depend on what kind of job it is: the rest is the caller's to set. Limits are the instrument's.
Command queue_job(const JobOrder& order, const JobContent& content);
/// The same for a version of `run`.
Command queue_reduction(const JobOrder& order, const JobContent& content, schema::RunRow::Reader run);
/// The wish for a job over `run`; who wishes it sets the rest.
Wish wish_for(schema::RunRow::Reader run, uint64_t cause);
/// Script and values as somebody chose them who repeats `version`: null = there is none to repeat.
void take_basis(Wish& wish, Record::Job version, schema::ReductionRequested::ScriptChoice script, bool fresh_variables);

}  // namespace daemons
