// What every daemon's main shares: options, logging, the site, and going on after a broken connection.
#pragma once

#include <kj/async.h>

#include <functional>
#include <optional>
#include <string>

#include "base/status.h"
#include "rpc/loop.h"
#include "rpc/tls_files.h"
#include "schema/api.capnp.h"
#include "site/site.h"

namespace daemons {

struct HostOptions {
  site::Site site;
  std::string connect;  // address of the ledger
  std::string name;     // of a worker
  std::string token_file;  // empty = none
  rpc::TlsClientFiles tls;
};

/// Reads --site, --connect, --name, --token-file, --tls-..., --log-level; starts logging to stderr. Ends the process with 0 or 2 for --help and mistakes.
HostOptions parse_host_options(int argc, char** argv, const char* program, const char* purpose);

/// Keeps `work` going until the process is asked to end: connects, logs in, runs it; when the connection breaks or work fails, tries
/// again with pauses of 0.1 to 5 s. `work` keeps its daemon alive as long as its promise, and ends by itself on termination.
int run_daemon(rpc::Loop& loop, const HostOptions& options, std::function<kj::Promise<void>(schema::Session::Client)> work);

/// A session by the token in `token_file`, which is read now; empty = by what the connection proves. Rejects with the refusal.
kj::Promise<schema::Session::Client> log_in(schema::Gateway::Client gateway, const std::string& token_file = {});

/// The same with sessions from `enter`, for daemons in ledgerd's own process. Done when the process was asked to end and `work` has come to its end.
kj::Promise<void> keep_running(rpc::Loop& loop, std::string name, std::function<kj::Promise<schema::Session::Client>()> enter,
                               std::function<kj::Promise<void>(schema::Session::Client)> work);

}  // namespace daemons
