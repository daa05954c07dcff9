// Being the copy of another ledger: what is trusted, what is asked before anything that came is written. Why: docs/engine.md.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "base/time.h"
#include "ledger/ledger.h"
#include "ledger/proof/checkpoint.h"
#include "ledger/proof/merkle.h"
#include "ledger/proof/note.h"

namespace ledger {

/// The source's public key from its line, which names a ledger. kInvalidArgument: it is none.
base::Result<NoteKey> parse_source_key(std::string_view line);
/// The id in the name of such a key.
std::string ledger_id(const NoteKey& key);

/// Makes the folder of a copy where there is none: the source's id, its public key, no private one.
/// kConflict: what is there is another ledger, one with a key of its own, or the copy under another public key.
base::Status prepare_copy(const std::filesystem::path& folder, const NoteKey& source, const base::Clock& clock);

/// What a source says of itself: a checkpoint, and the proof that the log up to some event is the beginning of it.
struct SourceWord {
  std::string checkpoint;
  std::vector<base::Sha256> path;
};

/// The checkpoint, once `source` is known to have signed it and the tree `held` to be the beginning of it.
/// kPermissionDenied: another key signed it. kConflict: it is of fewer events than are held, or of another history. kCorruption: it is no
/// checkpoint of that ledger.
base::Result<Checkpoint> check_source(const NoteKey& source, const TreeEdge& held, const SourceWord& word);

/// A piece of a log as it comes.
struct CopiedPiece {
  std::vector<std::string> events;
  std::vector<std::string> blobs;
};

/// Each document with the event that names it. kCorruption: a document no event of the piece names (as one whose bytes were changed), or an
/// event that cannot be read.
base::Result<std::vector<Delivery::Event>> arrange(CopiedPiece piece);

}  // namespace ledger
