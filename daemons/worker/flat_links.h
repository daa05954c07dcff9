// Links to the files of each run's newest version in one folder, for those who are used to finding them there.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace daemons {

/// Directories of a run's versions, by version.
using VersionFolders = std::map<uint16_t, std::string>;

/// Makes FOLDER/NAME a link to each file of `version`, names with slashes in folders below; takes away links of earlier versions whose file is
/// not in this one. What is no link into one of the run's version directories is left alone, as are links of a newer version. Links are
/// replaced one by one, by rename; done twice, or by two at once, it comes to the same. The value is one sentence for each name that could not
/// be linked. Blocking: run it on the pool.
std::vector<std::string> refresh_flat_links(const std::string& folder, uint16_t version, const VersionFolders& versions);

}  // namespace daemons
