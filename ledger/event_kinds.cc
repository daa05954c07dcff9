#include "ledger/event_kinds.h"

#include <capnp/schema.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/counted.h"
#include "base/version.h"
#include "ledger/keys.h"
#include "schema/event.capnp.h"

namespace ledger {
namespace {

constexpr std::string_view kKindKeys = "kind/", kWriterKey = "writer";

/// schema version (8), release (text)
std::string this_release() { return u64_key(kSchemaVersion) + std::string(base::version()); }
std::string release_words(std::string_view writer) {
  return fmt::format("release {} (schema {})", writer.substr(8), read_u64(writer));
}

}  // namespace

bool is_known_kind(uint16_t kind) { return kind < capnp::Schema::from<schema::Event::Body>().getUnionFields().size(); }

base::Result<EventKinds> EventKinds::load(const Cut& cut) {
  EventKinds kinds;
  const auto found = cut.get(Table::kMeta, kWriterKey, kinds.writer_);
  if (!found.is_ok()) return found.status();
  if (kinds.writer_.size() < 8) kinds.writer_.clear();
  const base::Status scanned = cut.scan(Table::kMeta, kKindKeys, {}, [&](std::string_view key, std::string_view value) {
    if (!key.starts_with(kKindKeys)) return false;
    key.remove_prefix(kKindKeys.size());
    if (key.size() == 2 && value.size() == 16) {
      const auto kind = static_cast<uint16_t>(static_cast<uint8_t>(key[0]) << 8 | static_cast<uint8_t>(key[1]));
      kinds.kinds_[kind] = {.events = read_u64(value), .first = read_u64(value, 8)};
      if (!is_known_kind(kind)) kinds.unknown_ += read_u64(value);
    }
    return true;
  });
  if (!scanned.is_ok()) return scanned;
  return kinds;
}

void EventKinds::count(uint16_t kind, uint64_t seq) {
  Kind& at = kinds_[kind];
  if (at.events++ == 0) at.first = seq;
  at.changed = true;
}

void EventKinds::emit(const Cut& cut, Store::Batch& batch) {
  bool any = false;
  for (auto& [kind, at] : kinds_) {
    if (!at.changed) continue;
    const std::string key = std::string(kKindKeys) + static_cast<char>(kind >> 8) + static_cast<char>(kind & 0xFF);
    batch.put(cut, Table::kMeta, key, u64_key(at.events) + u64_key(at.first));
    at.changed = false;
    any = true;
  }
  const std::string release = this_release();
  if (!any || writer_ == release || (!writer_.empty() && read_u64(writer_) > kSchemaVersion)) return;
  batch.put(cut, Table::kMeta, kWriterKey, release);
  writer_ = release;
}

base::Status EventKinds::understood() const {
  if (unknown_ == 0) return {};
  uint64_t first = 0;
  for (const auto& [kind, at] : kinds_) {
    if (!is_known_kind(kind)) first = first == 0 ? at.first : std::min(first, at.first);
  }
  return {base::Code::kUnsupportedVersion,
          fmt::format("the log holds {} of a kind that {} does not know, the first is event {}; {} wrote {}. They are passed over when "
                      "reading, nothing is decided: start the newer release",
                      base::counted(unknown_, "event"), release_words(this_release()), first,
                      writer_.empty() ? "a newer release" : release_words(writer_), unknown_ == 1 ? "it" : "them")};
}

}  // namespace ledger
