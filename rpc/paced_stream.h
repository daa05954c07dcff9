// A stream that takes no more requests while too many answers wait, or from a stranger. Internal to rpc/.
#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace rpc {

/// Answers queue in memory without bound when a client sends calls and does not read; so a server that has much unsent stops
/// reading from that client. From one who may be anybody it reads a bounded number of bytes.
///
/// Owns:    the stream it wraps.
/// Threads: loop thread.
class PacedStream final : public kj::AsyncIoStream {
 public:
  PacedStream(kj::Own<kj::AsyncIoStream> inner, kj::Timer& timer) : inner_(kj::mv(inner)), timer_(timer) {}
  ~PacedStream() noexcept(false);

  /// `unsent` tells the bytes that wait to be written; above `limit` reads wait.
  void pace(std::function<size_t()> unsent, size_t limit);
  /// After so many bytes more, reads wait until let_go().
  void hold_after(size_t bytes) { left_ = bytes; }
  void let_go();
  /// The client's requests are not read any more, because they have ended or one of them was refused.
  void no_more_requests() { ended_ = true; }
  /// Reads wait from now on for ever.
  void stop_reading() { stopped_ = true; }

  size_t unsent() const { return unsent_ ? unsent_() : 0; }
  /// True while the client must take answers before anything goes on.
  bool is_blocked() const { return unsent() > 0 && (ended_ || unsent() > limit_); }
  /// Grows with every finished write.
  uint64_t writes_done() const { return writes_done_; }

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override;
  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override { inner_->shutdownWrite(); }
  void abortRead() override { inner_->abortRead(); }
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    inner_->getsockopt(level, option, value, length);
  }
  kj::Maybe<int> getFd() const override { return inner_->getFd(); }

 private:
  void wrote();
  bool must_wait() const { return unsent() > limit_ || left_ == 0; }

  kj::Own<kj::AsyncIoStream> inner_;
  kj::Timer& timer_;
  std::function<size_t()> unsent_;
  size_t limit_ = SIZE_MAX;
  std::optional<size_t> left_;  // that may be read
  bool stopped_ = false;
  bool ended_ = false;  // the client will send no more
  uint64_t writes_done_ = 0;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> reader_;
};

}  // namespace rpc
