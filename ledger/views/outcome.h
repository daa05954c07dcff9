// How attempts that ended are shown: the sentences, and what is remembered of an attempt until its output is in place.
#pragma once

#include <string>

#include "ledger/views/edit.h"

namespace ledger {

/// Reason of an attempt that was lost because its worker left in good order.
inline constexpr std::string_view kHandedBack = "worker_left";

inline std::string started_sentence(schema::AttemptStarted::Reader started) {
  return "attempt " + std::to_string(started.getAttempt()) + " runs on worker " + std::string(view(started.getWorker()));
}
/// Why a job waits again after an attempt that failed and is to be repeated.
inline std::string retry_sentence(schema::AttemptFailed::Reader failed) {
  return "attempt " + std::to_string(failed.getAttempt()) + " failed and is tried again: " + std::string(view(failed.getMessage()));
}

/// Shows a job's success; `outputs` as its attempt reported them.
inline void set_succeeded(schema::Decision::Builder decision, uint16_t attempt, schema::OutputSummary::Reader outputs, uint64_t event) {
  const std::string did = "attempt " + std::to_string(attempt) + " succeeded";
  if (outputs.getFiles() > 0) return set_decision(decision, "succeeded", did + " and its output is in place", event);
  std::string elsewhere;
  if (outputs.getOutside() > 0) {
    elsewhere = " into its output directory; elsewhere it wrote " + std::to_string(outputs.getOutside()) + (outputs.getOutside() == 1 ? " file" : " files");
  }
  set_decision(decision, "succeeded_empty", did + ", but wrote nothing" + elsewhere, event);
}

/// An attempt that succeeded without output is remembered until it is published: a view that has no attempts in its rows keeps
///   'e' job(8) -> files written elsewhere(8)
inline std::string empty_key(uint64_t job) { return std::string("e").append(u64_key(job)); }
inline void remember_empty(Rows& rows, ViewId view, schema::AttemptSucceeded::Reader succeeded) {
  if (succeeded.getOutputs().getFiles() == 0) rows.put(view, empty_key(succeeded.getJob()), u64_key(succeeded.getOutputs().getOutside()));
}
inline void forget_empty(Rows& rows, ViewId view, uint64_t job) {
  if (rows.get(view, empty_key(job))) rows.erase(view, empty_key(job));
}
/// Shows the success of a job whose attempt may be remembered so. forget_empty() follows, once all rows show it.
inline void set_succeeded(const RowReader& rows, ViewId view, schema::Decision::Builder decision, schema::JobSucceeded::Reader succeeded,
                          uint64_t event) {
  SmallMessage scratch;
  auto outputs = scratch.initRoot<schema::OutputSummary>();
  outputs.setFiles(1);
  if (auto elsewhere = rows.get(view, empty_key(succeeded.getJob())); elsewhere && elsewhere->size() == 8) {
    outputs.setFiles(0);
    outputs.setOutside(static_cast<uint32_t>(read_u64(*elsewhere)));
  }
  set_succeeded(decision, succeeded.getAttempt(), outputs.asReader(), event);
}

}  // namespace ledger
