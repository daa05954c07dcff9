#include "ledger/follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/checkpoint_key.h"
#include "ledger/event_bytes.h"
#include "ledger/head_file.h"
#include "ledger/proof/named_blobs.h"
#include "ledger/proof/tree_proof.h"

namespace ledger {
namespace {

constexpr size_t kIdDigits = 32;

base::Status conflict(std::string message) { return {base::Code::kConflict, std::move(message)}; }

}  // namespace

base::Result<NoteKey> parse_source_key(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  auto key = NoteKey::parse(line);
  if (!key.is_ok()) return key;
  const std::string id = ledger_id(*key);
  if (id.size() != kIdDigits || id.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return base::Status(base::Code::kInvalidArgument,
                        fmt::format("{} is no ledger's key; `runledger prove --key`, asked of the source, prints the line", key->name));
  }
  return key;
}

std::string ledger_id(const NoteKey& key) {
  const std::string start = checkpoint_origin({});
  return key.name.starts_with(start) ? key.name.substr(start.size()) : std::string();
}

base::Status prepare_copy(const std::filesystem::path& folder, const NoteKey& source, const base::Clock& clock) {
  const std::filesystem::path head_path = folder / "HEAD";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return {base::Code::kUnavailable, fmt::format("{}: cannot be made: {}", folder.string(), error.message())};
  if (std::filesystem::exists(folder / "checkpoint.key", error)) {
    return conflict(fmt::format("{}: holds the private key of a ledger (checkpoint.key), and a follower signs nothing; name an empty folder, or, if "
                                "this is a copy of the source, take checkpoint.key out of it",
                                folder.string()));
  }
  if (const auto head = read_head_file(head_path); head.is_ok() && head->id != ledger_id(source)) {
    return conflict(fmt::format("{}: is ledger {}, the source's key is of ledger {}; name an empty folder, or the right key", folder.string(), head->id,
                                ledger_id(source)));
  }
  const auto known = read_public_key(folder);
  if (known.is_ok() && *known != source) {
    return conflict(fmt::format("{}: was copied under the key {}, [follow] names {}; find out which is the source's, then correct the one or the other "
                                "(checkpoint.pub here)",
                                folder.string(), known->line(), source.line()));
  }
  if (!known.is_ok() && known.status().code() != base::Code::kNotFound) return known.status();
  if (!known.is_ok()) {
    if (base::Status written = write_public_key(folder, source); !written.is_ok()) return written;
  }
  if (std::filesystem::exists(folder / "db", error) || std::filesystem::exists(head_path, error)) return {};
  return create_head_file(head_path, {.number = 0, .id = ledger_id(source), .size = 0, .root = TreeEdge().root(), .time_ns = clock.now_ns()});
}

base::Result<Checkpoint> check_source(const NoteKey& source, const TreeEdge& held, const SourceWord& word) {
  const auto checkpoint = Checkpoint::open(word.checkpoint, {source});
  if (!checkpoint.is_ok() && checkpoint.status().code() == base::Code::kPermissionDenied) {
    return base::Status(base::Code::kPermissionDenied, fmt::format("its checkpoint was signed by another key than {}", source.line()));
  }
  if (!checkpoint.is_ok()) return base::Status(base::Code::kCorruption, "its checkpoint: " + checkpoint.status().message());
  if (checkpoint->origin != source.name) {
    return base::Status(base::Code::kCorruption, fmt::format("its checkpoint is of {}, not of {}", checkpoint->origin, source.name));
  }
  if (checkpoint->size < held.size()) {
    return conflict(fmt::format("it has {} events, and {} of them are known: it lost events, or is an older copy", checkpoint->size, held.size()));
  }
  if (held.size() == 0) return checkpoint;
  if (const base::Status same = check_consistency(held.size(), held.root(), checkpoint->size, checkpoint->root, word.path); !same.is_ok()) {
    return conflict(fmt::format("events 1 to {} (root {}) are not the beginning of the {} events it has signed (root {}): {}", held.size(),
                                base::hex(held.root()), checkpoint->size, base::hex(checkpoint->root), same.message()));
  }
  return checkpoint;
}

base::Result<std::vector<Delivery::Event>> arrange(CopiedPiece piece) {
  std::map<std::string, std::string> documents;
  for (std::string& blob : piece.blobs) {
    std::string name(base::as_bytes(base::sha256(blob)));
    documents.emplace(std::move(name), std::move(blob));
  }
  std::vector<Delivery::Event> events;
  for (size_t i = 0; i < piece.events.size(); ++i) {
    Delivery::Event& event = events.emplace_back();
    event.bytes = std::move(piece.events[i]);
    const auto words = as_words(event.bytes);
    try {
      StoredEvent stored(words);
      for (const NamedBlob& named : named_blobs(stored.get())) {
        if (auto found = documents.extract(named.sha256)) event.blobs.push_back(std::move(found.mapped()));
      }
    } catch (const kj::Exception& problem) {
      return base::Status(base::Code::kCorruption, fmt::format("event {} of {} it sent cannot be read: {}", i + 1, piece.events.size(), problem.getDescription().cStr()));
    }
  }
  if (!documents.empty()) {
    return base::Status(base::Code::kCorruption, fmt::format("a document it sent ({} bytes, SHA-256 {}) is named by none of the events it came with",
                                                             documents.begin()->second.size(), base::hex(documents.begin()->first)));
  }
  return events;
}

}  // namespace ledger
