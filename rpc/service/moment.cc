#include "rpc/service/moment.h"

#include <fmt/format.h>

#include "base/time.h"
#include "ledger/past.h"
#include "rpc/service/answers.h"

namespace rpc {

FoundMoment find_moment(const ledger::Snapshot& snapshot, schema::Moment::Reader moment) {
  uint64_t seq = moment.isSeq() ? moment.getSeq() : 0;
  if (moment.isTime()) {
    auto found = ledger::seq_at(snapshot, moment.getTime());
    if (!found.is_ok()) return {found.status()};
    seq = *found;
    if (seq == 0) {
      const std::string first = snapshot.head() == 0 ? "the log is empty"
                                                     : "the first event is of " + base::iso_time(time_of(snapshot, 1));
      return {{base::Code::kNotFound,
               fmt::format("nothing was recorded at or before {}; {}", base::iso_time(moment.getTime()), first)}};
    }
  }
  if (seq == 0 || seq > snapshot.head()) {
    return {{base::Code::kNotFound, fmt::format("event {} is not there: the log has events 1 to {}", seq, snapshot.head())}};
  }
  return {{}, seq, time_of(snapshot, seq)};
}

}  // namespace rpc
