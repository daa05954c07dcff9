// How far long work is, told to whoever waits for it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "rpc/loop.h"
#include "schema/api.capnp.h"

namespace rpc {

/// Tells a caller of work that goes on elsewhere, one report in flight at a time, and that work when the caller has gone.
///
/// Owns:    the caller's capability. Attach it to the promise of the work: when that is done or dropped, the caller has gone.
/// Threads: loop thread; what report() answers may be called from any, also after the teller's end.
/// Errors:  none; a caller that does not listen is worked for all the same.
class ProgressTeller {
 public:
  ProgressTeller(Loop& loop, schema::Progress::Client progress);
  ~ProgressTeller();
  ProgressTeller(const ProgressTeller&) = delete;
  ProgressTeller& operator=(const ProgressTeller&) = delete;

  /// So much is done. False: the caller has gone, stop.
  using Report = std::function<bool(std::string_view what, uint64_t done, uint64_t total)>;
  Report report() const;
  /// Lives as long as this or a Report of it.
  std::shared_ptr<void> token() const { return flags_; }

 private:
  struct Flags {
    std::atomic<bool> telling = false;
    std::atomic<bool> gone = false;
  };
  Loop& loop_;
  const std::shared_ptr<schema::Progress::Client> progress_;  // loop thread only; others hold it weakly
  const std::shared_ptr<Flags> flags_ = std::make_shared<Flags>();
};

}  // namespace rpc
