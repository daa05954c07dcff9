// What stands in a certificate, as text. Internal to rpc/.
#pragma once

#include <openssl/types.h>

#include <string>

namespace rpc {

/// The subject's common name; empty unless there is exactly one, and without a zero byte that would cut it for others.
std::string common_name(const X509& certificate);
/// The names and addresses a server's certificate is for (subjectAltName), for people.
std::string names_of(const X509& certificate);
/// "2027-01-31 12:00:00 UTC".
std::string time_text(const ASN1_TIME* time);
/// SHA-256 of the certificate, hex.
std::string fingerprint(const X509& certificate);

}  // namespace rpc
