// What is still to be reacted to, in one line for each instrument, and how far all of it has come.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

namespace daemons {

/// Work in the order of the log within an instrument, side by side between instruments: one whose script or folder keeps us waiting
/// holds up only its own runs.
///
/// Owns:    the work that is not done. Dropping it drops the work under way.
/// Threads: loop thread.
/// Errors:  work that rejects stops its line, and its event counts as not reacted to: let it reject only when all is over.
class InstrumentLines final : private kj::TaskSet::ErrorHandler {
 public:
  using Work = std::function<kj::Promise<void>()>;
  InstrumentLines() : tasks_(*this) {}

  /// Reacts to event `seq` when what was added before for this instrument is done. Events come in the order of the log.
  void add(uint64_t seq, const std::string& instrument, Work work);
  /// Every event up to and with this one has been reacted to, once `seq` is, too.
  uint64_t position_after(uint64_t seq) const;

 private:
  struct Item {
    uint64_t seq;
    Work work;
  };
  using Line = std::deque<Item>;

  void taskFailed(kj::Exception&& exception) override;
  kj::Promise<void> run(Line& line);

  std::map<std::string, Line> lines_;
  std::multiset<uint64_t> open_;  // an event may stand in two lines
  uint64_t last_ = 0;
  kj::TaskSet tasks_;  // last: its tasks use all of the above
};

}  // namespace daemons
