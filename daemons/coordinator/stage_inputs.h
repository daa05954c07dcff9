// What a stage takes of some runs: the results that are there, and what is still on its way.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemons/coordinator/record.h"
#include "ledger/canonical.h"

namespace daemons {

struct StageSource {
  uint64_t run = 0;  // the (first) one
  std::string stage;
  Record::Job job;
};

/// Of a rule and some runs.
struct StageInputs {
  using Run = std::shared_ptr<const ledger::Row<schema::RunRow>>;
  std::vector<Run> runs;                // that have all it takes of a run, by number
  std::vector<uint64_t> without;        // that have not
  std::vector<StageSource> sources;     // by run, then stage
  bool open = false;                    // more is on its way
  bool complete = true;                 // what it takes of all runs together is there

  std::vector<uint64_t> numbers() const;
  std::string experiment() const;
  /// The event that brought the newest of the sources.
  uint64_t newest() const;
  /// A JobSources document.
  std::string document() const;
};

/// "28001", "28001-28004" for several in a row or not.
std::string run_range(const std::vector<uint64_t>& runs);
/// "MARI 28001, 28003 and 4 more"
std::string run_list(std::string_view instrument, const std::vector<uint64_t>& runs);
/// Rules in an order in which none stands before one it comes after.
std::vector<uint32_t> in_order(capnp::List<schema::StageRow>::Reader rules);

/// Owns:    nothing; borrows the record. Threads: loop thread. Errors: rejects when the connection breaks.
class StageInputsReader {
 public:
  using Rules = capnp::List<schema::StageRow>::Reader;
  explicit StageInputsReader(Record& record) : record_(record) {}

  /// `rules`: all of the instrument; they stay until the answer is there.
  kj::Promise<StageInputs> of_runs(Rules rules, schema::StageRule::Reader rule, std::vector<uint64_t> runs);
  /// Of every run of the experiment on the rule's instrument.
  kj::Promise<StageInputs> of_experiment(Rules rules, schema::StageRule::Reader rule, std::string experiment);

 private:
  struct Found {
    Record::Job job;    // null: no result
    bool open = false;  // a newer one waits or runs
  };
  struct Gathering;
  kj::Promise<StageInputs> gather(std::shared_ptr<Gathering> gathering);
  kj::Promise<void> list(std::shared_ptr<Gathering> gathering, std::string experiment, std::string after);
  kj::Promise<Found> result_of(std::string stage, StageInputs::Run run, std::shared_ptr<const std::vector<uint64_t>> exactly);
  kj::Promise<Found> newest_of(std::string stage, StageInputs::Run run, std::shared_ptr<const std::vector<uint64_t>> exactly, uint32_t left, bool open);

  Record& record_;
};

}  // namespace daemons
