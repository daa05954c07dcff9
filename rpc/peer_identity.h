// What a connection knows about who is at its other end.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "rpc/admission.h"

namespace rpc {

/// A process of this machine, as the kernel says (SO_PEERCRED): the one that called connect(), and its ids at that time.
struct LocalPeer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::string account_name;  // "uid:1234" when the system has no name for it
  std::shared_ptr<Admission> admission = {};
};

/// A certificate that an authority trusted here has signed, whose key the peer has.
struct PeerCertificate {
  std::string name;         // the subject's common name (CN); empty unless there is exactly one
  std::string fingerprint;  // SHA-256 of the certificate, 64 hex digits
};

/// The far end of a TLS connection. Without a certificate it may be anybody at that address.
struct TlsPeer {
  std::string address;  // "192.0.2.1:4711", "[2001:db8::1]:4711"
  std::string host;     // "192.0.2.1", "2001:db8::1"
  std::optional<PeerCertificate> certificate;
  std::string source = {};  // what connections are counted by: `host`, of IPv6 its network of 64 bits
  std::shared_ptr<Admission> admission = {};
};

using PeerIdentity = std::variant<LocalPeer, TlsPeer>;

}  // namespace rpc
