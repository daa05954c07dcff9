#include "tools/context.h"

#include <fmt/format.h>

#include "base/text.h"

namespace tools {

base::Result<Client*> Context::client() {
  if (!client_) {
    base::Result<std::unique_ptr<Client>> made = connect_(options);
    if (!made.is_ok()) {
      // Not to find the ledger is an error, unlike not to find a run in it.
      bool absent = made.status().code() == base::Code::kNotFound;
      return absent ? base::Status(base::Code::kUnavailable, made.status().message()) : made.status();
    }
    client_ = std::move(*made);
  }
  return client_.get();
}

base::Result<std::vector<std::string>> Context::known_instruments() {
  base::Result<Client*> connected = client();
  if (!connected.is_ok()) return connected.status();
  auto answer = ask(**connected, (*connected)->session().runsRequest().send().getRuns().instrumentsRequest());
  if (!answer.is_ok()) return answer.status();
  std::vector<std::string> names;
  for (auto instrument : answer->getInstruments()) names.emplace_back(instrument.getConfig().getInstrument().cStr());
  return names;
}

base::Result<RunSelection> Context::selection(std::span<const std::string> words) {
  base::Result<std::vector<std::string>> known = known_instruments();
  if (!known.is_ok()) return known.status();
  return parse_selection(words, *known);
}

base::Result<RunName> Context::run(std::span<const std::string> words) {
  base::Result<std::vector<std::string>> known = known_instruments();
  if (!known.is_ok()) return known.status();
  return parse_run(words, *known);
}

void Context::print(const nlohmann::ordered_json& json) { out << json_text(json) << '\n'; }

void Context::print_raw(std::string_view bytes) {
  if (terminal.is_tty) {
    out << printable_lines(bytes);
  } else {
    out << bytes;
  }
}

void Context::say(std::string_view text) { err << "runledger: " << printable_lines(text) << '\n'; }

void Context::finish(const base::Result<int>& result) {
  if (result.is_ok()) {
    exit_code = *result;
    return;
  }
  say(result.status().message());
  exit_code = result.status().code() == base::Code::kNotFound ? kNothingFound : kError;
}

std::string json_text(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tools
