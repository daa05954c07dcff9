// monitord: finds finished runs.
#include "base/time.h"
#include "daemons/host.h"
#include "daemons/wiring.h"

int main(int argc, char** argv) {
  auto options = daemons::parse_host_options(argc, argv, "monitord", "Finds a site's finished runs and tells the ledger.");
  rpc::Loop loop;
  auto launcher = daemons::make_process_launcher(loop);
  return daemons::run_daemon(loop, options, [&](schema::Session::Client session) {
    return daemons::run_monitor(loop, options.site, base::system_clock(), *launcher, session);
  });
}
