// From what is wished for to what a job is made of: the one way from a reason to a job.
#pragma once

#include <kj/async.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "daemons/coordinator/record.h"
#include "daemons/coordinator/script_defaults.h"
#include "daemons/coordinator/script_record.h"
#include "daemons/coordinator/support_record.h"
#include "daemons/port.h"
#include "rpc/loop.h"
#include "scripts/capture_cache.h"

namespace daemons {

/// The instrument's own script, as it is on disk now; put on record when it changed.
struct CurrentScript {};
/// Another one, as it is on disk now.
struct ScriptAt {
  std::string path;
  schema::Contract contract;
};
/// Texts that the ledger has: nothing is read from a disk.
struct StoredScript {
  std::string path;
  schema::Contract contract;
  base::Sha256 sha256;
  std::vector<std::pair<std::string, base::Sha256>> siblings;
  std::string interpreter;  // it ran in; empty = it did not yet
};
StoredScript stored_script(schema::JobQueued::Reader job);

/// Values somebody gave with a request; `owner` keeps what they are read from.
struct GivenValues {
  capnp::List<schema::Variable>::Reader variables;
  std::string by;
  int64_t at = 0;
  uint64_t seq = 0;
  std::shared_ptr<const void> owner;
  bool by_member = false;  // of the run's experiment, who may not set variables
};

/// Where the values come from that are not given.
enum class ValuesFrom {
  kScript,    // the script's own
  kSettings,  // what is set for the run, over the script's own
  kVersion,   // what another job had, over kSettings
  kVersionExactly,  // what another job had
};

/// A job that somebody, or something, wishes for.
struct Wish {
  std::string subject;  // of the sentences: "MARI 28001"
  std::string next_step;  // what to do once the cause is mended: "`runledger rerun MARI 28001 --script current`"
  std::string instrument;
  std::string experiment;  // empty = unknown
  uint64_t run_number = 0;
  std::vector<std::string> raw_paths;
  uint64_t cause = 0;
  bool asked = false;  // somebody did, who may have mended what was wrong

  std::variant<CurrentScript, ScriptAt, StoredScript> script;
  std::string interpreter;  // as in ReductionRequested
  ValuesFrom values = ValuesFrom::kSettings;
  Record::Job version;  // whose values; for kVersion and kVersionExactly
  GivenValues given;
  bool lenient = false;  // nobody could be told that no job is made: what is odd about the variables is said in its reason
};

/// What a job is made of, beside its runs and its place; the ledger has, or is given, every byte of it.
struct JobContent {
  Record::Instrument instrument;
  StoredScript script;  // with the interpreter it will run in
  std::string variables;  // VariableSet document; empty = the contract has none
  std::vector<NamedFile> support_files;  // on record
  std::vector<std::string> blobs;
  std::string remarks;  // to be added to the job's reason
};

/// Why there is no job.
struct Decline {
  std::string code;  // docs/reasons.md
  std::string text;
};

struct Planned {
  std::optional<Decline> decline;
  JobContent content;  // whole where nothing is declined
};

/// Plans jobs, several at a time.
///
/// Owns:    nothing; borrows all it is made with.
/// Threads: loop thread; files are read on the pool; variables are read by their own interpreter in a child.
/// Errors:  what stands in the way of a job is a Decline; rejects when the connection breaks.
class Planner {
 public:
  struct Parts {
    rpc::Loop& loop;
    Record& record;
    Submitter& submitter;
    ScriptDefaultsReader& defaults;
    ScriptRecord& scripts;
    SupportRecord& support_files;
    std::shared_ptr<scripts::CaptureCache> captures;  // also of work on the pool that outlives us
  };
  explicit Planner(Parts parts) : parts_(std::move(parts)) {}

  kj::Promise<Planned> plan(Wish wish);

 private:
  Parts parts_;
};

}  // namespace daemons
