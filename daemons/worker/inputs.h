// The files a job reads: raw files, or those of other results; and whether they still are what is on record.
#pragma once

#include <string>
#include <vector>

#include "daemons/worker/file_bytes.h"
#include "daemons/worker/plan.h"
#include "schema/document.capnp.h"

namespace daemons {

/// The files of a result that a job takes, in the order of its manifest. Shell patterns on the path below `directory`: * and ? match no
/// slash. Without patterns: all but those in reduction_log/.
std::vector<PlannedInput> files_taken(schema::OutputManifest::Reader manifest, const std::string& directory,
                                      const std::vector<std::string>& patterns);

// The functions below block: run them on the pool.

/// Why the inputs are not the bytes recorded; empty = they are. Files whose size and time are as recorded are not read again.
std::string input_problem(const std::vector<PlannedInput>& inputs, const StopFlag& stop = nullptr);
/// The same for support files that the job gets as they are.
std::string support_file_problem(const std::vector<PlannedSupportFile>& files, const StopFlag& stop = nullptr);

}  // namespace daemons
