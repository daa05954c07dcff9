// workerd: runs reduction scripts.
#include "base/time.h"
#include "daemons/host.h"
#include "daemons/wiring.h"

int main(int argc, char** argv) {
  auto options = daemons::parse_host_options(argc, argv, "workerd",
                                             "Takes jobs from a site's ledger, runs their scripts, publishes the output.");
  rpc::Loop loop;
  auto launcher = daemons::make_process_launcher(loop);
  return daemons::run_daemon(loop, options, [&](schema::Session::Client session) {
    return daemons::run_worker(loop, options.site, base::system_clock(), *launcher, options.name, session);
  });
}
