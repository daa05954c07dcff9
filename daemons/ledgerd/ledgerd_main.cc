// ledgerd: keeps the ledger and answers for it.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemons/host.h"
#include "daemons/ledgerd/ledger_host.h"

int main(int argc, char** argv) {
  auto options = daemons::parse_host_options(argc, argv, "ledgerd", "Keeps a site's ledger and answers for it.");
  rpc::Loop loop;
  auto host = daemons::LedgerHost::open(loop, options.site, base::system_clock());
  if (!host.is_ok()) {
    fmt::print(stderr, "ledgerd: {}\n", host.status().message());
    return 2;
  }
  auto termination = loop.termination();
  base::Status started = loop.wait((*host)->start());
  if (!started.is_ok()) {
    fmt::print(stderr, "ledgerd: {}\n", started.message());
    return 2;
  }
  loop.wait(kj::mv(termination));
  loop.wait((*host)->close());
  spdlog::info("ledgerd: ended");
  return 0;
}
