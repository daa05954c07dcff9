#include "ledger/log_copy.h"

#include <algorithm>

#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "ledger/proof/named_blobs.h"

namespace ledger {
namespace {

constexpr size_t kPieceEvents = 512;
constexpr size_t kPieceBytes = 1u << 20;

}  // namespace

base::Result<LogCopy::Piece> LogCopy::read(const Snapshot& snapshot, uint64_t to) {
  Piece piece;
  for (size_t bytes = 0; next_ <= to && piece.events.size() < kPieceEvents; ++next_) {
    auto words = snapshot.event(next_);
    if (!words.is_ok()) return words.status();
    std::vector<std::string> names, blobs;
    size_t own_bytes = words->size() * sizeof(capnp::word);
    for (NamedBlob& named : named_blobs(StoredEvent(*words).get())) {
      if (sent_.contains(named.sha256) || std::find(names.begin(), names.end(), named.sha256) != names.end()) continue;
      auto blob = snapshot.blob(named.sha256);
      if (!snapshot.status().is_ok()) return snapshot.status();
      if (!blob) continue;
      own_bytes += blob->size();
      names.push_back(std::move(named.sha256));
      blobs.push_back(std::move(*blob));
    }
    // What is large goes alone: a message holds 64 MiB, as the command did that brought the document.
    if (!piece.empty() && bytes + own_bytes > kPieceBytes) break;
    bytes += own_bytes;
    piece.events.push_back(std::move(*words));
    for (size_t i = 0; i < names.size(); ++i) {
      sent_.insert(std::move(names[i]));
      piece.blobs.push_back(std::move(blobs[i]));
    }
    const auto body = StoredEvent(piece.events.back()).get().getBody();
    if (!body.isBlobsErased()) continue;
    // Whoever takes the copy erases them there; one that was stored anew since comes again, with a later piece.
    for (auto blob : body.getBlobsErased().getBlobs()) sent_.erase(std::string(view(blob.getSha256())));
    ++next_;
    break;
  }
  return piece;
}

}  // namespace ledger
