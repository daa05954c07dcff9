// A ledger that serves what a test puts into it, in process, and remembers what it was asked to do.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "schema/api.capnp.h"
#include "schema/document.capnp.h"
#include "tests/tools/fake_access.h"
#include "tests/tools/fake_message.h"
#include "tests/tools/fake_reducing.h"
#include "tools/client.h"
#include "tools/program.h"

namespace fake {

/// What the fake session serves. Owns all of it; must outlive the client.
struct Ledger {
  std::vector<Message<schema::RunRow>> runs;
  std::vector<Message<schema::JobRow>> jobs;  // any run's
  std::vector<Message<schema::Event>> events;
  std::map<std::string, std::string> blobs;   // by SHA-256
  std::map<std::string, Message<schema::InstrumentRow>> instruments;
  std::vector<Message<schema::VariableRule>> rules;
  std::vector<Message<schema::ScriptRow>> scripts;
  std::vector<Message<schema::QueueRow>> queue;
  Message<schema::Status> status;
  Message<schema::VariableSet> resolved;
  std::vector<Message<schema::VariableHistory>> values;  // of any variable
  Message<schema::VariablesEffect> effect;
  Message<schema::VerifyReport> report;
  Access access;
  Reducing reducing;
  std::filesystem::path state_folder;  // where logins are kept; empty = nowhere
  bool rewritten = false;  // proofs hold other events than those the tree is of
  Ledger* past = nullptr;  // what is seen by who looks back
  std::vector<std::function<void()>> live;  // done one by one once somebody watches; each new event is pushed

  std::string watched;  // what the last watch was to show
  bool ends_watches = false;  // a watch is ended once all of `live` is done
  std::vector<std::string> asked;  // every change asked for, as text
  std::string refuse_changes;      // not empty: changes are refused with this (permissionDenied) ...
  size_t refuse_after = 0;         // ... once so many were asked for

  schema::RunRow::Builder add_run(const char* instrument, uint64_t number, schema::RunState state = schema::RunState::DETECTED);
  /// Version `version` of the last run added, with its job.
  schema::JobRow::Builder add_version(uint16_t version, schema::RunState state = schema::RunState::SUCCEEDED);
  schema::Event::Builder add_event(const char* actor = "coordinatord");
  std::string add_blob(std::string_view text);
  template <typename T>
  std::string add_document(Message<T>& message) {
    return add_blob(canonical(message.read()));
  }
  schema::InstrumentRow::Builder add_instrument(const char* name);
};

void refuse(schema::Refusal::Builder refusal, schema::Refusal::Code code, const std::string& text);
/// Answers a change, remembered as `what`: refused when the test says so, else with the next seq.
void answer_change(Ledger& ledger, schema::Answer::Builder answer, const std::string& what);
/// " standard.mon=2 advanced.grid follows the script"
std::string variables_text(capnp::List<schema::Variable>::Reader variables);

/// A client on its own KJ loop.
class Client final : public tools::Client {
 public:
  Client(Ledger& ledger, std::string address);
  ~Client() noexcept override;
  schema::Gateway::Client gateway() override { return gateway_; }

 protected:
  void run(kj::Promise<void> promise) override { promise.wait(scope_); }

 private:
  kj::EventLoop loop_;
  kj::WaitScope scope_{loop_};
  schema::Gateway::Client gateway_;
};

/// Where the fake ledger is unless --connect names another address; "unix:/nowhere" is where none answers.
constexpr const char* kAddress = "unix:/fake.sock";
tools::Reach reach_of(Ledger& ledger);
/// Borrows `ledger`.
schema::Gateway::Client gateway_of(Ledger& ledger);

/// One command line, run against a Ledger.
struct Ran {
  int exit_code;
  std::string out, err;
};
Ran run(Ledger& ledger, std::vector<std::string> arguments, tools::Terminal terminal = {});

}  // namespace fake
