// The subject index, compared with what the events are about.
#pragma once

#include <array>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger/verify.h"
#include "schema/event.capnp.h"

namespace ledger {

/// Recomputes every row of the index, and compares sums of hashes over all rows, which have no order; only where those differ are rows
/// looked for.
///
/// Owns:    links of runs, and of the last jobs. Borrows cut and findings. Threads: one. Errors: in the findings.
class SubjectCheck {
 public:
  SubjectCheck(const Cut& cut, uint64_t head, Findings& findings);

  /// Every event in order; an event that is not whole is left out by lose().
  void add(uint64_t seq, schema::Event::Reader event);
  /// What the index has for this event is not judged.
  void lose(uint64_t seq) { lost_.insert(seq); }
  /// Call behind the last event.
  void finish();

 private:
  /// Hash of a row under a key of this process: nobody can prepare rows that add up. (Not SHA-256: there are several rows an event.)
  using Sum = std::array<uint64_t, 2>;
  Sum hash(std::string_view key, std::string_view value) const;
  static void add_to(Sum& sum, const Sum& row);

  struct Links {
    std::unordered_map<std::string, std::string> of_runs;  // what the link's row must be at the end
    std::unordered_map<std::string, std::string> of_jobs;  // the last ones
  };
  using VisitRow = std::function<void(std::string_view key, std::string_view value)>;
  void rows_of(uint64_t seq, schema::Event::Reader event, Links& links, const VisitRow& visit) const;
  std::vector<std::string> link(const Links& links, std::string_view subject, bool may_be_lost) const;
  bool is_lost(std::string_view key) const;
  void scan_stored(const VisitRow& visit) const;
  void check_order(std::string_view last, std::string_view key);
  void name_differences();

  const Cut& cut_;
  const uint64_t head_;
  Findings& findings_;
  std::array<uint64_t, 4> secret_;
  Links links_;
  Sum expected_{};
  std::set<uint64_t> lost_;
  uint64_t out_of_order_ = 0;
};

}  // namespace ledger
