// Following the log: events as they come, until the runs waited for are finished.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/client.h"
#include "tools/event_text.h"
#include "tools/run_names.h"
#include "tools/words.h"

namespace tools {

struct Follow {
  uint64_t from_seq = 0;   // 0 = only what comes
  std::string instrument;  // empty = all
  /// Gets each event, in order; false ends the following.
  std::function<bool(const EventLine&)> use;
  /// Ends once each of these is finished: the version named, else the latest with nothing asked for any more. Empty: never.
  std::vector<RunName> until_finished;
};

/// The states of `until_finished` at the end; kUnavailable when the connection is lost, empty when `use` ended it.
base::Result<std::vector<schema::RunState>> follow(Client& client, Follow order);

}  // namespace tools
