// The queue: jobs waiting for a worker, the next one first. Rows: schema/row.capnp, QueueRow.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kQueue:
///   'w' priority(1) job(8)   -> QueueRow that waits; the first is taken next
///   'h' priority(1) job(8)   -> QueueRow that is held, kept apart so that taking the next never walks held ones
///   't' priority(1) job(8)   -> QueueRow taken by an attempt, kept until the job ends in case it has to wait again
///   'j' job(8)               -> the key of its row, one of those above
///   'c' instrument 00        -> count(8) of rows that wait or are held
///   'm' event(8)             -> QueueMoment: the jobs that waited, were held or ran after that event
///   'l'                      -> event(8) of the latest moment
class QueueView final : public View {
 public:
  enum class Place : char { kWaiting = 'w', kHeld = 'h', kTaken = 't' };
  static std::string row_key(Place place, uint8_t priority, uint64_t job) {
    return std::string(1, static_cast<char>(place)).append(1, static_cast<char>(priority)).append(u64_key(job));
  }
  static std::string job_key(uint64_t job) { return std::string("j").append(u64_key(job)); }
  static std::string moment_key(uint64_t seq) { return std::string("m").append(u64_key(seq)); }
  static std::string count_key(std::string_view instrument);

  ViewId id() const override { return ViewId::kQueue; }
  const char* name() const override { return "queue"; }
  uint32_t version() const override { return 3; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
