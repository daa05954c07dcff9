// An attempt's own folder: the captured script, what run_script.py is told, where the script may drop things.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "daemons/worker/plan.h"

namespace daemons {

/// What the ledger's blobs hold for an attempt.
struct CapturedFiles {
  std::string script;
  std::vector<std::string> siblings;  // as in the plan
  std::string variables;              // VariableSet document; empty = none
};

/// scratch/JOB-ATTEMPT/ with work/ home/ tmp/ script/ job.json result.json.
struct JobFolders {
  explicit JobFolders(std::string root_path) : root(std::move(root_path)) {}
  std::string root;
  std::string work() const { return root + "/work"; }
  std::string home() const { return root + "/home"; }
  std::string tmp() const { return root + "/tmp"; }
  std::string script() const { return root + "/script"; }
  std::string job_file() const { return root + "/job.json"; }
  std::string result_file() const { return root + "/result.json"; }
};

// The functions below block: run them on the pool.

/// Makes the folders and writes script, siblings and job.json. Whatever lay there is removed.
base::Status write_job_files(const JobFolders& folders, const AttemptPlan& plan, const CapturedFiles& files);
/// Why the inputs are not the bytes recorded; empty = they are. Files whose size and time are as recorded are not read again.
std::string input_problem(const std::vector<PlannedInput>& inputs);
/// Why the written copies of script and siblings are not the bytes recorded; empty = they are.
std::string script_problem(const JobFolders& folders, const AttemptPlan& plan);
/// A path as the file system has it, from the record's text, where bytes that are not UTF-8 are written \xHH.
std::string path_bytes(const std::string& recorded);
/// The file's content if it is there and at most `limit` bytes.
std::optional<std::string> read_small_file(const std::string& path, size_t limit);

}  // namespace daemons
