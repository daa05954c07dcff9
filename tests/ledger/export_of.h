// An export of an open ledger, as the program makes it over RPC.
#pragma once

#include <gtest/gtest.h>

#include "ledger/event_bytes.h"
#include "ledger/ledger.h"
#include "ledger/log_copy.h"
#include "ledger/transfer/export_writer.h"

namespace support {

/// Events from..head into a new file. `before` is the tree over the events before `from`.
inline void write_export(const ledger::Ledger& ledger, const std::filesystem::path& path, uint64_t from = 1, const ledger::TreeEdge& before = {}) {
  const auto snapshot = ledger.snapshot();
  auto writer = ledger::ExportWriter::create(path, {ledger.id(), from, snapshot->head(), before, "test"});
  ASSERT_TRUE(writer.is_ok()) << writer.status().message();
  ledger::LogCopy copy(from);
  while (copy.next() <= snapshot->head()) {
    auto piece = copy.read(*snapshot, snapshot->head());
    ASSERT_TRUE(piece.is_ok()) << piece.status().message();
    for (std::string& blob : piece->blobs) (*writer)->hold(std::move(blob));
    for (const auto& event : piece->events) {
      const base::Status added = (*writer)->add(ledger::as_bytes(event));
      ASSERT_TRUE(added.is_ok()) << added.message();
    }
  }
  const base::Status finished = (*writer)->finish("");
  ASSERT_TRUE(finished.is_ok()) << finished.message();
}

}  // namespace support
