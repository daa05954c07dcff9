#include "tests/support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>

#include "base/text.h"

namespace support {
namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "certificates for a test: cannot %s\n", what);
  std::abort();
}

struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertificateFree {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;
using Certificate = std::unique_ptr<X509, CertificateFree>;

Key new_key() {
  Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "make a key");
  return key;
}

/// A certificate for `key` without extensions and signature.
Certificate blank(EVP_PKEY* key, const std::string& common_name, Validity validity) {
  Certificate made(X509_new());
  X509_set_version(made.get(), X509_VERSION_3);
  unsigned char serial[8];
  RAND_bytes(serial, sizeof(serial));
  serial[0] &= 0x7f;
  BIGNUM* number = BN_bin2bn(serial, sizeof(serial), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made.get()));
  BN_free(number);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), validity.from);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), validity.until);
  X509_set_pubkey(made.get(), key);
  X509_NAME* subject = X509_get_subject_name(made.get());
  require(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.data()),
                                     static_cast<int>(common_name.size()), -1, 0) == 1,
          "set a common name");
  return made;
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, "add an extension");
  X509_EXTENSION_free(extension);
}

/// Writes beside the file and renames, as whoever renews a certificate should.
template <typename Write>
void write_file(const std::string& path, mode_t mode, Write write) {
  const std::string part = path + ".part";
  std::FILE* file = std::fopen(part.c_str(), "w");
  require(file && fchmod(fileno(file), mode) == 0 && write(file) == 1 && std::fclose(file) == 0, "write a file");
  require(std::rename(part.c_str(), path.c_str()) == 0, "rename a file");
}

void write_certificate(const std::string& path, X509* certificate) {
  write_file(path, 0644, [&](std::FILE* file) { return PEM_write_X509(file, certificate); });
}

std::string fingerprint(const X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  X509_digest(certificate, EVP_sha256(), digest, &size);
  return base::hex({reinterpret_cast<char*>(digest), size});
}

}  // namespace

struct CertificateAuthority::Impl {
  CertificateFiles sign(const std::string& name, const Key& its_key, const Certificate& made) const {
    X509_set_issuer_name(made.get(), X509_get_subject_name(certificate.get()));
    extend(made.get(), certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
    extend(made.get(), certificate.get(), NID_authority_key_identifier, "keyid");
    require(X509_sign(made.get(), key.get(), EVP_sha256()) > 0, "sign a certificate");
    CertificateFiles files{folder / (name + ".pem"), folder / (name + "-key.pem"), fingerprint(made.get())};
    write_file(files.key, 0600,
               [&](std::FILE* file) { return PEM_write_PrivateKey(file, its_key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    write_certificate(files.certificate, made.get());
    return files;
  }

  std::filesystem::path folder;
  Key key = new_key();
  Certificate certificate;
};

CertificateAuthority::CertificateAuthority(const std::filesystem::path& folder, const std::string& name)
    : impl_(std::make_unique<Impl>()), certificate_(folder / (name + ".pem")) {
  impl_->folder = folder;
  impl_->certificate = blank(impl_->key.get(), "Test authority " + name, {});
  X509* own = impl_->certificate.get();
  X509_set_issuer_name(own, X509_get_subject_name(own));
  extend(own, own, NID_basic_constraints, "critical,CA:TRUE");
  extend(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(own, own, NID_subject_key_identifier, "hash");
  require(X509_sign(own, impl_->key.get(), EVP_sha256()) > 0, "sign the authority");
  write_certificate(certificate_, own);
}

CertificateAuthority::~CertificateAuthority() = default;

CertificateFiles CertificateAuthority::server(const std::string& name, const std::vector<std::string>& names,
                                              Validity validity) const {
  auto key = new_key();
  auto made = blank(key.get(), name, validity);
  std::string all;
  for (const auto& each : names) all += (all.empty() ? "" : ",") + each;
  if (!all.empty()) extend(made.get(), impl_->certificate.get(), NID_subject_alt_name, all);
  extend(made.get(), impl_->certificate.get(), NID_ext_key_usage, "serverAuth");
  return impl_->sign(name, key, made);
}

CertificateFiles CertificateAuthority::client(const std::string& name, const std::string& common_name, Validity validity) const {
  auto key = new_key();
  auto made = blank(key.get(), common_name, validity);
  extend(made.get(), impl_->certificate.get(), NID_ext_key_usage, "clientAuth");
  return impl_->sign(name, key, made);
}

}  // namespace support
