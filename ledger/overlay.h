// The rows as they stand after the commands of a group so far, before the group is written.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ledger/changed_rows.h"
#include "ledger/rows.h"
#include "ledger/store.h"

namespace ledger {

/// A view that is read has no rows yet. Thrown by Overlay only, caught by the writer.
struct ViewMissing {
  ViewId view;
};

/// The live tables under what the current group writes.
///
/// Owns:    what was put; of blobs only the names: their bytes must stay until emit().
/// Threads: the writer's. Errors: throws StoreFault, ViewMissing; std::logic_error for a view that cannot be.
class Overlay final : public Rows {
 public:
  Overlay() = default;
  /// Empty again, over `base`.
  void begin(std::shared_ptr<const Cut> base);

  std::optional<std::string> get(ViewId view, std::string_view key) const override;
  void scan(ViewId view, std::string_view from, const Visit& visit) const override;
  bool has_blob(std::string_view sha256) const override;
  std::optional<std::string> blob(std::string_view sha256) const override;
  void put(ViewId view, std::string_view key, std::string_view row) override;
  void erase(ViewId view, std::string_view key) override;

  /// Nothing happens when it is stored already.
  void put_blob(const std::string& sha256, std::string_view bytes);
  void erase_blob(const std::string& sha256);
  /// Entry of the subject index: this subject, this seq; and where a subject leads to.
  void put_subject(std::string subject, uint64_t seq);
  void put_link(std::string_view subject, const std::vector<std::string>& to);
  std::vector<std::string> link(std::string_view subject) const;

  /// All that is put from here on can be taken back.
  void mark();
  void rollback();
  /// Once, behind the last command.
  void emit(Store::Batch& batch);

 private:
  Table readable(ViewId view) const;
  void emit_subjects(Store::Batch& batch);
  void write_blob(const std::string& sha256, std::optional<std::string_view> blob);

  ChangedRows rows_;  // of views, and links
  std::unordered_map<std::string, std::vector<uint64_t>> subjects_;  // the seqs of each, ascending
  using Blob = std::optional<std::string_view>;                      // nullopt = erased
  std::unordered_map<std::string, Blob> blobs_;

  // Since mark().
  std::vector<ChangedRows::Before> undo_;
  std::vector<std::vector<uint64_t>*> undo_subjects_;
  std::vector<std::pair<std::string, std::optional<Blob>>> undo_blobs_;  // as they were before; nullopt = not written
};

}  // namespace ledger
