#include "rpc/descriptor.h"

#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstring>

namespace rpc {
namespace {

kj::Exception::Type type_of(int error) {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
    case ECONNABORTED:
    case ECONNREFUSED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ETIMEDOUT:
      return kj::Exception::Type::DISCONNECTED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return kj::Exception::Type::OVERLOADED;
    case ENOTSOCK:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
      return kj::Exception::Type::UNIMPLEMENTED;
    default:
      return kj::Exception::Type::FAILED;
  }
}

kj::Exception closed_error() {
  return {kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::str("the connection was closed on this side")};
}

}  // namespace

kj::Exception system_error(kj::StringPtr what, int error) {
  return {type_of(error), __FILE__, __LINE__, kj::str(what, ": ", strerror(error))};
}

struct Descriptor::Watch {
  uv_poll_t handle;
  Descriptor* owner;
};

Descriptor::Descriptor(uv_loop_s* loop, int fd, unsigned flags)
    : loop_(loop), fd_(fd), owned_(flags & kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP) {
  if (!(flags & kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK)) {
    int status = fcntl(fd, F_GETFL);
    if (status >= 0) fcntl(fd, F_SETFL, status | O_NONBLOCK);
  }
  if (owned_ && !(flags & kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC)) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

Descriptor::~Descriptor() { close(); }

void Descriptor::close() {
  if (is_closed()) return;
  if (watch_ != nullptr) {
    uv_poll_stop(&watch_->handle);
    uv_close(reinterpret_cast<uv_handle_t*>(&watch_->handle),
             [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
    watch_ = nullptr;
  }
  if (owned_) ::close(fd_);
  fd_ = -1;
  for (auto* waiter : {&reader_, &writer_, &disconnect_}) {
    KJ_IF_MAYBE (fulfiller, *waiter) fulfiller->get()->reject(closed_error());
    *waiter = nullptr;
  }
}

kj::Promise<void> Descriptor::when_readable() { return wait_for(UV_READABLE, reader_); }
kj::Promise<void> Descriptor::when_writable() { return wait_for(UV_WRITABLE, writer_); }

kj::Promise<void> Descriptor::when_disconnected() {
  KJ_IF_MAYBE (known, disconnected_) return known->addBranch();
  auto pair = kj::newPromiseAndFulfiller<void>();
  disconnected_ = pair.promise.fork();
  disconnect_ = kj::mv(pair.fulfiller);
  // A regular file cannot be watched, and never disconnects.
  kj::runCatchingExceptions([this] { watch_for(watched_events_ | UV_DISCONNECT); });
  return KJ_ASSERT_NONNULL(disconnected_).addBranch();
}

void Descriptor::note_disconnected() {
  if (!wake(disconnect_) && disconnected_ == nullptr) disconnected_ = kj::Promise<void>(kj::READY_NOW).fork();
}

kj::Promise<void> Descriptor::wait_for(int event, Waiter& waiter) {
  if (is_closed()) return closed_error();
  KJ_IF_MAYBE (present, waiter) KJ_REQUIRE(!present->get()->isWaiting(), "one read and one write at a time on a stream");
  auto pair = kj::newPromiseAndFulfiller<void>();
  waiter = kj::mv(pair.fulfiller);
  watch_for(watched_events_ | event);
  return kj::mv(pair.promise);
}

bool Descriptor::wake(Waiter& waiter) {
  bool waited = false;
  KJ_IF_MAYBE (fulfiller, waiter) {
    waited = fulfiller->get()->isWaiting();
    fulfiller->get()->fulfill();
  }
  waiter = nullptr;
  return waited;
}

void Descriptor::watch_for(int events) {
  if (events == watched_events_) return;
  if (watch_ == nullptr) {
    auto* watch = new Watch{{}, this};
    if (int error = uv_poll_init(loop_, &watch->handle, fd_); error != 0) {
      delete watch;
      kj::throwFatalException(system_error("descriptor cannot be watched", -error));
    }
    watch->handle.data = watch;
    watch_ = watch;
  }
  watched_events_ = events;
  if (events == 0) {
    uv_poll_stop(&watch_->handle);
    return;
  }
  int error = uv_poll_start(&watch_->handle, events, [](uv_poll_t* handle, int status, int happened) {
    auto* owner = static_cast<Watch*>(handle->data)->owner;
    kj::runCatchingExceptions([=] { owner->ready(status, happened); });
  });
  if (error != 0) kj::throwFatalException(system_error("descriptor cannot be watched", -error));
}

/// Interest stays on while somebody comes back for more, so that a busy stream costs no epoll_ctl; it is switched off when the
/// descriptor is ready and nobody waits.
void Descriptor::ready(int status, int events) {
  if (status < 0) {
    // libuv has stopped the handle. Whoever waits finds the error when trying.
    watched_events_ = 0;
    wake(reader_);
    wake(writer_);
    note_disconnected();
    return;
  }
  int interest = watched_events_;
  if ((events & UV_READABLE) && !wake(reader_)) interest &= ~UV_READABLE;
  if ((events & UV_WRITABLE) && !wake(writer_)) interest &= ~UV_WRITABLE;
  if (events & UV_DISCONNECT) {
    interest &= ~UV_DISCONNECT;
    if (hung_up()) note_disconnected();
  }
  watch_for(interest);
}

bool Descriptor::hung_up() const {
  pollfd look{fd_, 0, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR));
}

}  // namespace rpc
