#include "ledger/log_copy.h"

#include <algorithm>

#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "ledger/proof/named_blobs.h"

namespace ledger {
namespace {

constexpr size_t kPieceEvents = 512;
constexpr size_t kPieceBytes = 1u << 20;
constexpr size_t kSentNames = 65536;  // a copy may be followed for years; a document that comes twice harms nobody

}  // namespace

base::Result<LogCopy::Piece> LogCopy::read(const Snapshot& snapshot, uint64_t to) {
  Piece piece;
  size_t bytes = 0;
  const base::Status read = snapshot.events(next_, to, [&](uint64_t, kj::ArrayPtr<const capnp::word> words) {
    StoredEvent event(words);
    std::vector<std::string> names, blobs;
    size_t own_bytes = words.size() * sizeof(capnp::word);
    for (NamedBlob& named : named_blobs(event.get())) {
      if (sent_.contains(named.sha256) || std::find(names.begin(), names.end(), named.sha256) != names.end()) continue;
      auto blob = snapshot.blob(named.sha256);
      if (!snapshot.status().is_ok()) return false;
      if (!blob) continue;
      own_bytes += blob->size();
      names.push_back(std::move(named.sha256));
      blobs.push_back(std::move(*blob));
    }
    // What is large goes alone: a message holds 64 MiB, as the command did that brought the document.
    if (!piece.empty() && bytes + own_bytes > kPieceBytes) return false;
    bytes += own_bytes;
    ++next_;
    piece.events.push_back(kj::heapArray(words));
    if (sent_.size() + names.size() > kSentNames) sent_.clear();
    for (size_t i = 0; i < names.size(); ++i) {
      sent_.insert(std::move(names[i]));
      piece.blobs.push_back(std::move(blobs[i]));
    }
    const auto body = event.get().getBody();
    if (!body.isBlobsErased()) return piece.events.size() < kPieceEvents;
    // Whoever takes the copy erases them there; one that was stored anew since comes again, with a later piece.
    for (auto blob : body.getBlobsErased().getBlobs()) sent_.erase(std::string(view(blob.getSha256())));
    return false;
  });
  if (!read.is_ok()) return read;
  if (!snapshot.status().is_ok()) return snapshot.status();
  return piece;
}

}  // namespace ledger
