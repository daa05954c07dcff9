// What coordinatord reads of the record.
#pragma once

#include <fmt/format.h>
#include <kj/async.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/sha256.h"
#include "ledger/canonical.h"
#include "schema/api.capnp.h"

namespace daemons {

struct RunName {
  std::string instrument;
  uint64_t number = 0;
  RunName(std::string instrument_code, uint64_t run_number) : instrument(std::move(instrument_code)), number(run_number) {}
  explicit RunName(schema::RunKey::Reader key) : RunName(std::string(ledger::view(key.getInstrument())), key.getRunNumber()) {}
  void write(schema::RunKey::Builder key) const {
    key.setInstrument(instrument);
    key.setRunNumber(number);
  }
  std::string text() const { return fmt::format("{} {}", instrument, number); }
  auto operator<=>(const RunName&) const = default;
};

inline capnp::Data::Reader hash_data(const base::Sha256& hash) { return {hash.data(), hash.size()}; }
base::Sha256 to_hash(capnp::Data::Reader bytes);
/// What allowed it was a membership of the run's experiment.
inline bool is_by_member(schema::Actor::Reader actor) { return ledger::view(actor.getRight()).starts_with("member "); }

/// Owns:    its capabilities. Answers are kept for as long as somebody holds them.
/// Threads: loop thread.
/// Errors:  rejects when the connection breaks; what is not on record is an empty answer.
class Record {
 public:
  template <typename Results>
  using Kept = std::shared_ptr<const capnp::Response<Results>>;
  using Run = Kept<schema::Runs::ShowResults>;
  using Instrument = Kept<schema::Instrument::ShowResults>;
  using Job = Kept<schema::DaemonPort::JobResults>;

  Record(schema::Session::Client session, schema::DaemonPort::Client port);

  kj::Promise<Run> run(const RunName& name);
  kj::Promise<Instrument> instrument(const std::string& name);
  kj::Promise<Job> job(uint64_t job);
  /// The stored document or text of this hash, whole; rejects when it is not there.
  kj::Promise<std::string> blob(std::string sha256) { return blob_from(std::move(sha256), {}); }

  schema::Instrument::Client at_instrument(const std::string& name);
  schema::Runs::Client& runs() { return runs_; }
  schema::Session::Client& session() { return session_; }

 private:
  kj::Promise<std::string> blob_from(std::string sha256, std::string have);

  schema::Session::Client session_;
  schema::DaemonPort::Client port_;
  schema::Runs::Client runs_;
};

}  // namespace daemons
