#include "tools/run_gaps.h"

#include <utility>

#include "tools/records.h"

namespace tools {

void GapFinder::close(std::optional<GapSide> after) {
  if (!open_) return;
  open_->after = after;
  found_.push_back(std::move(*open_));
  open_.reset();
}

void GapFinder::add(schema::RunRow::Reader run) {
  const std::string_view instrument = text_of(run.getRun().getInstrument());
  const uint64_t number = run.getRun().getRunNumber();
  if (instrument != instrument_) {
    close(std::nullopt);
    instrument_ = instrument;
    before_.reset();
    last_seen_ = 0;
  }
  const bool refused = run.getState() == schema::RunState::REFUSED;
  const bool skips = last_seen_ != 0 && number > last_seen_ + 1;
  if ((skips || refused) && !open_) open_ = RunGap{instrument_, skips ? last_seen_ + 1 : number, 0, before_, std::nullopt, {}};
  if (refused) {
    const auto files = run.getRawFiles();
    open_->refused.push_back({number, files.size() == 0 ? "" : files[0].getPath().cStr(), run.getReason().getText().cStr(),
                              run.getReason().getCode().cStr(), run.getReason().getEvent()});
    open_->last = number;
  } else {
    if (skips) open_->last = number - 1;
    before_ = GapSide{number, run.getDetectedAt(), run.getDetectedSeq()};
    close(before_);
  }
  last_seen_ = number;
}

std::vector<RunGap> GapFinder::take(bool at_end) {
  if (at_end) close(std::nullopt);
  return std::exchange(found_, {});
}

}  // namespace tools
