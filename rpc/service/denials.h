// What was refused, for the record: the first of a kind at once, more of the same counted. Why: docs/access.md, "On record".
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/time.h"
#include "ledger/ledger.h"

namespace rpc {

struct Denial {
  ledger::Identity who;
  std::string action;   // "see_run", "log_in"
  std::string subject;  // empty = nothing in particular
  std::string code;
  std::string reason;   // a sentence
  std::string source;
};

/// Writes the first of each kind (who, what, from where) at once and from then on one a minute with the count, until a minute passes without
/// any. At most kASecond are written in a second, and kASecondOfOne of one account (or of all who are nobody); an account's kinds beyond that, and
/// beyond kMaxKindsOfOne, are counted together as its own, and what is beyond all is counted together whoever it is of; both are written once a
/// minute. The networks of IPv6 (/64) are one source each.
///
/// Owns:    at most kMaxKinds kinds, with their first denial. Borrows timer and clock.
/// Threads: loop thread.
/// Units:   times UTC nanoseconds.
class Denials {
 public:
  static constexpr size_t kASecond = 10, kASecondOfOne = 5;
  static constexpr size_t kMaxKinds = 1000, kMaxKindsOfOne = 100;
  static constexpr kj::Duration kCounted = 60 * kj::SECONDS;

  /// `count` of them, `first` being the first, tried at `first_at_ns`.
  using Write = std::function<void(const Denial& first, uint64_t count, int64_t first_at_ns)>;
  Denials(kj::Timer& timer, const base::Clock& clock, Write write) : timer_(timer), clock_(clock), write_(std::move(write)) {}

  void add(Denial denial);
  /// Writes all that is counted, however much it is.
  void flush();

 private:
  struct Kind {
    Denial first;
    uint64_t count = 0;
    int64_t first_at_ns = 0;
    kj::TimePoint due = kj::origin<kj::TimePoint>();
  };
  void count(Kind& kind, Denial denial);
  bool has_had_its_share(const std::string& account) const;
  /// Writes what it has counted and counts anew.
  void write(Kind& kind);
  void write_due();
  kj::Promise<void> tick();

  kj::Timer& timer_;
  const base::Clock& clock_;
  const Write write_;
  std::map<std::string, Kind> kinds_;
  Kind others_;  // beyond what is told apart
  size_t left_ = kASecond;  // in this second
  std::map<std::string, size_t> written_;  // in this second, by account
  bool ticking_ = false;
  kj::Promise<void> ticks_ = nullptr;  // while anything is counted
};

}  // namespace rpc
