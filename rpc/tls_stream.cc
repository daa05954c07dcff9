#include "rpc/tls_stream.h"

#include <kj/debug.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace rpc {

/// OpenSSL's view of a stream: bytes that are there, and room without end.
struct TlsBytes {
  static TlsStream& stream(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int take(BIO* bio, char* to, int size) {
    auto& input = stream(bio).input_;
    BIO_clear_retry_flags(bio);
    if (input.size() == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    size_t taken = std::min(input.size(), static_cast<size_t>(size));
    std::memcpy(to, input.begin(), taken);
    input = input.slice(taken, input.size());
    return static_cast<int>(taken);
  }

  static int give(BIO* bio, const char* from, int size) {
    BIO_clear_retry_flags(bio);
    auto& unsent = stream(bio).unsent_;
    unsent.insert(unsent.end(), from, from + size);
    return size;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO* over(TlsStream& stream) {
    static BIO_METHOD* method = [] {
      auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kj stream");
      BIO_meth_set_read(made, take);
      BIO_meth_set_write(made, give);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    KJ_ASSERT(bio != nullptr, "out of memory");
    BIO_set_data(bio, &stream);
    BIO_set_init(bio, 1);
    return bio;
  }
};

namespace {

constexpr size_t kRecordBytes = 16 * 1024;  // most that one record carries (RFC 8446, 5.1)
constexpr size_t kLargeInputBytes = 32 * 1024;
constexpr size_t kMaxDiscardedBytes = 256 * 1024;

kj::Exception disconnected(kj::StringPtr text) {
  return {kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::heapString(text)};
}

bool is_about_certificate(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

std::string text_of(unsigned long error) {
  int reason = ERR_GET_REASON(error);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
    int alert = reason - SSL_AD_REASON_OFFSET;
    std::string name = SSL_alert_desc_string_long(alert);
    if (is_about_certificate(alert)) return "the other side refused the certificate it was shown (" + name + "); its log says why";
    return "the other side ended the connection (" + name + ")";
  }
  const char* text = ERR_reason_error_string(error);
  return std::string("what came is no TLS 1.3 (") + (text ? text : "unknown error") + ")";
}

}  // namespace

void SslFree::operator()(ssl_st* connection) const { SSL_free(connection); }

TlsStream::TlsStream(kj::Own<kj::AsyncIoStream> below, Ssl connection, std::string peer)
    : below_(kj::mv(below)), ssl_(std::move(connection)), peer_(std::move(peer)) {
  BIO* bio = TlsBytes::over(*this);
  SSL_set_bio(ssl_.get(), bio, bio);
}

TlsStream::~TlsStream() noexcept(false) {
  given_.cancel(disconnected("the connection was closed on this side"));
  if (has_failed() || goodbye_said_ || is_sending_ || !SSL_is_init_finished(ssl_.get())) return;
  SSL_shutdown(ssl_.get());
  // The stream below takes at once what it has room for; a peer that makes us wait gets no goodbye.
  kj::runCatchingExceptions([this] { auto last = below_->write(unsent_.data(), unsent_.size()); });
}

// ---- what comes in

kj::Promise<void> TlsStream::more_input() {
  if (!is_reading_) reading_ = take_input().fork();
  return reading_.addBranch();
}

kj::Promise<void> TlsStream::take_input() {
  large_input_ = last_read_was_full_ ? kj::heapArray<kj::byte>(kLargeInputBytes) : nullptr;
  auto room = last_read_was_full_ ? large_input_.asPtr() : kj::arrayPtr(small_input_, sizeof(small_input_));
  auto read = below_->tryRead(room.begin(), 1, room.size());
  is_reading_ = true;
  return read.then(
      [this, room](size_t size) {
        is_reading_ = false;
        input_ = room.slice(0, size);
        last_read_was_full_ = size == room.size();
        input_ended_ = size == 0;
      },
      [this](kj::Exception&& exception) {
        is_reading_ = false;
        fail_below(exception);
      });
}

kj::Promise<size_t> TlsStream::tryRead(void* buffer, size_t min, size_t max) {
  if (max == 0) return size_t{0};
  auto* bytes = static_cast<kj::byte*>(buffer);
  size_t got = 0;
  min = std::max<size_t>(min, 1);
  // Most often the rest of a message is there when its beginning is.
  if (decrypt(bytes, min, max, got)) return got;
  return given_.wrap(read_on(bytes, min, max, got));
}

kj::Promise<size_t> TlsStream::read_on(kj::byte* buffer, size_t min, size_t max, size_t got) {
  if (decrypt(buffer, min, max, got)) return got;
  if (has_failed()) return failed();
  auto more = replies_ > kMaxUnsentReplies ? flush() : more_input();
  return more.then([this, buffer, min, max, got] { return read_on(buffer, min, max, got); });
}

bool TlsStream::decrypt(kj::byte* buffer, size_t min, size_t max, size_t& got) {
  while (got < min) {
    if (has_failed() || replies_ > kMaxUnsentReplies) return false;
    // OpenSSL would make itself a buffer only to find nothing.
    if (input_.size() == 0 && !SSL_has_pending(ssl_.get()) && !input_ended_) return false;
    size_t size = 0;
    const size_t unsent_before = unsent_.size();
    ERR_clear_error();
    const bool ok = SSL_read_ex(ssl_.get(), buffer + got, max - got, &size) == 1;
    if (unsent_.size() > unsent_before) {
      replies_ += unsent_.size() - unsent_before;
      auto sent_by_itself = flush();
    }
    if (ok) {
      got += size;
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), 0);
    if (error == SSL_ERROR_ZERO_RETURN) return true;
    if (error != SSL_ERROR_WANT_READ || input_ended_) fail(error);
    return false;
  }
  return true;
}

// ---- what goes out

kj::Promise<void> TlsStream::write(const void* buffer, size_t size) {
  return given_.wrap(write_on(kj::arrayPtr(static_cast<const kj::byte*>(buffer), size), nullptr));
}

kj::Promise<void> TlsStream::write(Pieces pieces) { return given_.wrap(write_on(nullptr, pieces)); }

kj::Promise<void> TlsStream::write_on(kj::ArrayPtr<const kj::byte> first, Pieces rest) {
  while (unsent_.size() < kEncryptAheadBytes) {
    if (has_failed()) return failed();
    while (first.size() == 0 && rest.size() > 0) {
      first = rest.front();
      rest = rest.slice(1, rest.size());
    }
    if (first.size() == 0) return flush();
    if (first.size() >= kRecordBytes || rest.size() == 0) {
      size_t size = std::min(first.size(), kRecordBytes);
      encrypt(first.begin(), size);
      first = first.slice(size, first.size());
      continue;
    }
    // Small pieces share a record.
    kj::byte record[kRecordBytes];
    size_t filled = 0;
    for (;;) {
      size_t size = std::min(first.size(), kRecordBytes - filled);
      std::memcpy(record + filled, first.begin(), size);
      filled += size;
      first = first.slice(size, first.size());
      if (filled == kRecordBytes || rest.size() == 0) break;
      first = rest.front();
      rest = rest.slice(1, rest.size());
    }
    encrypt(record, filled);
  }
  return flush().then([this, first, rest] { return write_on(first, rest); });
}

void TlsStream::encrypt(const kj::byte* bytes, size_t size) {
  size_t written = 0;
  ERR_clear_error();
  if (SSL_write_ex(ssl_.get(), bytes, size, &written) == 1 && written == size) return;
  fail(SSL_get_error(ssl_.get(), 0));
}

kj::Promise<void> TlsStream::flush() {
  if (!is_sending_) {
    if (unsent_.empty()) return has_failed() ? kj::Promise<void>(failed()) : kj::READY_NOW;
    is_sending_ = true;
    flushing_ = send_unsent()
                    .then(
                        [this]() -> kj::Promise<void> {
                          is_sending_ = false;
                          replies_ = 0;
                          return kj::READY_NOW;
                        },
                        [this](kj::Exception&& exception) -> kj::Promise<void> {
                          is_sending_ = false;
                          fail_below(exception);
                          return failed();
                        })
                    .fork();
  }
  return flushing_.addBranch();
}

kj::Promise<void> TlsStream::send_unsent() {
  sending_ = std::exchange(unsent_, {});
  if (sending_.empty()) return kj::READY_NOW;
  return below_->write(sending_.data(), sending_.size()).then([this] { return send_unsent(); });
}

void TlsStream::shutdownWrite() {
  if (goodbye_said_ || has_failed()) return;
  goodbye_said_ = true;
  if (SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
  parting_ = flush().then([this] { below_->shutdownWrite(); }).eagerlyEvaluate([](kj::Exception&&) {});
}

// ---- beginning and end

kj::Promise<void> TlsStream::handshake() { return given_.wrap(shake()); }

kj::Promise<void> TlsStream::shake() {
  if (has_failed()) return failed();
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return flush();
  const int error = SSL_get_error(ssl_.get(), result);
  if (error != SSL_ERROR_WANT_READ || input_ended_) {
    fail(error);
    return failed();
  }
  auto sent_by_itself = flush();
  return more_input().then([this] { return shake(); });
}

kj::Promise<void> TlsStream::part() {
  goodbye_said_ = true;
  auto sent = is_sending_ ? flushing_.addBranch() : kj::Promise<void>(kj::READY_NOW);
  return given_.wrap(sent.then([this] {
    below_->shutdownWrite();
    return discard_input(0);
  }));
}

/// A connection that is closed with bytes unread is reset, and what was sent last may be lost with it.
kj::Promise<void> TlsStream::discard_input(size_t discarded) {
  discarded += input_.size();
  input_ = nullptr;
  if (input_ended_ || discarded > kMaxDiscardedBytes || failure_.kind == TlsFailure::Kind::kTransport) return kj::READY_NOW;
  return more_input().then([this, discarded] { return discard_input(discarded); });
}

void TlsStream::fail(int ssl_error) {
  if (has_failed()) return;
  if (ssl_error == SSL_ERROR_WANT_READ) {
    failure_ = {TlsFailure::Kind::kCut, 0, "the other side closed the connection without a goodbye"};
    return;
  }
  const unsigned long error = ERR_peek_error();
  failure_ = {TlsFailure::Kind::kProtocol, error, text_of(error)};
  auto alert_sent_by_itself = flush();
}

void TlsStream::fail_below(const kj::Exception& exception) {
  if (has_failed()) return;
  failure_ = {TlsFailure::Kind::kTransport, 0, exception.getDescription().cStr()};
}

kj::Exception TlsStream::failed() const { return disconnected(kj::str(peer_, ": ", failure_.text)); }

}  // namespace rpc
