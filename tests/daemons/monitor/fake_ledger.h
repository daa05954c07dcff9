// A ledger of a few lines, behind the real interfaces: records what it is told, refuses to do anything twice.
#pragma once

#include <capnp/message.h>

#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "schema/api.capnp.h"

namespace tests {

/// What one detectRun or refuseFile said.
struct Told {
  bool refused = false;
  std::string instrument;
  uint64_t run_number = 0;
  std::string path, code, text, source;
  std::vector<std::string> problems;
  uint64_t size_bytes = 0;
};

struct FakeInstrument {
  std::string name = {};
  std::vector<std::string> folders = {};
  std::vector<std::string> patterns = {"*.nxs"};
  std::string run_number_pattern = {};
  std::string detect = "directory";
  bool retired = false;
};

/// Outlives the connections to it, as a ledger does. Loop thread.
class FakeLedger {
 public:
  /// Called after every change.
  std::function<void()> changed = [] {};

  void configure(FakeInstrument instrument);
  void end_watches() { sinks_.clear(); }
  schema::Session::Client session();

  std::vector<Told> told;           // commands that became events
  size_t commands = 0;              // all that came, also repeated ones
  size_t busy_answers = 0;          // so many commands are first answered kUnavailable
  std::set<uint64_t> poison;        // run numbers whose command makes the whole call fail
  std::set<uint64_t> unwanted;      // run numbers refused for good
  std::string denial;               // not empty: no port is given, and this is why
  std::string detail;               // of the last sign of life
  size_t most_in_a_call = 0;
  bool gone = false;                // every call fails as if the connection were broken

  std::vector<Told> detected() const;
  std::vector<Told> refused() const;

 private:
  class Session;
  class Port;
  class Runs;
  struct FileFacts {
    uint64_t size_bytes = 0;
    int64_t modified_ns = 0;
    std::string sha256;
    uint64_t run_number = 0;
    bool refused = false;
    uint64_t seq = 0;
  };
  void decide(schema::Command::Reader command, schema::Answer::Builder answer);
  void require_connection() const;

  std::map<std::string, FakeInstrument> instruments_;
  std::map<std::pair<std::string, std::string>, FileFacts> files_;
  std::map<std::string, uint64_t> answered_;
  std::list<schema::EventSink::Client> sinks_;
  uint64_t head_ = 0;
};

}  // namespace tests
