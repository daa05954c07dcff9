// Inclusion and consistency proofs over the tree of the log, as RFC 6962 (section 2.1) defines them: making and checking.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/proof/merkle.h"

namespace ledger {

/// Hash of the complete node (level, index): leaves [index << level, (index + 1) << level).
using ReadNode = std::function<base::Result<base::Sha256>(int level, uint64_t index)>;

/// Hash of the tree over leaves [begin, end), where `begin` is a multiple of every power of two up to the range's size.
base::Result<base::Sha256> subtree_root(uint64_t begin, uint64_t end, const ReadNode& node);

/// From the leaf's sibling up. Precondition: index < size.
base::Result<std::vector<base::Sha256>> inclusion_path(uint64_t index, uint64_t size, const ReadNode& node);
/// That the tree of `old_size` leaves is the beginning of that of `size`. Precondition: 0 < old_size <= size.
base::Result<std::vector<base::Sha256>> consistency_path(uint64_t old_size, uint64_t size, const ReadNode& node);

/// kOk: `leaf` is leaf `index` of the tree of `size` leaves under `root`. kCorruption: it is not, or the path has another length.
base::Status check_inclusion(const base::Sha256& leaf, uint64_t index, uint64_t size, const std::vector<base::Sha256>& path,
                             const base::Sha256& root);
/// kOk: the tree under `old_root` is the beginning of that under `root`. kCorruption: it is not.
base::Status check_consistency(uint64_t old_size, const base::Sha256& old_root, uint64_t size, const base::Sha256& root,
                               const std::vector<base::Sha256>& path);

}  // namespace ledger
