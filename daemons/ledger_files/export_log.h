// Taking a ledger's log out of a running ledgerd, into a file.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/sha256.h"
#include "base/status.h"
#include "schema/api.capnp.h"

namespace daemons {

struct ExportOrder {
  std::filesystem::path file;
  uint64_t from = 1;
  std::string token;           // to log in by; empty: by the connection
  bool even_unsigned = false;  // also where the ledger signs nothing because its log is not the one it signed before
};

struct Exported {
  std::string ledger_id;
  uint64_t from = 0, to = 0;
  uint64_t file_bytes = 0;
  base::Sha256 root{};
  base::Status unsigned_because;  // ok: a checkpoint of the ledger's key goes with it
};

/// Everything from event `from` to the end there is when it begins. `progress` gets events.
/// kNotFound: nothing is there from `from` on. kAlreadyExists: the file is there. kCorruption: the log is not the one that was signed before.
kj::Promise<base::Result<Exported>> export_log(schema::Gateway::Client gateway, ExportOrder order, std::function<void(uint64_t done, uint64_t total)> progress);

}  // namespace daemons
