// Slows down guessing: failed logins make the next answers from the same source, and for the same name, wait. Rules: docs/access.md.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/status.h"

namespace rpc {

/// Owns:    counts of failures by source and name, kForgottenAfter each and kMaxRemembered at most. Borrows the timer.
/// Threads: loop thread.
/// Errors:  kUnavailable: too many logins are waiting.
class LoginGuard {
 public:
  static constexpr size_t kMaxWaitingOfASource = 8;  // fewer the more wait
  static constexpr size_t kMaxWaiting = 256;          // from the network
  static constexpr size_t kMaxWaitingOfMachine = 64;  // beside them: over the Unix socket
  static constexpr uint32_t kFailuresAtOnce = 3;  // without a wait
  static constexpr kj::Duration kLongestWait = 60 * kj::SECONDS;
  static constexpr kj::Duration kForgottenAfter = 15 * kj::MINUTES;
  static constexpr size_t kMaxRemembered = 20'000;  // of sources, and of names

  enum Door : uint8_t { kNetwork, kMachine };

  explicit LoginGuard(kj::Timer& timer) : state_(std::make_shared<State>(timer)) {}

 private:
  struct State;

 public:
  /// One try to log in, from its beginning to its answer. Dropped without another word it has failed.
  class Try {
   public:
    Try(std::shared_ptr<State> state, Door door, std::string source, std::string name);
    ~Try();
    Try(const Try&) = delete;
    Try& operator=(const Try&) = delete;
    /// Done when its answer, good or bad, may be given.
    kj::Promise<void> wait();
    void succeeded() { outcome_ = Outcome::kSucceeded; }
    /// It could not be found out whether it is good.
    void undecided() { outcome_ = Outcome::kUndecided; }

   private:
    enum class Outcome { kFailed, kSucceeded, kUndecided };
    const std::shared_ptr<State> state_;
    const Door door_;
    const std::string source_, name_;
    kj::TimePoint answer_at_;
    Outcome outcome_ = Outcome::kFailed;
  };

  /// `source`: as Peer has it; of IPv6 addresses the first half counts. `name` empty: none is tried.
  base::Result<std::shared_ptr<Try>> enter(const std::string& source, const std::string& name, Door door = kNetwork);

 private:
  /// Failures by key, the keys used last.
  class Failures {
   public:
    uint32_t of(const std::string& key, kj::TimePoint now) const;
    void add(const std::string& key, kj::TimePoint now);
    void clear(const std::string& key);

   private:
    struct Count {
      uint32_t failures = 0;
      kj::TimePoint last = kj::origin<kj::TimePoint>();
    };
    const Count* find(const std::string& key) const;
    std::unordered_map<std::string, Count> recent_, older_;
  };

  struct State {
    explicit State(kj::Timer& used) : timer(used) {}
    kj::Timer& timer;
    Failures by_source, by_name;
    std::map<std::string, size_t> sources, names;  // tries under way
    std::array<size_t, 2> waiting{};  // by door
  };

  std::shared_ptr<State> state_;
};

}  // namespace rpc
