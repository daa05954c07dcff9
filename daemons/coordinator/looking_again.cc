#include "daemons/coordinator/looking_again.h"

#include <spdlog/spdlog.h>

namespace daemons {

using ledger::view;

kj::Promise<void> LookingAgain::run() {
  return parts_.loop.timer()
      .afterDelay(every_ms_ * kj::MILLISECONDS)
      .then([this] { return parts_.record.runs().instrumentsRequest().send(); })
      .then([this](auto&& response) {
        for (auto row : response.getInstruments()) {
          std::string name(view(row.getConfig().getInstrument()));
          if (row.getConfig().getRetired() || !under_way_.insert(name).second) continue;
          looks_.add(look_at(name).attach(kj::defer([this, name] { under_way_.erase(name); })));
        }
      })
      .catch_([this](kj::Exception&& exception) {
        if (exception.getType() == kj::Exception::Type::DISCONNECTED) kj::throwFatalException(kj::mv(exception));
        taskFailed(kj::mv(exception));
      })
      .then([this] { return run(); });
}

void LookingAgain::taskFailed(kj::Exception&& exception) {
  if (exception.getType() != kj::Exception::Type::DISCONNECTED) spdlog::warn("an instrument could not be looked at: {}", exception.getDescription().cStr());
}

kj::Promise<void> LookingAgain::look_at(const std::string& instrument) {
  return look_at_script(instrument).then([this, instrument] { return parts_.support_files.look_again(instrument); });
}

kj::Promise<void> LookingAgain::look_at_script(const std::string& instrument) {
  return parts_.record.instrument(instrument).then([this, instrument](Record::Instrument&& before) -> kj::Promise<void> {
    auto config = before->getInstrument().getConfig();
    const std::string path(view(config.getScriptPath()));
    if (path.empty()) return kj::READY_NOW;
    return parts_.loop.on_pool([captures = parts_.captures, path, contract = config.getContract()] { return captures->capture(path, contract); })
        .then([this, instrument, path, before](base::Result<ScriptRecord::Captured>&& captured) -> kj::Promise<void> {
          if (!captured.is_ok()) {
            spdlog::debug("{}: {}", instrument, captured.status().message());
            return kj::READY_NOW;
          }
          // A run may have put a newer script on record while this one was read: then the next look tells.
          return parts_.record.instrument(instrument).then([this, path, before, script = std::move(*captured)](Record::Instrument&& now) -> kj::Promise<void> {
            auto row = now->getInstrument();
            if (row.getScriptSeq() != before->getInstrument().getScriptSeq()) return kj::READY_NOW;
            return parts_.scripts.keep(parts_.submitter, row, path, script, 0, false);
          });
        });
  });
}

}  // namespace daemons
