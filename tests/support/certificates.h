// Certificates for tests, made when they are asked for: an authority and what it signs, as PEM files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace support {

/// A certificate and its key, in files.
struct CertificateFiles {
  std::string certificate;
  std::string key;          // mode 0600
  std::string fingerprint;  // SHA-256 of the certificate, hex
};

/// From when to when a certificate is valid, in seconds from now.
struct Validity {
  long from = -3600;
  long until = 24 * 3600;
};

/// An authority of its own, which no system trusts. Keys are P-256.
///
/// Owns:    files NAME.pem, and NAME-key.pem of what it signed, in a folder that must outlive it.
/// Errors:  aborts; a test cannot go on without.
class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::filesystem::path& folder, const std::string& name = "ca");
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  /// The authority's own certificate.
  const std::string& certificate() const { return certificate_; }

  /// For servers. `names` as OpenSSL writes them: "DNS:localhost", "IP:127.0.0.1". An existing file of this name is replaced, each
  /// by rename.
  CertificateFiles server(const std::string& name, const std::vector<std::string>& names = this_machine(),
                          Validity validity = {}) const;
  /// For programs that connect; `common_name` may be anything up to 64 characters.
  CertificateFiles client(const std::string& name, const std::string& common_name, Validity validity = {}) const;

  static std::vector<std::string> this_machine() { return {"DNS:localhost", "IP:127.0.0.1", "IP:::1"}; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string certificate_;
};

}  // namespace support
