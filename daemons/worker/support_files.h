// Files that variables name, laid out for one job by the content that is on record.
#pragma once

#include <string>

#include "base/status.h"
#include "daemons/worker/plan.h"

namespace daemons {

/// Where the script finds a support file: its copy FOLDER/N/NAME, or the file itself where the ledger does not keep its bytes.
std::string support_file_place(const std::string& folder, const AttemptPlan& plan, size_t index);

/// A variable's value for the script, as JSON: paths of support files replaced by their places; a url's variable becomes
/// {"url", "default", "value", "path"}. A value without support files comes back as it is. Blocking: reads what urls gave.
std::string value_with_places(const std::string& json, schema::Variable::Group group, const std::string& name, const std::string& folder,
                              const AttemptPlan& plan);

/// Writes the copy of one. Blocking.
base::Status lay_out_support_file(const std::string& folder, const AttemptPlan& plan, size_t index, const std::string& bytes);

}  // namespace daemons
