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

struct Exported {
  std::string ledger_id;
  uint64_t from = 0, to = 0;
  uint64_t file_bytes = 0;
  base::Sha256 root{};
  bool is_signed = false;  // a checkpoint of the ledger's key goes with it
};

/// Everything from event `from` to the end there is when it begins. `progress` gets events.
/// kNotFound: nothing is there from `from` on. kAlreadyExists: the file is there.
kj::Promise<base::Result<Exported>> export_log(schema::Gateway::Client gateway, uint64_t from, std::filesystem::path file,
                                               std::function<void(uint64_t done, uint64_t total)> progress);

}  // namespace daemons
