#include "tools/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/json_text.h"
#include "base/text.h"
#include "base/time.h"
#include "tools/credentials.h"
#include "tools/near_words.h"

namespace tools {
namespace {

base::Status check_known(const std::string& instrument, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), instrument) != known.end()) return base::Status::ok();
  return {base::Code::kNotFound, fmt::format("{}: there is no such instrument; `runledger status` lists those there are{}",
                                             base::printable(instrument), did_you_mean(instrument, known))};
}

/// The option that does nothing at this address; nullptr: there is none.
const char* unused_tls_option(const rpc::TlsClientFiles& tls, const std::string& address) {
  if (address.starts_with("tls:")) return nullptr;
  return !tls.ca_file.empty() ? "--tls-ca" : !tls.server_name.empty() ? "--tls-name" : !tls.certificate.empty() ? "--tls-certificate" : !tls.key.empty() ? "--tls-key" : nullptr;
}

}  // namespace

rpc::TlsClientFiles tls_files(const GlobalOptions& options) {
  rpc::TlsClientFiles files = options.tls;
  const char* authorities = getenv("RUNLEDGER_TLS_CA");
  if (files.ca_file.empty() && authorities) files.ca_file = authorities;
  return files;
}

base::Result<Client*> Context::client() {
  base::Result<Client*> present = present_client();
  if (!present.is_ok() || !options.at || as_of_) return present;
  if (base::Status status = look_back(*options.at); !status.is_ok()) return status;
  return present;
}

base::Result<Client*> Context::present_client() {
  base::Result<Client*> connected = connection();
  if (!connected.is_ok() || is_logged_in_) return connected;
  const auto tell = [this](std::string_view text) { say(text); };
  base::Result<std::string> token = log_in(**connected, token_file(options.token_file), logins, tell);
  if (!token.is_ok()) return token.status();
  token_ = std::move(*token);
  is_logged_in_ = true;
  return connected;
}

base::Result<std::string> Context::token() {
  base::Result<Client*> present = present_client();
  if (!present.is_ok()) return present.status();
  return token_;
}

base::Result<Client*> Context::connection() {
  if (!client_) {
    base::Result<std::string> where = address();
    if (!where.is_ok()) return where.status();
    if (const char* unused = unused_tls_option(options.tls, *where)) {
      return base::Status(base::Code::kInvalidArgument, fmt::format("{} does nothing with {}, which is no tls address; leave it out", unused, *where));
    }
    base::Result<std::unique_ptr<Client>> made = connect_to(*where);
    if (!made.is_ok()) return made.status();
    client_ = std::move(*made);
  }
  return client_.get();
}

base::Result<std::unique_ptr<Client>> Context::connect_to(const std::string& address) { return reach_.connect(address, options); }

base::Result<std::string> Context::address() {
  const char* named = getenv("RUNLEDGER_CONNECT");
  if (named && *named && !options.address && !options.site) return std::string(named);
  base::Result<std::string> found = reach_.address(options);
  // Not to find the ledger is an error, unlike not to find a run in it.
  const bool absent = !found.is_ok() && found.status().code() == base::Code::kNotFound;
  return absent ? base::Status(base::Code::kUnavailable, found.status().message()) : found;
}

base::Result<MomentName> Context::moment(std::string_view option, const std::string& text) {
  base::Result<MomentName> named = parse_moment(text, base::system_clock().now_ns());
  if (!named.is_ok()) return named.status().in(option);
  if (!named->zoned) say(fmt::format("{} {}: no zone is named; taken as UTC", option, text));
  return named;
}

void Context::is_of(uint64_t event, int64_t time_ns) {
  as_of_ = AsOf{event, time_ns};
  if (!options.json) out << fmt::format("as of event {}, {}\n\n", event, base::iso_time(time_ns));
}

base::Status Context::look_back(const std::string& text) {
  const base::Result<MomentName> named = moment("--at", text);
  if (!named.is_ok()) return named.status();
  auto request = client_->session().atRequest();
  write_moment(*named, request.initMoment());
  auto answer = ask(*client_, std::move(request));
  if (!answer.is_ok()) return answer.status();
  client_->enter(answer->getSession());
  is_of(answer->getSeq(), answer->getTime());
  return base::Status::ok();
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
  base::Result<RunSelection> selection = parse_selection(words, *known);
  if (!selection.is_ok()) return selection;
  if (base::Status status = check_known(selection->instrument, *known); !status.is_ok()) return status;
  return selection;
}

base::Result<RunName> Context::run(std::span<const std::string> words) {
  base::Result<std::vector<std::string>> known = known_instruments();
  if (!known.is_ok()) return known.status();
  base::Result<RunName> run = parse_run(words, *known);
  if (!run.is_ok()) return run;
  if (base::Status status = check_known(run->instrument, *known); !status.is_ok()) return status;
  return run;
}

base::Result<std::string> Context::instrument(const std::string& word) {
  base::Result<std::vector<std::string>> known = known_instruments();
  if (!known.is_ok()) return known.status();
  std::string name = base::ascii_upper(word);
  if (base::Status status = check_known(name, *known); !status.is_ok()) return status;
  return name;
}

void Context::print(nlohmann::ordered_json json) {
  if (as_of_ && json.is_object()) json["at"] = {{"event", as_of_->event}, {"time", exact_time(as_of_->time_ns)}};
  out << base::json_text(std::move(json)) << '\n';
}

int Context::print_listing(const nlohmann::ordered_json& json, const Table& table, std::string_view nothing) {
  if (options.json) {
    print(json);
  } else if (!json.empty()) {
    print(table);
  }
  if (!json.empty()) return kDone;
  say(nothing);
  return kNothingFound;
}

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

}  // namespace tools
