#include "ledger/event_bytes.h"

#include <fmt/format.h>

#include <cstring>

#include "ledger/canonical.h"
#include "ledger/limits.h"

namespace ledger {

namespace {

base::Result<kj::Array<capnp::word>> of_bearable_size(kj::ArrayPtr<const capnp::word> words) {
  const size_t size = words.size() * sizeof(capnp::word);
  if (size > kMaxEventBytes) {
    return base::Status(
        base::Code::kInvalidArgument,
        fmt::format("the event would take {} bytes, {} are allowed; put long text into a blob and name it by its SHA-256", size,
                    kMaxEventBytes));
  }
  return kj::heapArray(words);
}

}  // namespace

base::Result<kj::Array<capnp::word>> canonical_event(schema::Event::Reader event) { return of_bearable_size(canonical_words(event)); }
base::Result<kj::Array<capnp::word>> canonical_event(EventDraft& draft) { return of_bearable_size(built_words(draft.message())); }

kj::Array<capnp::word> as_words(std::string_view bytes) {
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  if (words.size() > 0) std::memcpy(words.begin(), bytes.data(), words.size() * sizeof(capnp::word));
  return words;
}

}  // namespace ledger
