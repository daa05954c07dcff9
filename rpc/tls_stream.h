// TLS on a stream, by OpenSSL. Internal to rpc/. Why not kj-tls: docs/adr/0010-own-tls.md.
#pragma once

#include <kj/async-io.h>

#include <memory>
#include <string>
#include <vector>

struct ssl_st;

namespace rpc {

struct SslFree {
  void operator()(ssl_st* connection) const;
};
using Ssl = std::unique_ptr<ssl_st, SslFree>;

/// What ended a TLS connection before its time.
struct TlsFailure {
  enum class Kind { kNone, kCut, kProtocol, kTransport };
  Kind kind = Kind::kNone;  // kCut: the peer's bytes ended without a goodbye
  unsigned long error = 0;  // kProtocol: OpenSSL's number
  std::string text;         // a sentence without its subject
};

/// Bytes a write encrypts before it waits for the stream below to take them.
constexpr size_t kEncryptAheadBytes = 64 * 1024;
/// Bytes that wait to be sent because the peer asked for them (new keys, mostly); above it no more is read from it.
constexpr size_t kMaxUnsentReplies = 64 * 1024;

/// A stream whose bytes go through TLS. Reads and writes work after handshake() is done.
///
/// What is read from below and what is encrypted belong to this object, not to the promises it gives: one that is dropped loses
/// or repeats nothing. A dropped write may have sent whole records, as a plain stream may have sent some of the bytes.
///
/// Owns:    the stream below; ciphertext on its way, 512 bytes while nothing is.
/// Threads: loop thread.
/// Errors:  DISCONNECTED when the peer broke the protocol, or its bytes end without the goodbye of TLS (they may have been cut);
///          it stays so. Destroyed while promises wait, it rejects them.
class TlsStream final : public kj::AsyncIoStream {
 public:
  /// `peer` is the subject of messages: an address.
  TlsStream(kj::Own<kj::AsyncIoStream> below, Ssl connection, std::string peer);
  /// Says goodbye if that is possible at once.
  ~TlsStream() noexcept(false);

  /// Rejected with why; failure() says more then.
  kj::Promise<void> handshake();
  /// After a handshake that failed: sends the peer what is wrong with it, and is done when the peer has ended.
  kj::Promise<void> part();

  ssl_st& connection() { return *ssl_; }
  const TlsFailure& failure() const { return failure_; }
  bool has_failed() const { return failure_.kind != TlsFailure::Kind::kNone; }

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override;
  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return below_->whenWriteDisconnected(); }
  /// Says goodbye, behind what is being written.
  void shutdownWrite() override;
  void abortRead() override { below_->abortRead(); }
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    below_->getsockopt(level, option, value, length);
  }
  void setsockopt(int level, int option, const void* value, kj::uint length) override {
    below_->setsockopt(level, option, value, length);
  }
  void getsockname(sockaddr* address, kj::uint* length) override { below_->getsockname(address, length); }
  void getpeername(sockaddr* address, kj::uint* length) override { below_->getpeername(address, length); }
  kj::Maybe<int> getFd() const override { return below_->getFd(); }

 private:
  friend struct TlsBytes;
  using Pieces = kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>;

  kj::Promise<void> shake();
  /// Decrypts what there is. True when that is enough, or the end; false when it must wait, or has failed.
  bool decrypt(kj::byte* buffer, size_t min, size_t max, size_t& got);
  kj::Promise<size_t> read_on(kj::byte* buffer, size_t min, size_t max, size_t got);
  kj::Promise<void> write_on(kj::ArrayPtr<const kj::byte> first, Pieces rest);
  void encrypt(const kj::byte* bytes, size_t size);
  kj::Promise<void> more_input();
  kj::Promise<void> take_input();
  kj::Promise<void> flush();
  kj::Promise<void> send_unsent();
  kj::Promise<void> discard_input(size_t discarded);
  void fail(int ssl_error);
  void fail_below(const kj::Exception& exception);
  kj::Exception failed() const;

  kj::Own<kj::AsyncIoStream> below_;
  Ssl ssl_;
  const std::string peer_;
  TlsFailure failure_;

  kj::byte small_input_[512];
  kj::Array<kj::byte> large_input_;     // only while much comes in
  kj::ArrayPtr<const kj::byte> input_;  // read from below, not yet taken by OpenSSL
  bool last_read_was_full_ = false;
  bool input_ended_ = false;
  bool goodbye_said_ = false;
  bool is_reading_ = false, is_sending_ = false;  // a promise below is on its way

  std::vector<kj::byte> unsent_;   // encrypted, not yet given to the stream below
  std::vector<kj::byte> sending_;  // the stream below has it
  size_t replies_ = 0;             // bytes of both that are not ours but the protocol's

  kj::ForkedPromise<void> reading_ = nullptr, flushing_ = nullptr;
  kj::Promise<void> parting_ = nullptr;
  kj::Canceler given_;  // the promises others have
};

}  // namespace rpc
