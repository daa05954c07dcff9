#include "ledger/snapshot.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ledger/command_record.h"
#include "ledger/keys.h"
#include "ledger/log_scan.h"
#include "ledger/log_state.h"
#include "ledger/subject_rows.h"
#include "ledger/tree_rows.h"

namespace ledger {

StoreSnapshot::StoreSnapshot(std::shared_ptr<const Cut> cut, uint64_t head, std::shared_ptr<HealthBoard> health,
                             std::shared_ptr<FoldBoard> board)
    : cut_(std::move(cut)), head_(head), health_(std::move(health)), board_(std::move(board)) {}

void StoreSnapshot::note(const base::Status& status) const {
  if (status.is_ok()) return;
  if (status_.is_ok()) status_ = status;
  health_->read_only(status);
}

std::optional<std::string> StoreSnapshot::read(Table table, std::string_view key) const {
  std::string value;
  const auto found = cut_->get(table, key, value);
  note(found.status());
  if (!found.is_ok() || !*found) return std::nullopt;
  return value;
}

bool StoreSnapshot::has_rows(ViewId view) const {
  if (cut_->holds(view_table(view))) return true;
  if (status_.is_ok()) status_ = board_->missing(view);
  return false;
}

std::optional<std::string> StoreSnapshot::get(ViewId view, std::string_view key) const {
  return has_rows(view) ? read(view_table(view), key) : std::nullopt;
}
std::optional<std::string> StoreSnapshot::blob(std::string_view sha256) const { return read(Table::kBlobs, sha256); }

void StoreSnapshot::scan(ViewId view, std::string_view from, const Visit& visit) const {
  if (has_rows(view)) note(cut_->scan(view_table(view), from, {}, visit));
}

bool StoreSnapshot::has_blob(std::string_view sha256) const {
  const auto found = cut_->has(Table::kBlobs, sha256);
  note(found.status());
  return found.is_ok() && *found;
}

base::Result<kj::Array<capnp::word>> StoreSnapshot::event(uint64_t seq) const {
  if (seq == 0 || seq > head_) {
    return base::Status(base::Code::kNotFound, fmt::format("event {}: the log has events 1 to {}", seq, head_));
  }
  auto words = load_event(*cut_, seq);
  note(words.status());
  return words;
}

base::Status StoreSnapshot::events(uint64_t from, uint64_t to, const VisitEvent& visit) const {
  from = std::max<uint64_t>(from, 1);
  to = std::min(to, head_);
  if (from > to) return {};
  if (from == to) {  // an iterator would cost more than what it reads
    const auto words = event(from);
    if (words.is_ok()) visit(from, *words);
    return words.status();
  }
  const base::Status status = scan_events(*cut_, from, to, visit);
  note(status);
  return status;
}

std::vector<uint64_t> StoreSnapshot::subject(std::string_view key, uint64_t from, size_t limit) const {
  std::vector<uint64_t> seqs;
  if (limit == 0) return seqs;
  note(cut_->scan(Table::kSubjects, subject_row_key(key, from), {}, [&](std::string_view row, std::string_view before) {
    if (row.size() != key.size() + 8 || !row.starts_with(key)) return false;
    const auto group = decode_seqs(read_u64(row, key.size()), before);
    if (!group) {
      note({base::Code::kCorruption, fmt::format("row {} of the subject index cannot be read; run 'runledger verify'", base::hex(row))});
      return false;
    }
    for (const uint64_t seq : *group) {
      if (seq >= from && seqs.size() < limit) seqs.push_back(seq);
    }
    return seqs.size() < limit;
  }));
  return seqs;
}

base::Result<base::Sha256> StoreSnapshot::tree_node(int level, uint64_t index) const {
  auto node = load_node(*cut_, level, index);
  note(node.status());
  return node;
}

uint64_t StoreSnapshot::position(std::string_view daemon) const {
  const auto stored = read(Table::kPositions, daemon);
  return stored && stored->size() == 8 ? read_u64(*stored) : 0;
}

std::optional<Answer> StoreSnapshot::answered(const Identity& identity, std::string_view command_id) const {
  const auto record = read(Table::kCommands, command_key(identity, command_id));
  auto answer = record ? decode_answer(*record) : std::nullopt;
  if (!answer) return std::nullopt;
  const auto forgotten = read(Table::kMeta, Store::kForgottenKey);
  if (forgotten && forgotten->size() == 8 && *answered_at(*record) <= read_u64(*forgotten)) return std::nullopt;
  answer->repeated = true;
  return answer;
}

std::string StoreSnapshot::held_checkpoint() const { return read(Table::kMeta, Store::kHeldCheckpointKey).value_or(std::string()); }

}  // namespace ledger
