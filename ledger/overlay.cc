#include "ledger/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "ledger/keys.h"
#include "ledger/subject_rows.h"

namespace ledger {
namespace {

bool found(const base::Result<bool>& result) {
  if (!result.is_ok()) throw StoreFault{result.status()};
  return *result;
}

}  // namespace

void Overlay::begin(std::shared_ptr<const Cut> base) {
  base_ = std::move(base);
  for (Written& rows : rows_) rows.clear();
  for (auto& rows : read_) rows.clear();
  links_.clear();
  subjects_.clear();
  blobs_.clear();
  mark();
}

Overlay::Written& Overlay::of(ViewId view) {
  const auto index = static_cast<size_t>(view);
  if (index >= rows_.size()) throw std::logic_error(fmt::format("view {} is beyond the {} there can be", index, rows_.size()));
  return rows_[index];
}
const Overlay::Written& Overlay::of(ViewId view) const { return const_cast<Overlay*>(this)->of(view); }

std::optional<std::string> Overlay::get(ViewId view, std::string_view key) const {
  const Written& rows = of(view);
  if (const auto written = rows.find(key); written != rows.end()) return written->second;
  // What deciding reads, folding mostly reads again; the tables stand still as long as a group is at hand.
  auto& known = read_[static_cast<size_t>(view)];
  auto [at, fresh] = known.try_emplace(std::string(key));
  if (!fresh) return at->second;
  try {
    if (!base_->holds(view_table(view))) throw ViewMissing{view};
    std::string row;
    if (found(base_->get(view_table(view), key, row))) at->second = std::move(row);
  } catch (...) {
    known.erase(at);
    throw;
  }
  return at->second;
}

void Overlay::scan(ViewId view, std::string_view from, const Visit& visit) const {
  const Written& rows = of(view);
  if (!base_->holds(view_table(view))) throw ViewMissing{view};
  auto written = rows.lower_bound(from);
  bool more = true;
  const auto visit_written = [&] {
    if (written->second) more = visit(written->first, *written->second);
    ++written;
  };
  const base::Status status = base_->scan(view_table(view), from, {}, [&](std::string_view key, std::string_view row) {
    while (more && written != rows.end() && written->first < key) visit_written();
    if (!more) return false;
    if (written != rows.end() && written->first == key) {
      visit_written();
    } else {
      more = visit(key, row);
    }
    return more;
  });
  if (!status.is_ok()) throw StoreFault{status};
  while (more && written != rows.end()) visit_written();
}

bool Overlay::has_blob(std::string_view sha256) const {
  if (const auto put = blobs_.find(std::string(sha256)); put != blobs_.end()) return put->second.has_value();
  return found(base_->has(Table::kBlobs, sha256));
}

std::optional<std::string> Overlay::blob(std::string_view sha256) const {
  if (const auto put = blobs_.find(std::string(sha256)); put != blobs_.end()) {
    return put->second ? std::optional(std::string(*put->second)) : std::nullopt;
  }
  std::string bytes;
  if (!found(base_->get(Table::kBlobs, sha256, bytes))) return std::nullopt;
  return bytes;
}

void Overlay::write(Written& rows, std::string_view key, std::optional<std::string> row) {
  auto [at, fresh] = rows.try_emplace(std::string(key));
  undo_.push_back({&rows, at->first, !fresh, std::move(at->second)});
  at->second = std::move(row);
}
void Overlay::put(ViewId view, std::string_view key, std::string_view row) {
  if (!base_->holds(view_table(view))) {
    throw std::logic_error(fmt::format("view {} has no table; is it among the ledger's views?", static_cast<int>(view)));
  }
  write(of(view), key, std::string(row));
}
void Overlay::erase(ViewId view, std::string_view key) {
  if (base_->holds(view_table(view))) write(of(view), key, std::nullopt);
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

void Overlay::put_subject(std::string_view subject, uint64_t seq) { subjects_.push_back(subject_row_key(subject, seq)); }

void Overlay::put_link(std::string_view subject, const std::vector<std::string>& to) {
  write(links_, link_key(subject), encode_link(to));
}

std::vector<std::string> Overlay::link(std::string_view subject) const {
  std::string stored;
  const std::string key = link_key(subject);
  if (const auto written = links_.find(key); written != links_.end()) {
    stored = *written->second;
  } else if (!found(base_->get(Table::kSubjects, key, stored))) {
    return {};
  }
  auto to = decode_link(stored);
  if (!to) throw StoreFault{{base::Code::kCorruption, "a link of the subject index is cut short"}};
  return *std::move(to);
}

void Overlay::mark() {
  undo_.clear();
  undo_blobs_.clear();
  subjects_mark_ = subjects_.size();
}

void Overlay::rollback() {
  for (; !undo_.empty(); undo_.pop_back()) {
    Undo& last = undo_.back();
    const auto at = last.rows->find(last.key);
    if (last.was_written) {
      at->second = std::move(last.row);
    } else {
      last.rows->erase(at);
    }
  }
  subjects_.resize(subjects_mark_);
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
  std::sort(subjects_.begin(), subjects_.end());
  const auto subject_of = [](const std::string& key) { return std::string_view(key).substr(0, key.size() - 8); };
  std::vector<uint64_t> seqs;
  for (size_t i = 0; i < subjects_.size(); ++i) {
    seqs.push_back(read_u64(subjects_[i], subjects_[i].size() - 8));
    if (i + 1 < subjects_.size() && subject_of(subjects_[i + 1]) == subject_of(subjects_[i])) continue;
    batch.put(*base_, Table::kSubjects, subjects_[i], encode_seqs(seqs));
    seqs.clear();
  }
}

void Overlay::emit(Store::Batch& batch) {
  for (size_t view = 0; view < rows_.size(); ++view) {
    const Table table = view_table(static_cast<ViewId>(view));
    for (const auto& [key, row] : rows_[view]) {
      if (row) {
        batch.put(*base_, table, key, *row);
      } else {
        batch.erase(*base_, table, key);
      }
    }
  }
  for (const auto& [key, ends] : links_) batch.put(*base_, Table::kSubjects, key, *ends);
  emit_subjects(batch);
  for (const auto& [sha256, bytes] : blobs_) {
    if (bytes) {
      batch.put(*base_, Table::kBlobs, sha256, *bytes);
    } else {
      batch.erase(*base_, Table::kBlobs, sha256);
    }
  }
}

}  // namespace ledger
