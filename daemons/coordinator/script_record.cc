#include "daemons/coordinator/script_record.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <string_view>
#include <vector>

#include "daemons/coordinator/interpreter.h"
#include "ledger/canonical.h"

namespace daemons {
namespace {

using ledger::view;

/// The registration to be, and what it is compared with.
struct Registration {
  std::string instrument;
  schema::Contract contract;
  std::string path;
  ScriptRecord::Captured captured;
  std::string id;  // of its command
  uint64_t cause;
  bool same_files;            // as registered last
  std::string last_defaults;  // hash
  std::string last_problem;
};

capnp::Data::Reader hash_data(const base::Sha256& hash) { return {hash.data(), hash.size()}; }

bool has_files_of(schema::ScriptRegistered::Reader last, const std::string& path, const scripts::CapturedScript& captured) {
  auto siblings = last.getSiblings();
  if (view(last.getPath()) != path || view(last.getSha256()) != base::as_bytes(captured.script.sha256) || siblings.size() != captured.siblings.size()) return false;
  for (uint32_t i = 0; i < siblings.size(); ++i) {
    if (view(siblings[i].getName()) != captured.siblings[i].name || view(siblings[i].getSha256()) != base::as_bytes(captured.siblings[i].sha256)) return false;
  }
  return true;
}

kj::Promise<CommandAnswer> submit(Submitter& submitter, const Registration& registration, std::string_view ending, std::string_view defaults,
                                  std::string_view problem) {
  const scripts::CapturedScript& captured = *registration.captured;
  Command command(registration.id + std::string(ending), registration.cause);
  auto script = command.body().initRegisterScript();
  script.setInstrument(registration.instrument);
  script.setContract(registration.contract);
  script.setPath(registration.path);
  script.setSha256(hash_data(captured.script.sha256));
  std::vector<std::string_view> blobs = {captured.script.bytes};
  auto siblings = script.initSiblings(captured.siblings.size());
  for (size_t i = 0; i < captured.siblings.size(); ++i) {
    siblings[i].setName(captured.siblings[i].name);
    siblings[i].setSha256(hash_data(captured.siblings[i].sha256));
    blobs.push_back(captured.siblings[i].bytes);
  }
  if (!defaults.empty()) {
    blobs.push_back(defaults);
    script.setDefaults(hash_data(base::sha256(defaults)));
  }
  script.setProblem(std::string(problem));
  command.attach(blobs);
  return submitter.submit(kj::mv(command));
}

/// One that was looked at without an event: the same change is the same command.
std::string look_id(schema::InstrumentRow::Reader instrument, const std::string& path, const scripts::CapturedScript& captured) {
  std::string content = path + '\0' + std::string(base::as_bytes(captured.script.sha256));
  for (const scripts::CapturedFile& file : captured.siblings) content += file.name + '\0' + std::string(base::as_bytes(file.sha256));
  return fmt::format("coordinatord/look/{}/{}/{}", view(instrument.getConfig().getInstrument()), instrument.getScriptSeq(),
                     base::hex(base::sha256(content)).substr(0, 32));
}

}  // namespace

kj::Promise<void> ScriptRecord::keep(Submitter& submitter, schema::InstrumentRow::Reader instrument, std::string path, Captured captured, uint64_t cause,
                                     bool asked) {
  auto last = instrument.getScript();
  const bool same_files = instrument.getScriptSeq() != 0 && has_files_of(last, path, *captured);
  if (same_files && last.getProblem().size() == 0) return kj::READY_NOW;
  auto config = instrument.getConfig();
  std::string id = cause == 0 ? look_id(instrument, path, *captured) : fmt::format("coordinatord/script/{}", cause);
  auto registration = std::make_shared<const Registration>(Registration{std::string(view(config.getInstrument())), config.getContract(), path, captured, id,
                                                                        cause, same_files, std::string(view(last.getDefaults())), std::string(view(last.getProblem()))});
  return defaults_.read(interpreter_for(config, captured->conda_env), config.getContract(), path, captured, asked)
      .then([&submitter, registration](ScriptDefaults&& read) -> kj::Promise<void> {
        if (registration->same_files && read.problem == registration->last_problem) return kj::READY_NOW;
        return submit(submitter, *registration, "", read.document, read.problem).then([&submitter, registration](CommandAnswer&& answer) -> kj::Promise<void> {
          if (answer.status.is_ok()) return kj::READY_NOW;
          // The script's variables were not fit for the record: it goes on record without them, with the reason.
          return submit(submitter, *registration, "/only", "", answer.status.message()).then([registration](CommandAnswer&& second) {
            if (!second.status.is_ok()) spdlog::warn("{}: the script could not be put on record: {}", registration->instrument, second.status.message());
          });
        });
      });
}

}  // namespace daemons
