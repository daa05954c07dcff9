// The witness file: checkpoints a ledger signed, kept outside of it. Lines: docs/formats/proofs.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ledger/proof/checkpoint.h"

namespace ledger {

/// A checkpoint of the file, with the note it was read from.
struct Witnessed {
  Checkpoint checkpoint;
  std::string note;
  std::optional<StatedLoss> lost = {};  // a later checkpoint says that it went with this loss; the log does not lead to it
};

/// An entry as it stands in the file.
std::string witness_entry(std::string_view note, int64_t time_ns);
/// Whether a text begins as a witness file does: with an entry, which may have been cut short.
bool is_witness_text(std::string_view text);

/// Every checkpoint of a witness file's text, in its order, once `key` is known to have signed each. An entry that was cut short while it
/// was written is passed over, whatever was appended behind it. `name` stands before what is wrong.
/// kPermissionDenied: another key signed one of them. kCorruption: a signature is wrong, or they shrink without a loss that is stated.
base::Result<std::vector<Witnessed>> parse_witness_text(std::string_view text, std::string_view name, const std::vector<NoteKey>& keys);
/// The same of a file; none when there is no such file. kUnavailable: unreadable.
base::Result<std::vector<Witnessed>> read_witness_file(const std::filesystem::path& path, const NoteKey& key);

/// The last one that was not lost; null: there is none.
const Witnessed* last_standing(const std::vector<Witnessed>& entries);

}  // namespace ledger
