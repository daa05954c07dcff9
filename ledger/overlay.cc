#include "ledger/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "ledger/subject_rows.h"

namespace ledger {
void Overlay::begin(std::shared_ptr<const Cut> base) {
  rows_.begin(std::move(base));
  subjects_.clear();
  blobs_.clear();
  mark();
}

Table Overlay::readable(ViewId view) const {
  const Table table = view_table(view);
  if (!rows_.base().holds(table)) throw ViewMissing{view};
  return table;
}

std::optional<std::string> Overlay::get(ViewId view, std::string_view key) const {
  return std::optional<std::string>(rows_.get(readable(view), key));
}
void Overlay::scan(ViewId view, std::string_view from, const Visit& visit) const { rows_.scan(readable(view), from, visit); }

bool Overlay::has_blob(std::string_view sha256) const {
  if (const auto put = blobs_.find(std::string(sha256)); put != blobs_.end()) return put->second.has_value();
  return found(rows_.base().has(Table::kBlobs, sha256));
}

std::optional<std::string> Overlay::blob(std::string_view sha256) const {
  if (const auto put = blobs_.find(std::string(sha256)); put != blobs_.end()) {
    return put->second ? std::optional(std::string(*put->second)) : std::nullopt;
  }
  std::string bytes;
  if (!found(rows_.base().get(Table::kBlobs, sha256, bytes))) return std::nullopt;
  return bytes;
}

void Overlay::put(ViewId view, std::string_view key, std::string_view row) {
  const Table table = view_table(view);
  if (!rows_.base().holds(table)) {
    throw std::logic_error(fmt::format("view {} has no table; is it among the ledger's views?", static_cast<int>(view)));
  }
  undo_.push_back(rows_.change(table, key, row));
}
void Overlay::erase(ViewId view, std::string_view key) {
  if (rows_.base().holds(view_table(view))) undo_.push_back(rows_.change(view_table(view), key, std::nullopt));
}

void Overlay::put_blob(const std::string& sha256, std::string_view bytes) {
  if (!has_blob(sha256)) write_blob(sha256, bytes);
}
void Overlay::erase_blob(const std::string& sha256) { write_blob(sha256, std::nullopt); }

void Overlay::write_blob(const std::string& sha256, std::optional<std::string_view> blob) {
  auto [at, fresh] = blobs_.try_emplace(sha256);
  undo_blobs_.emplace_back(sha256, fresh ? std::nullopt : std::optional<Blob>(std::in_place, at->second));
  at->second = blob;
}

void Overlay::put_subject(std::string subject, uint64_t seq) {
  std::vector<uint64_t>& seqs = subjects_[std::move(subject)];
  seqs.push_back(seq);
  undo_subjects_.push_back(&seqs);
}

void Overlay::put_link(std::string_view subject, const std::vector<std::string>& to) {
  undo_.push_back(rows_.change(Table::kSubjects, link_key(subject), encode_link(to)));
}

std::vector<std::string> Overlay::link(std::string_view subject) const {
  const auto stored = rows_.get(Table::kSubjects, link_key(subject));
  if (!stored) return {};
  auto to = decode_link(*stored);
  if (!to) throw StoreFault{{base::Code::kCorruption, "a link of the subject index is cut short"}};
  return *std::move(to);
}

void Overlay::mark() {
  undo_.clear();
  undo_subjects_.clear();
  undo_blobs_.clear();
}

void Overlay::rollback() {
  for (; !undo_.empty(); undo_.pop_back()) rows_.restore(std::move(undo_.back()));
  for (; !undo_subjects_.empty(); undo_subjects_.pop_back()) undo_subjects_.back()->pop_back();
  for (; !undo_blobs_.empty(); undo_blobs_.pop_back()) {
    const auto& [sha256, before] = undo_blobs_.back();
    if (before) {
      blobs_[sha256] = *before;
    } else {
      blobs_.erase(sha256);
    }
  }
}

/// One row for all events of the group about a subject.
void Overlay::emit_subjects(Store::Batch& batch) {
  std::vector<std::pair<std::string_view, const std::vector<uint64_t>*>> rows;
  rows.reserve(subjects_.size());
  for (const auto& [subject, seqs] : subjects_) {
    if (!seqs.empty()) rows.emplace_back(subject, &seqs);
  }
  std::sort(rows.begin(), rows.end());
  for (const auto& [subject, seqs] : rows) {
    batch.put(rows_.base(), Table::kSubjects, subject_row_key(subject, seqs->back()), encode_seqs(*seqs));
  }
}

void Overlay::emit(Store::Batch& batch) {
  rows_.each_changed([&](Table table, std::string_view key, std::optional<std::string_view> row) {
    if (row) {
      batch.put(rows_.base(), table, key, *row);
    } else {
      batch.erase(rows_.base(), table, key);
    }
  });
  emit_subjects(batch);
  for (const auto& [sha256, bytes] : blobs_) {
    if (bytes) {
      batch.put(rows_.base(), Table::kBlobs, sha256, *bytes);
    } else {
      batch.erase(rows_.base(), Table::kBlobs, sha256);
    }
  }
}

}  // namespace ledger
