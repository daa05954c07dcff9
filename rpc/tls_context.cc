#include "rpc/tls_context.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <utility>

#include "base/text.h"
#include "rpc/certificate_text.h"

namespace rpc {
namespace {

using base::Code;
using base::Status;

template <typename T, void (*kFree)(T*)>
struct Free {
  void operator()(T* object) const { kFree(object); }
};
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO, BIO_free_all>>;

// ---- the certificate that was refused

/// Where a connection keeps the certificate its peer showed and that did not verify; OpenSSL itself drops it.
int refused_index() {
  static const int index =
      SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                           [](void*, void* kept, CRYPTO_EX_DATA*, int, long, void*) { X509_free(static_cast<X509*>(kept)); });
  return index;
}

int note_refused(int verified, X509_STORE_CTX* store) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  X509* shown = X509_STORE_CTX_get0_cert(store);
  if (verified || !shown || SSL_get_ex_data(ssl, refused_index())) return verified;
  X509_up_ref(shown);
  SSL_set_ex_data(ssl, refused_index(), shown);
  return verified;
}

const X509* refused_certificate(const SSL& connection) { return static_cast<X509*>(SSL_get_ex_data(&connection, refused_index())); }

// ---- files

std::string last_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "unknown error";
}

base::Result<std::string> content_of(const std::string& path, std::string_view what) {
  struct stat file {};
  errno = 0;
  std::ifstream in;
  if (stat(path.c_str(), &file) == 0 && !S_ISDIR(file.st_mode)) in.open(path, std::ios::binary);
  if (!in.is_open()) {
    const int error = S_ISDIR(file.st_mode) ? EISDIR : errno;
    return Status(error == ENOENT ? Code::kNotFound : Code::kPermissionDenied,
                  fmt::format("{}: cannot read {}: {}", base::printable(path), what, strerror(error)));
  }
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Status is_wrong(const std::string& path, std::string_view what) {
  return {Code::kInvalidArgument, fmt::format("{}: {}", base::printable(path), what)};
}

/// OpenSSL must never ask at the terminal.
int no_password(char*, int, int, void*) { return 0; }

base::Result<PrivateKey> read_key(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) == 0 && (file.st_mode & S_IROTH)) {
    return Status(
        Code::kPermissionDenied,
        fmt::format("{}: everybody on this machine can read this private key; take that away (chmod 600)", base::printable(path)));
  }
  auto content = content_of(path, "the private key");
  if (!content.is_ok()) return content.status();
  Memory memory(BIO_new_mem_buf(content->data(), static_cast<int>(content->size())));
  PrivateKey key(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_password, nullptr));
  const bool is_locked = content->find("ENCRYPTED") != std::string::npos;
  OPENSSL_cleanse(content->data(), content->size());
  if (key) return key;
  if (is_locked)
    return is_wrong(path, "the private key is locked with a password; give one without (openssl pkey -in LOCKED -out KEY)");
  return is_wrong(path, fmt::format("holds no private key in PEM ({})", last_reason()));
}

/// Puts a certificate and its key into `context`.
Status use_certificate(ssl_ctx_st& context, const std::string& certificate, const std::string& key) {
  auto content = content_of(certificate, "the certificate");
  if (!content.is_ok()) return content.status();
  if (SSL_CTX_use_certificate_chain_file(&context, certificate.c_str()) != 1) {
    return is_wrong(certificate, fmt::format("holds no certificate in PEM that can be used ({})", last_reason()));
  }
  auto private_key = read_key(key);
  if (!private_key.is_ok()) return private_key.status();
  if (SSL_CTX_use_PrivateKey(&context, private_key->get()) != 1 || SSL_CTX_check_private_key(&context) != 1) {
    return is_wrong(
        key, fmt::format("is not the key of the certificate {}; give the two that belong together", base::printable(certificate)));
  }
  return {};
}

Status trust(ssl_ctx_st& context, const std::string& authorities) {
  auto content = content_of(authorities, "the certificates of authorities");
  if (!content.is_ok()) return content.status();
  if (SSL_CTX_load_verify_file(&context, authorities.c_str()) == 1) return {};
  return is_wrong(authorities, fmt::format("holds no certificates of authorities in PEM ({})", last_reason()));
}

/// TLS 1.3 only, no resumption, buffers only while there is something in them.
SslContext new_context(const SSL_METHOD* method) {
  ERR_clear_error();
  SslContext context(SSL_CTX_new(method));
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(context.get(), no_password);
  return context;
}

Ssl new_ssl(ssl_ctx_st& context) {
  Ssl connection(SSL_new(&context));
  if (!connection) throw std::bad_alloc();
  return connection;
}

bool is_ip_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 || inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

bool did_not_verify(const SSL& connection, const TlsFailure& failure) {
  return failure.kind == TlsFailure::Kind::kProtocol && ERR_GET_REASON(failure.error) == SSL_R_CERTIFICATE_VERIFY_FAILED &&
         SSL_get_verify_result(&connection) != X509_V_OK;
}

/// The first bytes were not those of TLS.
bool is_no_tls(const TlsFailure& failure) {
  if (failure.kind != TlsFailure::Kind::kProtocol || ERR_GET_LIB(failure.error) != ERR_LIB_SSL) return false;
  switch (ERR_GET_REASON(failure.error)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_UNKNOWN_PROTOCOL:
      return true;
    default:
      return false;
  }
}

bool is_older_tls(const TlsFailure& failure) {
  if (failure.kind != TlsFailure::Kind::kProtocol || ERR_GET_LIB(failure.error) != ERR_LIB_SSL) return false;
  const int reason = ERR_GET_REASON(failure.error);
  return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION;
}

}  // namespace

void SslContextFree::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

// ---- server

base::Result<TlsServerContext> TlsServerContext::load(const TlsServerFiles& files) {
  TlsServerContext made;
  made.context_ = new_context(TLS_server_method());
  auto& context = *made.context_;
  if (auto status = use_certificate(context, files.certificate, files.key); !status.is_ok()) return status;
  if (!files.client_authorities.empty()) {
    if (auto status = trust(context, files.client_authorities); !status.is_ok()) return status;
    // Tells clients which authorities count, so that one with several certificates can choose.
    SSL_CTX_set_client_CA_list(&context, SSL_load_client_CA_file(files.client_authorities.c_str()));
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, note_refused);
  }
  const X509& own = *SSL_CTX_get0_certificate(&context);
  const auto until = time_text(X509_get0_notAfter(&own));
  made.certificate_ = fmt::format("the certificate of {}, valid until {}", names_of(own), until);
  if (X509_cmp_current_time(X509_get0_notAfter(&own)) < 0) {
    made.warning_ =
        fmt::format("{}: the certificate has expired on {}; clients refuse it, put a new one there", files.certificate, until);
  } else if (X509_cmp_current_time(X509_get0_notBefore(&own)) > 0) {
    made.warning_ =
        fmt::format("{}: the certificate is not valid before {}; until then clients refuse it, look at this machine's clock",
                    files.certificate, time_text(X509_get0_notBefore(&own)));
  }
  return made;
}

Ssl TlsServerContext::new_connection() const {
  auto connection = new_ssl(*context_);
  SSL_set_accept_state(connection.get());
  return connection;
}

std::string state_of(const TlsServerFiles& files) {
  std::string state;
  for (const std::string* path : {&files.certificate, &files.key, &files.client_authorities}) {
    struct stat file {};
    if (path->empty() || stat(path->c_str(), &file) != 0) file = {};
    state += fmt::format("{}:{}:{}.{}:{}.{};", file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec,
                         file.st_ctim.tv_sec, file.st_ctim.tv_nsec);
  }
  return state;
}

std::optional<PeerCertificate> certificate_of_client(ssl_st& connection) {
  const X509* certificate = SSL_get0_peer_certificate(&connection);
  if (!certificate || SSL_get_verify_result(&connection) != X509_V_OK) return {};
  return PeerCertificate{common_name(*certificate), fingerprint(*certificate)};
}

std::string why_client_failed(ssl_st& connection, const TlsFailure& failure) {
  if (did_not_verify(connection, failure)) {
    const X509* shown = refused_certificate(connection);
    return fmt::format("its certificate \"{}\" is refused: {}", shown ? base::printable(common_name(*shown)) : "",
                       X509_verify_cert_error_string(SSL_get_verify_result(&connection)));
  }
  if (is_older_tls(failure)) return "it offers no TLS 1.3";
  if (is_no_tls(failure)) return "what it sent is not TLS";
  return failure.text;
}

// ---- client

base::Result<TlsClientContext> TlsClientContext::load(const TlsClientFiles& files, const std::string& host) {
  TlsClientContext made;
  made.files_ = files;
  made.name_ = files.server_name.empty() ? host : files.server_name;
  made.context_ = new_context(TLS_client_method());
  auto& context = *made.context_;
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, note_refused);
  if (files.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(&context);
  } else if (auto status = trust(context, files.ca_file); !status.is_ok()) {
    return status;
  }
  if (files.certificate.empty() != files.key.empty()) {
    return Status(Code::kInvalidArgument, fmt::format("{}: a certificate and its key belong together; give both or neither",
                                                      files.certificate.empty() ? files.key : files.certificate));
  }
  if (!files.certificate.empty()) {
    if (auto status = use_certificate(context, files.certificate, files.key); !status.is_ok()) return status;
  }
  X509_VERIFY_PARAM* expected = SSL_CTX_get0_param(&context);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const bool taken = is_ip_address(made.name_) ? X509_VERIFY_PARAM_set1_ip_asc(expected, made.name_.c_str()) == 1
                                               : X509_VERIFY_PARAM_set1_host(expected, made.name_.data(), made.name_.size()) == 1;
  if (!taken || made.name_.empty()) {
    return Status(Code::kInvalidArgument,
                  fmt::format("\"{}\" is no name a server can have; check it", base::printable(made.name_)));
  }
  return made;
}

Ssl TlsClientContext::new_connection() const {
  auto connection = new_ssl(*context_);
  SSL_set_connect_state(connection.get());
  if (!is_ip_address(name_)) SSL_set_tlsext_host_name(connection.get(), name_.c_str());
  return connection;
}

std::string TlsClientContext::why_not(ssl_st& connection, const TlsFailure& failure) const {
  if (did_not_verify(connection, failure)) {
    const X509* shown = refused_certificate(connection);
    const long result = SSL_get_verify_result(&connection);
    switch (result) {
      case X509_V_ERR_HOSTNAME_MISMATCH:
      case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return fmt::format(
            "the server's certificate is not for {} but for {}; connect under one of these, or name it with --tls-name",
            base::printable(name_), shown ? names_of(*shown) : "others");
      case X509_V_ERR_CERT_HAS_EXPIRED:
        return fmt::format("the server's certificate has expired ({}); whoever runs the ledger must renew it",
                           shown ? time_text(X509_get0_notAfter(shown)) : "");
      case X509_V_ERR_CERT_NOT_YET_VALID:
        return fmt::format("the server's certificate is not valid yet (before {}); look at this machine's clock",
                           shown ? time_text(X509_get0_notBefore(shown)) : "");
      case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
      case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
      case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return fmt::format(
            "the server's certificate is not signed by an authority that is trusted here ({}); give the file with the certificate of "
            "the authority that signed it with --tls-ca",
            files_.ca_file.empty() ? "those of the system" : base::printable(files_.ca_file));
      default:
        return fmt::format("the server's certificate is refused: {}", X509_verify_cert_error_string(result));
    }
  }
  if (is_older_tls(failure)) return "the server speaks TLS, but not TLS 1.3; it is no ledger of this release";
  if (is_no_tls(failure)) return "what answers there does not speak TLS; check the port";
  if (failure.kind == TlsFailure::Kind::kCut || failure.kind == TlsFailure::Kind::kTransport) {
    return fmt::format(
        "the server closed the connection during the handshake ({}): it speaks no TLS there, or takes no more connections from here; "
        "its log says which",
        failure.text);
  }
  return failure.text;
}

}  // namespace rpc
