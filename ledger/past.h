// Looking back: a snapshot whose rows are those after an earlier event. How, and what it costs: docs/engine.md.
#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "ledger/fold.h"
#include "ledger/ledger.h"
#include "ledger/memory_rows.h"
#include "ledger/view_rows.h"

namespace ledger {

/// The last event recorded at or before `time_ns`; 0 = none.
base::Result<uint64_t> seq_at(const Snapshot& now, int64_t time_ns);

/// The ledger as it stood after event `seq`: rows are folded again from the events that made them, no others.
///
/// Owns:    a snapshot of now, rows folded so far. Threads: one at a time.
/// Errors:  as Snapshot says; also kCorruption in status() where an event cannot be folded.
/// Holds runs, jobs, queue, instruments, variables, experiments, campaigns, rules of stages and support files. Files, workers, roles and what
/// stages made are of now only: none are shown.
/// A scan walks the rows of one kind (the first letter of their keys) and ends with it.
class Past final : public Snapshot {
 public:
  /// `seq` at most now.head().
  Past(std::unique_ptr<Snapshot> now, uint64_t seq);

  std::optional<std::string> get(ViewId view, std::string_view key) const override;
  void scan(ViewId view, std::string_view from, const Visit& visit) const override;
  bool has_blob(std::string_view sha256) const override { return now_->has_blob(sha256); }
  std::optional<std::string> blob(std::string_view sha256) const override { return now_->blob(sha256); }

  base::Status status() const override { return status_.is_ok() ? now_->status() : status_; }
  uint64_t head() const override { return seq_; }
  base::Result<kj::Array<capnp::word>> event(uint64_t seq) const override;
  base::Status events(uint64_t from, uint64_t to, const VisitEvent& visit) const override {
    return now_->events(from, std::min(to, seq_), visit);
  }
  std::vector<uint64_t> subject(std::string_view key, uint64_t from, size_t limit) const override;
  base::Result<base::Sha256> tree_node(int level, uint64_t index) const override { return now_->tree_node(level, index); }
  uint64_t position(std::string_view) const override { return 0; }
  std::optional<Answer> answered(const Identity&, std::string_view) const override { return std::nullopt; }

 private:
  using Views = std::span<const ViewId>;
  std::shared_ptr<MemoryRows> empty_rows() const;
  /// Events about `subject` up to `seq`, folded into `views`.
  std::shared_ptr<const MemoryRows> fold(std::string_view subject, uint64_t seq, Views views) const;
  /// The same at seq_, kept for the next questions about it.
  std::shared_ptr<const RowReader> folded(std::string_view subject, Views views) const;
  void each_event(std::string_view subject, uint64_t last, const std::function<void(uint64_t seq)>& act) const;
  /// What was made for `subject` before, else made now.
  std::shared_ptr<const RowReader> recent(std::string_view subject, const std::function<std::shared_ptr<const RowReader>()>& make) const;
  void fold_event(uint64_t seq, Views views, MemoryRows& rows) const;
  void note(base::Status status) const;

  std::shared_ptr<const RowReader> run_rows(std::string_view run_key) const;
  std::shared_ptr<const RowReader> settings_rows(std::string_view instrument) const;
  std::shared_ptr<const RowReader> experiment_rows(std::string_view experiment) const;
  std::shared_ptr<const RowReader> campaign_rows(uint64_t campaign) const;
  const MemoryRows& counts() const;  // of runs
  const MemoryRows& queue() const;
  std::optional<std::string> run_key_of_job(uint64_t job) const;
  void scan_runs(std::string_view from, const Visit& visit) const;

  const std::unique_ptr<Snapshot> now_;
  const uint64_t seq_;
  mutable base::Status status_;
  mutable std::list<std::pair<std::string, std::shared_ptr<const RowReader>>> recent_;  // newest first
  mutable std::shared_ptr<MemoryRows> counts_;
  mutable std::shared_ptr<MemoryRows> queue_;
};

}  // namespace ledger
