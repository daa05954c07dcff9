// Following the log: events as they come, until the runs waited for are finished.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/client.h"
#include "tools/event_text.h"
#include "tools/run_names.h"
#include "tools/words.h"

namespace tools {

/// Events that are about all that is named here, and of one of the kinds. Empty and 0: not named.
struct EventSelection {
  std::string instrument, experiment, worker, by;
  uint64_t job = 0;
  std::optional<RunName> run;  // whichever version
  std::vector<uint16_t> kinds;
};

struct Follow {
  uint64_t from_seq = 0;  // 0 = only what comes
  EventSelection about;
  /// Gets each event, in order; false ends the following.
  std::function<bool(const EventLine&)> use;
  /// Ends once each of these is finished: the version named, else the latest with nothing asked for any more. Empty: never.
  std::vector<RunName> until_finished;
};

/// Such an event is the last of a version, or says that there will be none.
bool ends_a_version(std::string_view kind);

/// The states of `until_finished` at the end; kUnavailable when the connection is lost, empty when `use` ended it.
base::Result<std::vector<schema::RunState>> follow(Client& client, Follow order);

}  // namespace tools
