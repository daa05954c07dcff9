#include "ledger/erasure.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "ledger/subjects.h"

namespace ledger {

uint64_t erased_by(const Snapshot& snapshot, std::string_view sha256) {
  constexpr size_t kPage = 100;
  uint64_t last = 0;
  for (;;) {
    const std::vector<uint64_t> seqs = snapshot.subject(blob_subject(sha256), last + 1, kPage);
    if (!seqs.empty()) last = seqs.back();
    if (seqs.size() < kPage) return last;
  }
}

base::Status blob_unknown(std::string_view sha256) { return {base::Code::kNotFound, fmt::format("document {}: not in this ledger", base::hex(sha256))}; }

base::Status blob_missing(const Snapshot& snapshot, std::string_view sha256) {
  const std::string name = fmt::format("document {}", base::hex(sha256));
  const uint64_t seq = erased_by(snapshot, sha256);
  if (seq == 0) return blob_unknown(sha256);
  const auto words = snapshot.event(seq);
  if (!words.is_ok()) return words.status().in(name);
  StoredEvent stored(*words);
  const auto event = stored.get();
  return {base::Code::kNotFound,
          fmt::format("{}: erased by event {} ({}, {}): {}", name, seq, base::printable(view(event.getActor().getName())),
                      base::iso_time(event.getTime()), base::printable(view(event.getBody().getBlobsErased().getReason().getText())))};
}

}  // namespace ledger
