// How many events of each kind the log holds: so that a release knows at once whether there are kinds it does not know.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"
#include "ledger/store.h"

namespace ledger {

/// Of schema/event.capnp; raised when an event or field is added that older releases do not know.
inline constexpr uint64_t kSchemaVersion = 3;

/// Whether this release knows the kind (discriminant of Event.body).
bool is_known_kind(uint16_t kind);

/// Owns:    the counts. Threads: one at a time. Stored in meta with each group: docs/formats/event_log.md.
class EventKinds {
 public:
  static base::Result<EventKinds> load(const Cut& cut);
  void count(uint16_t kind, uint64_t seq);
  /// What was counted since the last time, and which release counted it.
  void emit(const Cut& cut, Store::Batch& batch);
  /// kUnsupportedVersion: there are events this release does not know; how many, from where on, and both releases.
  base::Status understood() const;

 private:
  struct Kind {
    uint64_t events = 0;
    uint64_t first = 0;  // seq
    bool changed = false;
  };
  std::map<uint16_t, Kind> kinds_;
  std::string writer_;    // newest release that appended
  uint64_t unknown_ = 0;  // events this release does not know
};

}  // namespace ledger
