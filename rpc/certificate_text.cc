#include "rpc/certificate_text.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>

#include "base/text.h"

namespace rpc {
namespace {

std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return {};
  std::string text(reinterpret_cast<char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

}  // namespace

std::string common_name(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) return {};
  auto name = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
  return name.find('\0') == std::string::npos ? name : std::string();
}

std::string names_of(const X509& certificate) {
  std::string names;
  auto* all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* each = sk_GENERAL_NAME_value(all, i);
    std::string name;
    if (each->type == GEN_DNS) name = text_of(each->d.dNSName);
    if (each->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> text{};
      const int family = each->d.iPAddress->length == 4 ? AF_INET : AF_INET6;
      if (each->d.iPAddress->length == 4 || each->d.iPAddress->length == 16) {
        name = inet_ntop(family, each->d.iPAddress->data, text.data(), text.size());
      }
    }
    if (!name.empty()) names += (names.empty() ? "" : ", ") + base::printable(name);
  }
  GENERAL_NAMES_free(all);
  return names.empty() ? "nobody (it has no subject alternative name)" : names;
}

std::string time_text(const ASN1_TIME* time) {
  std::tm tm{};
  if (ASN1_TIME_to_tm(time, &tm) != 1) return "an unreadable time";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                     tm.tm_sec);
}

std::string fingerprint(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  X509_digest(&certificate, EVP_sha256(), digest.data(), &size);
  return base::hex({reinterpret_cast<char*>(digest.data()), size});
}

}  // namespace rpc
