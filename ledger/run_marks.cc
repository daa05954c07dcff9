#include "ledger/run_marks.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ledger/keys.h"
#include "ledger/view_rows.h"
#include "ledger/views/experiments.h"
#include "ledger/views/runs.h"

namespace ledger {
namespace {

/// The marks under one prefix, which end in the run's number; read some at a time.
class MarkStream {
 public:
  MarkStream(const RowReader& rows, ViewId view, std::string prefix, uint64_t first, uint64_t last)
      : rows_(rows), view_(view), prefix_(std::move(prefix)), from_(first), last_(last) {}

  bool has_mark() {
    if (next_ == marks_.size() && !ended_) read();
    return next_ < marks_.size();
  }
  uint64_t run_number() const { return marks_[next_].first; }
  const std::string& value() const { return marks_[next_].second; }
  void pass() { ++next_; }

 private:
  static constexpr size_t kAtOnce = 4096;

  void read() {
    marks_.clear();
    next_ = 0;
    ended_ = true;
    std::string start = prefix_;
    append_u64(start, from_);
    rows_.scan(view_, start, [&](std::string_view key, std::string_view value) {
      if (key.size() != prefix_.size() + 8 || !key.starts_with(prefix_)) return false;
      const uint64_t run_number = read_u64(key, prefix_.size());
      if (run_number > last_) return false;
      if (marks_.size() == kAtOnce) {
        from_ = run_number;
        return ended_ = false;
      }
      marks_.emplace_back(run_number, value);
      return true;
    });
  }

  const RowReader& rows_;
  const ViewId view_;
  const std::string prefix_;
  uint64_t from_;
  const uint64_t last_;
  std::vector<std::pair<uint64_t, std::string>> marks_;
  size_t next_ = 0;
  bool ended_ = false;
};

std::string instrument_key(std::string_view instrument) {
  std::string key;
  append_text(key, instrument);
  return key;
}

}  // namespace

void visit_run_marks(const RowReader& rows, std::string_view instrument, uint64_t first, uint64_t last, const VisitMark& visit) {
  const std::string key = instrument_key(instrument);
  std::vector<MarkStream> states;
  for (size_t i = 0; i < kRunStates; ++i) {
    const auto state = static_cast<schema::RunState>(i);
    if (state != schema::RunState::REFUSED) states.emplace_back(rows, ViewId::kRuns, RunsView::state_key(state, key), first, last);
  }
  MarkStream experiments(rows, ViewId::kExperiments, ExperimentsView::experiment_key(key), first, last);
  for (;;) {
    MarkStream* next = nullptr;
    for (MarkStream& state : states) {
      if (state.has_mark() && (next == nullptr || state.run_number() < next->run_number())) next = &state;
    }
    if (next == nullptr) return;
    const uint64_t run_number = next->run_number();
    next->pass();
    while (experiments.has_mark() && experiments.run_number() < run_number) experiments.pass();
    const bool known = experiments.has_mark() && experiments.run_number() == run_number;
    if (!visit(run_number, known ? std::string_view(experiments.value()) : std::string_view())) return;
  }
}

void visit_run_marks_of(const RowReader& rows, std::string_view instrument, std::string_view experiment, const VisitMark& visit) {
  MarkStream runs(rows, ViewId::kExperiments, ExperimentsView::run_mark(experiment, instrument_key(instrument)), 0, UINT64_MAX);
  for (; runs.has_mark(); runs.pass()) {
    if (!visit(runs.run_number(), experiment)) return;
  }
}

}  // namespace ledger
