// Makes jobs: for new runs, for what people ask for, for campaigns and for stages; ends the leases of silent workers.
#pragma once

#include <kj/async.h>

#include <filesystem>
#include <memory>

#include "daemons/coordinator/campaign_feeder.h"
#include "daemons/process/process.h"
#include "rpc/loop.h"
#include "schema/api.capnp.h"

namespace daemons {

/// Reacts to events in the order of the log within each instrument, each with commands whose ids derive from the event: after a restart, or
/// told twice, it changes nothing.
///
/// Owns:    its subscription and its position (stored by the ledger with each command). Borrows loop and launcher.
/// Threads: loop thread; files are read on the pool; reduce_vars.py is read by its own interpreter in a child.
/// Errors:  what is wrong with a script becomes a runSkipped with its reason; run() rejects when the connection breaks: make a new one.
class Coordinator {
 public:
  struct Settings {
    std::filesystem::path run_script;      // tools/runner/run_script.py
    std::filesystem::path scratch;         // for the children that read script variables
    std::filesystem::path trials = {};          // where trials put their output, a folder each
    CampaignSettings campaigns = {};
    uint64_t sign_of_life_ms = 5'000;
    uint64_t look_again_ms = 60'000;       // how often scripts and support files are looked at, runs or not
  };
  Coordinator(rpc::Loop& loop, schema::Session::Client session, Settings settings, ProcessLauncher& launcher);
  ~Coordinator();

  /// Works until dropped or until the connection breaks.
  kj::Promise<void> run();

 private:
  class Impl;
  kj::Own<Impl> impl_;
};

}  // namespace daemons
