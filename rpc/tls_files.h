// Where certificates and keys lie: PEM files. How to make them: docs/operations/access.md.
#pragma once

#include <string>

namespace rpc {

/// What a server that listens on "tls:" shows.
struct TlsServerFiles {
  std::string certificate = {};  // its own first, then those of the authorities between it and the root
  std::string key = {};          // without password; not readable for everybody
  /// Authorities that sign clients' certificates; empty: clients are not asked for one. A client need not have one, but one
  /// that does not verify ends the connection.
  std::string client_authorities = {};
};

/// What a client of "tls:" trusts and shows.
struct TlsClientFiles {
  std::string ca_file = {};      // authorities that sign servers' certificates; empty: those of the system
  std::string server_name = {};  // name or address the server's certificate must have; empty: the address's host
  std::string certificate = {};  // shown when the server asks for one; empty: none
  std::string key = {};          // of that certificate
};

}  // namespace rpc
