// An attempt's own folder: the captured script, what run_script.py is told, where the script may drop things.
#pragma once

#include <string>

#include "base/status.h"
#include "daemons/worker/captured_folder.h"
#include "daemons/worker/plan.h"

namespace daemons {

/// scratch/JOB-ATTEMPT/ with work/ home/ tmp/ script/ support/ job.json result.json.
struct JobFolders {
  explicit JobFolders(std::string root_path) : root(std::move(root_path)) {}
  std::string root;
  std::string work() const { return root + "/work"; }
  std::string home() const { return root + "/home"; }
  std::string tmp() const { return root + "/tmp"; }
  std::string script() const { return root + "/script"; }
  std::string support() const { return root + "/support"; }
  std::string job_file() const { return root + "/job.json"; }
  std::string result_file() const { return root + "/result.json"; }
};

/// The script's current directory.
std::string working_directory(const JobFolders& folders, const AttemptPlan& plan);

// The functions below block: run them on the pool.

/// Makes the folders. Whatever lay there is removed.
base::Status make_job_folders(const JobFolders& folders);
/// Writes script and siblings, links their neighbours, writes job.json. Support files must be laid out.
base::Result<NeighbourLinks> write_job_files(const JobFolders& folders, const AttemptPlan& plan, const CapturedFiles& files);

}  // namespace daemons
