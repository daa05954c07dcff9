// Commands in one line, for tests: each returns a message that owns what it says.
#pragma once

#include <capnp/message.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "ledger/ledger.h"
#include "schema/command.capnp.h"

namespace support {

class CommandMessage {
 public:
  explicit CommandMessage(std::string_view id) { command_.setId(kj::StringPtr(std::string(id).c_str())); }
  schema::Command::Builder get() { return command_; }
  schema::Command::Reader reader() const { return command_.asReader(); }

  CommandMessage& cause(uint64_t seq) { return command_.setCause(seq), *this; }
  CommandMessage& position(std::string_view daemon, uint64_t seq);
  /// Adds a blob and returns its SHA-256.
  base::Sha256 blob(std::string_view bytes);

 private:
  std::unique_ptr<capnp::MallocMessageBuilder> message_ = std::make_unique<capnp::MallocMessageBuilder>();
  schema::Command::Builder command_ = message_->initRoot<schema::Command>();
};

inline ledger::Identity person(std::string name = "alice") { return {schema::Actor::Kind::PERSON, std::move(name), "test"}; }
inline ledger::Identity daemon(std::string name) { return {schema::Actor::Kind::DAEMON, std::move(name), "test"}; }
inline kj::ArrayPtr<const kj::byte> data(const base::Sha256& hash) { return {hash.data(), hash.size()}; }
std::string text_of(capnp::Text::Reader text);

CommandMessage advance(std::string_view id);
/// contract isis, script /scripts/INSTRUMENT/reduce.py, interpreter /usr/bin/python3.
CommandMessage configure_instrument(std::string_view id, std::string_view instrument);
CommandMessage pause_instrument(std::string_view id, std::string_view instrument, std::string_view reason = "tests");
CommandMessage resume_instrument(std::string_view id, std::string_view instrument);
CommandMessage annotate_run(std::string_view id, std::string_view instrument, uint64_t run, std::string_view text);
/// One raw file /archive/INSTRUMENT/INSTRUMENTrun.nxs whose SHA-256 is that of `content`.
CommandMessage detect_run(std::string_view id, std::string_view instrument, uint64_t run, std::string_view experiment = "2010001",
                          std::string_view content = "raw bytes");
CommandMessage skip_run(std::string_view id, std::string_view instrument, uint64_t run, std::string_view code,
                        std::string_view text);
/// `script` goes in as a blob.
CommandMessage register_script(std::string_view id, std::string_view instrument,
                               std::string_view script = "def main(input_file, output_dir):\n    pass\n");
/// For a run as detect_run() makes it, with the script of register_script().
CommandMessage queue_job(std::string_view id, std::string_view instrument, uint64_t run, std::string_view experiment = "2010001");
CommandMessage start_attempt(std::string_view id, uint64_t job, std::string_view worker);
CommandMessage succeed_attempt(std::string_view id, uint64_t job, uint16_t attempt, uint64_t fence);
CommandMessage publish_job(std::string_view id, uint64_t job, uint16_t attempt, uint64_t fence);
CommandMessage join_worker(std::string_view id, std::string_view worker, uint16_t slots = 1);

}  // namespace support
