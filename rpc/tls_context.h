// Certificates and keys: what a server shows, what a client trusts, and in words why the two do not agree. Internal to rpc/.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "rpc/peer_identity.h"
#include "rpc/tls_files.h"
#include "rpc/tls_stream.h"

struct ssl_ctx_st;

namespace rpc {

struct SslContextFree {
  void operator()(ssl_ctx_st* context) const;
};
using SslContext = std::unique_ptr<ssl_ctx_st, SslContextFree>;

/// What a server shows to its clients, read from its files once: TLS 1.3 and nothing older, no resumption, so that each
/// connection proves anew who it is.
///
/// Owns:    nothing on disk. Connections made from it go on when it is gone.
/// Threads: load() anywhere (it reads files), the rest by one thread at a time.
/// Errors:  load() names the file and what is wrong with it.
class TlsServerContext {
 public:
  /// kNotFound, kPermissionDenied: a file cannot be read, or everybody can read the key. kInvalidArgument: it is not what it should
  /// be.
  static base::Result<TlsServerContext> load(const TlsServerFiles& files);

  Ssl new_connection() const;
  /// "the certificate of ledger.example.org, valid until 2027-01-31 12:00:00 UTC".
  const std::string& certificate() const { return certificate_; }
  /// Empty, or why clients will refuse the certificate today.
  const std::string& warning() const { return warning_; }

 private:
  SslContext context_;
  std::string certificate_, warning_;
};

/// Tells whether files have changed: times, sizes and identities. Reads no content. Any thread.
std::string state_of(const TlsServerFiles& files);

/// What a client trusts, and what it shows when asked. As TlsServerContext otherwise.
class TlsClientContext {
 public:
  /// `host` is whom to expect; TlsClientFiles::server_name goes before it.
  static base::Result<TlsClientContext> load(const TlsClientFiles& files, const std::string& host);

  Ssl new_connection() const;
  /// Why the handshake failed that `connection` tried with a server; `failure` is what it ended with. A sentence without its
  /// subject.
  std::string why_not(ssl_st& connection, const TlsFailure& failure) const;

 private:
  SslContext context_;
  TlsClientFiles files_;
  std::string name_;
};

/// The certificate the client proved to own, if it did. After the handshake, on the server's side.
std::optional<PeerCertificate> certificate_of_client(ssl_st& connection);
/// Why the handshake failed that `connection` tried with a client, for the server's log. A sentence without its subject.
std::string why_client_failed(ssl_st& connection, const TlsFailure& failure);

}  // namespace rpc
