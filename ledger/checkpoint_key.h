// The key a ledger signs its checkpoints with: checkpoint.key and checkpoint.pub in its folder.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/status.h"
#include "ledger/proof/note.h"

namespace ledger {

inline constexpr const char* kCheckpointKeyFiles[] = {"checkpoint.key", "checkpoint.pub"};

/// The key pair of ledger `id`; made when neither file is there, and the public line written again when only that is gone.
/// kCorruption: one of the files is not what it should be; kUnavailable: they cannot be read or written. Neither is touched then.
base::Result<SigningKey> open_checkpoint_key(const std::filesystem::path& folder, std::string_view id);

/// For a folder that shall have no private key.
base::Status write_public_key(const std::filesystem::path& folder, const NoteKey& key);

/// The public line of a folder; for whoever must not see the private one.
base::Result<NoteKey> read_public_key(const std::filesystem::path& folder);

}  // namespace ledger
