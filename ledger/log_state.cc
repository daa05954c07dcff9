#include "ledger/log_state.h"

#include <fmt/format.h>

#include <cstring>

#include "ledger/event_bytes.h"
#include "ledger/keys.h"

namespace ledger {
namespace {

base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

}  // namespace

std::string tree_key(int level, uint64_t index) {
  std::string key(1, static_cast<char>(level));
  append_u64(key, index);
  return key;
}

base::Result<base::Sha256> load_node(const Cut& cut, int level, uint64_t index) {
  std::string bytes;
  const auto found = cut.get(Table::kTree, tree_key(level, index), bytes);
  if (!found.is_ok()) return found.status();
  base::Sha256 hash{};
  if (!*found || bytes.size() != hash.size()) {
    return corrupt(fmt::format("the tree over the log lacks node {} of level {}; restore the ledger from a copy", index, level));
  }
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return hash;
}

base::Result<TreeEdge> load_edge(const Cut& cut, uint64_t size) {
  base::Status status;
  TreeEdge edge(size, [&](int level, uint64_t index) {
    auto node = load_node(cut, level, index);
    if (node.is_ok()) return *node;
    status = node.status();
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
    auto leaf = cut.get(Table::kTree, tree_key(0, head - 1), key);
    if (!leaf.is_ok()) return leaf.status();
    if (!*leaf || key != base::as_bytes(leaf_hash(bytes))) {
      return corrupt(fmt::format("event {} does not have the bytes its tree was made of; restore the ledger from a copy", head));
    }
  }
  auto beyond = cut.has(Table::kTree, tree_key(0, head));
  if (!beyond.is_ok()) return beyond.status();
  if (*beyond) return corrupt(fmt::format("the log ends at event {}, its tree does not; restore the ledger from a copy", head));
  auto edge = load_edge(cut, head);
  if (!edge.is_ok()) return edge.status();
  state.edge = *edge;
  auto kinds = EventKinds::load(cut);
  if (!kinds.is_ok()) return kinds.status();
  state.kinds = std::move(*kinds);
  return state;
}

}  // namespace ledger
