#include "rpc/paced_stream.h"

#include <algorithm>
#include <utility>

namespace rpc {

PacedStream::~PacedStream() noexcept(false) = default;

void PacedStream::pace(std::function<size_t()> unsent, size_t limit) {
  unsent_ = std::move(unsent);
  limit_ = limit;
}

kj::Promise<size_t> PacedStream::tryRead(void* buffer, size_t min, size_t max) {
  // Who counts the unsent bytes may do so a moment after the write; the delay catches the last one.
  constexpr auto kLookAgain = 20 * kj::MILLISECONDS;
  if (stopped_) return kj::NEVER_DONE;
  if (must_wait()) {
    auto pair = kj::newPromiseAndFulfiller<void>();
    reader_ = kj::mv(pair.fulfiller);
    return pair.promise.exclusiveJoin(timer_.afterDelay(kLookAgain)).then([this, buffer, min, max] {
      return tryRead(buffer, min, max);
    });
  }
  const size_t most = left_ ? std::min(max, *left_) : max;
  const size_t least = std::min(min, most);
  return inner_->tryRead(buffer, least, most)
      .then(
          [this, buffer, min, max, least](size_t got) -> kj::Promise<size_t> {
            if (stopped_) return kj::NEVER_DONE;
            if (left_) *left_ -= got;
            if (got < least) ended_ = true;
            if (got < least || got >= min) return got;
            return tryRead(static_cast<kj::byte*>(buffer) + got, min - got, max - got).then([got](size_t more) { return got + more; });
          },
          [this](kj::Exception&& exception) -> kj::Promise<size_t> {
            ended_ = true;
            return kj::mv(exception);
          });
}

kj::Promise<void> PacedStream::write(const void* buffer, size_t size) {
  return inner_->write(buffer, size).then([this] { wrote(); });
}

kj::Promise<void> PacedStream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  return inner_->write(pieces).then([this] { wrote(); });
}

void PacedStream::let_go() {
  left_.reset();
  KJ_IF_MAYBE (reader, reader_) {
    reader->get()->fulfill();
    reader_ = nullptr;
  }
}

void PacedStream::wrote() {
  ++writes_done_;
  KJ_IF_MAYBE (reader, reader_) {
    if (unsent() <= limit_) {
      reader->get()->fulfill();
      reader_ = nullptr;
    }
  }
}

}  // namespace rpc
