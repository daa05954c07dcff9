#include "daemons/coordinator/instrument_lines.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace daemons {

void InstrumentLines::add(uint64_t seq, const std::string& instrument, Work work) {
  open_.insert(seq);
  last_ = std::max(last_, seq);
  Line& line = lines_[instrument];
  line.push_back({seq, std::move(work)});
  if (line.size() == 1) tasks_.add(kj::evalLater([this, &line] { return run(line); }));
}

kj::Promise<void> InstrumentLines::run(Line& line) {
  return kj::evalNow([&line] { return line.front().work(); }).then([this, &line]() -> kj::Promise<void> {
    open_.erase(open_.find(line.front().seq));
    line.pop_front();
    if (line.empty()) return kj::READY_NOW;
    return run(line);
  });
}

uint64_t InstrumentLines::position_after(uint64_t seq) const {
  auto first = open_.begin();
  if (first != open_.end() && *first == seq) ++first;
  return first == open_.end() ? std::max(last_, seq) : *first - 1;
}

void InstrumentLines::taskFailed(kj::Exception&& exception) {
  spdlog::warn("reactions to an instrument's events have stopped: {}", exception.getDescription().cStr());
}

}  // namespace daemons
