#include "ledger/log_scan.h"

#include <fmt/format.h>

#include <cstring>

#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/overlay.h"

namespace ledger {

base::Status scan_events(const Cut& cut, uint64_t from, uint64_t to, const VisitEvent& visit) {
  uint64_t expected = from;
  bool more = true;
  kj::Array<capnp::word> words;  // rows lie anywhere; one aligned copy at a time
  const base::Status scanned = cut.sweep(Table::kEvents, u64_key(from), u64_key(to + 1), [&](std::string_view key, std::string_view bytes) {
    if (key.size() != 8 || read_u64(key) != expected) return false;
    const size_t size = bytes.size() / sizeof(capnp::word);
    if (words.size() < size) words = kj::heapArray<capnp::word>(2 * size);
    if (size > 0) std::memcpy(words.begin(), bytes.data(), size * sizeof(capnp::word));
    more = visit(expected, words.slice(0, size));
    expected += 1;
    return more;
  });
  if (!scanned.is_ok()) return scanned.in(fmt::format("event {}", expected));
  if (more && expected <= to)
    return {base::Code::kCorruption, fmt::format("event {} is missing from the log; restore the ledger from a copy", expected)};
  return {};
}

base::Status each_event(const Cut& cut, uint64_t from, uint64_t to, const TakeEvent& take) {
  base::Status status;
  const base::Status scanned = scan_events(cut, from, to, [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
    try {
      StoredEvent event(words);
      status = take(seq, event.get());
    } catch (const StoreFault& fault) {
      status = fault.status;
    } catch (const kj::Exception& error) {
      status = {base::Code::kInternal, fmt::format("event {} cannot be folded: {}", seq, error.getDescription().cStr())};
    } catch (const std::exception& error) {
      status = {base::Code::kInternal, fmt::format("event {} cannot be folded: {}", seq, error.what())};
    }
    return status.is_ok();
  });
  return scanned.is_ok() ? status : scanned;
}

}  // namespace ledger
