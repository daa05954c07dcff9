// How two versions differ, part by part.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/records.h"

namespace tools {

/// A named thing that is not the same on both sides; nullopt = that side has none.
struct Difference {
  std::string name;
  std::optional<std::string> a, b;
  bool operator==(const Difference&) const = default;
};
using Parts = std::map<std::string, std::string>;

/// Names in order; those that are equal on both sides are left out.
std::vector<Difference> differences(const Parts& a, const Parts& b);

// What is compared of a version. A name that comes twice, as a file of several folders may, is told apart by a number.
Parts variable_parts(const VersionDetail& detail);     // "standard.mon" -> JSON value
Parts environment_parts(const VersionDetail& detail);  // "host", "NAME" of a variable set for the script -> text
Parts input_parts(const VersionDetail& detail);        // file name -> "SIZE B, sha256 HEX"
Parts support_parts(const VersionDetail& detail);      // "standard.mask /archive/mask.xml" -> "SIZE B, sha256 HEX"
Parts output_parts(const VersionDetail& detail);       // path in the output folder -> "SIZE B, sha256 HEX"

/// Of the last attempt; nullopt while none has ended.
std::optional<int64_t> duration_ns(const VersionDetail& detail);

}  // namespace tools
