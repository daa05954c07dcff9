#include "ledger/log_state.h"

#include <fmt/format.h>

#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/tree_rows.h"

namespace ledger {
namespace {

base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

}  // namespace

ReadNode nodes_of(const Snapshot& snapshot) {
  return [&snapshot](int level, uint64_t index) { return snapshot.tree_node(level, index); };
}

base::Result<TreeEdge> load_edge(const Snapshot& snapshot, uint64_t size) {
  base::Status status;
  TreeEdge edge(size, [&](int level, uint64_t index) {
    auto hash = snapshot.tree_node(level, index);
    if (hash.is_ok()) return *hash;
    if (status.is_ok()) status = hash.status();
    return base::Sha256{};
  });
  if (!status.is_ok()) return status;
  return edge;
}

base::Result<kj::Array<capnp::word>> load_event(const Cut& cut, uint64_t seq) {
  std::string bytes;
  const auto found = cut.get(Table::kEvents, u64_key(seq), bytes);
  if (!found.is_ok()) return found.status().in(fmt::format("event {}", seq));
  if (!*found) return corrupt(fmt::format("event {} is missing from the log; restore the ledger from a copy", seq));
  return as_words(bytes);
}

base::Result<LogState> load_log_state(const Cut& cut) {
  LogState state;
  std::string key, bytes;
  const auto found = cut.last(Table::kEvents, key, bytes);
  if (!found.is_ok()) return found.status();
  uint64_t head = 0;
  if (*found) {
    if (key.size() != 8) return corrupt("the log holds a key that is no seq; restore the ledger from a copy");
    head = read_u64(key);
    const auto words = as_words(bytes);
    try {
      state.time_ns = StoredEvent(words).get().getTime();
    } catch (const kj::Exception& error) {
      return corrupt(fmt::format("event {} cannot be read: {}", head, error.getDescription().cStr()));
    }
    const auto leaf = load_node(cut, 0, head - 1);
    if (!leaf.is_ok()) return leaf.status();
    if (*leaf != leaf_hash(bytes)) {
      return corrupt(fmt::format("event {} does not have the bytes its tree was made of; restore the ledger from a copy", head));
    }
  }
  const uint64_t tile = head / kTileLeaves * kTileLeaves;
  StoredLeaves leaves;
  if (base::Status loaded = load_leaves(cut, tile, tile + kTileLeaves, leaves, [](std::string) {}); !loaded.is_ok()) return loaded;
  if (leaves[head - tile]) return corrupt(fmt::format("the log ends at event {}, its tree does not; restore the ledger from a copy", head));
  auto edge = load_edge(cut, head);
  if (!edge.is_ok()) return edge.status();
  state.edge = *edge;
  auto kinds = EventKinds::load(cut);
  if (!kinds.is_ok()) return kinds.status();
  state.kinds = std::move(*kinds);
  return state;
}

}  // namespace ledger
