// A non-blocking file descriptor and the wait for it to become ready. Internal to rpc/.
#pragma once

#include <kj/async.h>
#include <kj/exception.h>
#include <kj/string.h>

struct uv_loop_s;

namespace rpc {

/// The exception for a failed system call: DISCONNECTED when the peer is gone, OVERLOADED when the machine is out of something,
/// UNIMPLEMENTED when the descriptor cannot do it.
kj::Exception system_error(kj::StringPtr what, int error);

/// One descriptor, watched by libuv only after a system call said EAGAIN.
///
/// Owns:    the descriptor if told so (LowLevelAsyncIoProvider flags), and its uv_poll handle.
/// Threads: loop thread only.
/// Errors:  promises are rejected when the descriptor is closed; ready means "try again", errors are found by trying.
class Descriptor {
 public:
  Descriptor(uv_loop_s* loop, int fd, unsigned flags);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int fd() const { return fd_; }
  bool is_closed() const { return fd_ < 0; }
  /// Rejects who waits and closes the descriptor if it is owned. Again is harmless.
  void close();

  /// One waiter each at a time; a dropped promise makes room for the next.
  kj::Promise<void> when_readable();
  kj::Promise<void> when_writable();
  /// Any number of waiters. A peer that only ends its own sending is not disconnected; if it goes away after that, the next
  /// failed write is what tells.
  kj::Promise<void> when_disconnected();
  void note_disconnected();

 private:
  struct Watch;
  using Waiter = kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>>;

  void ready(int status, int events);
  bool hung_up() const;
  kj::Promise<void> wait_for(int event, Waiter& waiter);
  /// Fulfils `waiter`; false if there was none.
  static bool wake(Waiter& waiter);
  void watch_for(int events);

  uv_loop_s* const loop_;
  int fd_;
  const bool owned_;
  Watch* watch_ = nullptr;  // freed by libuv's close callback
  int watched_events_ = 0;
  Waiter reader_, writer_, disconnect_;
  kj::Maybe<kj::ForkedPromise<void>> disconnected_;
};

}  // namespace rpc
