// From the ledger's values to the wire's.
#pragma once

#include <kj/exception.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/canonical.h"
#include "ledger/ledger.h"
#include "schema/api.capnp.h"

namespace rpc {

void write_refusal(const base::Status& status, schema::Refusal::Builder refusal);
void write_answer(const ledger::Answer& answer, schema::Answer::Builder builder);
void write_path(const std::vector<base::Sha256>& path, capnp::List<capnp::Data>::Builder list);
/// A fault that says this sentence and nothing else: for what has no refusal in its answer.
kj::Exception fault(const base::Status& status, kj::Exception::Type type = kj::Exception::Type::FAILED);
/// Throws, which the caller sees as a fault, when a read of `snapshot` failed: what was read must not be taken for what there is. Where
/// a view is being folded the fault says "overloaded", so that it is asked again.
void require_read(const ledger::Snapshot& snapshot);
/// When event `seq` was recorded; 0 where it cannot be read, which the snapshot's status says then.
int64_t time_of(const ledger::Snapshot& snapshot, uint64_t seq);

/// How many rows a page has; asked 0 = `usual`.
inline size_t page_size(uint32_t asked, size_t usual, size_t most) { return asked == 0 ? usual : std::min<size_t>(asked, most); }

using ledger::view;

}  // namespace rpc
