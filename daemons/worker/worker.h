// workerd: leases jobs, runs their scripts, publishes what they wrote.
#pragma once

#include <kj/async.h>

#include <memory>
#include <string>

#include "base/time.h"
#include "daemons/process/process.h"
#include "rpc/loop.h"
#include "schema/api.capnp.h"

namespace daemons {

struct WorkerSettings {
  std::string name;  // unique in the facility
  std::string host;
  uint16_t slots = 1;          // jobs at once
  std::string scratch;         // folder of this worker alone; what an earlier one left there is removed
  std::string run_script;      // run_script.py
  std::string supervisor;      // runledger-supervise
  uint64_t lease_ms = 30'000;  // silence after which the ledger may give our jobs to somebody else
};

/// One connection's worth of a worker: joins, finishes what others left half published, then takes jobs.
///
/// Owns:    its attempts and their process trees. Borrows loop, launcher and clock.
/// Threads: loop thread.
/// Errors:  a job's troubles go into the ledger; run() rejects when the connection breaks or the ledger refuses the worker. Make a
///          new Worker then: one runs once.
class Worker {
 public:
  Worker(rpc::Loop& loop, schema::Session::Client session, WorkerSettings settings, ProcessLauncher& launcher,
         const base::Clock& clock);
  ~Worker();

  /// Works until drain() is through. When it rejects, every script it ran has ended; when its promise is dropped, they are being
  /// ended.
  kj::Promise<void> run();
  /// Takes no more jobs, ends the scripts that run (their attempts are lost and run again elsewhere or later), publishes what was
  /// accepted, and leaves. run() is done then, too.
  kj::Promise<void> drain();

 private:
  class Impl;
  kj::Own<Impl> impl_;
};

}  // namespace daemons
