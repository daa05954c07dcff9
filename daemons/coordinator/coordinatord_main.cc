// coordinatord: chooses script and variables, queues jobs.
#include "daemons/host.h"
#include "daemons/wiring.h"

int main(int argc, char** argv) {
  auto options = daemons::parse_host_options(argc, argv, "coordinatord", "Chooses script and variables for each run and queues its job.");
  rpc::Loop loop;
  auto launcher = daemons::make_process_launcher(loop);
  return daemons::run_daemon(loop, options, [&](schema::Session::Client session) {
    return daemons::run_coordinator(loop, options.site, *launcher, session);
  });
}
