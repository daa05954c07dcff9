// How the output of one version differs from that of another, from what is on record of both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/document.capnp.h"

namespace ledger {

struct OutputDifference {
  static constexpr size_t kPathsKept = 20;

  uint32_t equal = 0;    // files of the same path and bytes
  uint32_t changed = 0;  // of the same path and other bytes
  uint32_t added = 0;
  uint32_t missing = 0;
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
  std::vector<std::string> paths;  // of what differs, in order, no more than kPathsKept: "~ a.nxs", "+ b.nxs", "- c.nxs"

  bool is_same() const { return changed + added + missing == 0; }
};

/// Without the files below reduction_log/, which tell when and where the script ran: two executions never have the same.
OutputDifference compare_outputs(schema::OutputManifest::Reader before, schema::OutputManifest::Reader after);

}  // namespace ledger
