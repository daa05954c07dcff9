// Copies of an output in directories that the script named. They are made in hidden folders there while the output is in staging, and appear
// when it is published: a result that is not accepted shows nowhere, and whoever finishes a publication finishes its copies.
#pragma once

#include <string>
#include <vector>

#include "daemons/worker/output_folder.h"
#include "daemons/worker/plan.h"

namespace daemons {

// Every function here blocks: run it on the pool. A file beside the staging directory says where its copies are, from before the first is
// made until all are in place.

/// Makes the hidden copies of what lies in the attempt's staging directory. The value is one remark for each directory: where its copy will be,
/// or why there is none.
std::vector<std::string> prepare_copies(const AttemptPlan& plan, const OutputListing& listing, const std::vector<std::string>& directories,
                                        const StopFlag& stop);
/// Moves the copies to where they belong: into the directory itself, or, when it holds another file of one of their names, into a new folder
/// there, named as the last part of `final`. Never over anything. Done already, or by somebody else at this moment, is fine.
void finish_copies(const std::string& staging, const std::string& final);
/// Removes the copies of an output of which nothing will be published.
void drop_copies(const std::string& staging);
/// The same, and the staging directory itself.
base::Status drop_staging(const std::string& staging);

}  // namespace daemons
