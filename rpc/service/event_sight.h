// Which events a caller sees, by what they are about.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rpc/access/policy.h"

namespace rpc {

/// What a caller sees of runs (rpc/access/policy.h), as keys of the subject index.
///
/// Owns: values. Threads: any. Errors: none.
class EventSight {
 public:
  explicit EventSight(const Caller& caller);
  /// Then nothing has to be asked of single events.
  bool is_everything() const { return everything_; }
  using Kind = schema::Event::Body::Which;
  /// `subjects`: of the event, sorted (ledger::RecordedSubjects).
  bool sees(Kind kind, const std::vector<std::string>& subjects) const;

 private:
  bool everything_ = false;           // and of every instrument
  bool has_role_ = false;
  bool all_of_scope_ = false;         // everything, of the instruments of a token
  std::string own_;                   // the caller as a subject
  std::vector<std::string> instruments_;  // sorted subjects: all runs of these
  std::vector<std::string> experiments_;
  std::vector<std::string> scope_;    // empty = all instruments
};

}  // namespace rpc
