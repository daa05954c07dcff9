#include "tools/context.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_text.h"
#include "base/text.h"
#include "base/time.h"
#include "tools/moment.h"
#include "tools/near_words.h"

namespace tools {
namespace {

base::Status check_known(const std::string& instrument, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), instrument) != known.end()) return base::Status::ok();
  return {base::Code::kNotFound, fmt::format("{}: there is no such instrument; `runledger status` lists those there are{}",
                                             base::printable(instrument), did_you_mean(instrument, known))};
}

}  // namespace

base::Result<Client*> Context::client() {
  if (!client_) {
    base::Result<std::unique_ptr<Client>> made = connect_(options);
    if (!made.is_ok()) {
      // Not to find the ledger is an error, unlike not to find a run in it.
      bool absent = made.status().code() == base::Code::kNotFound;
      return absent ? base::Status(base::Code::kUnavailable, made.status().message()) : made.status();
    }
    client_ = std::move(*made);
    if (options.at) {
      if (base::Status status = look_back(*options.at); !status.is_ok()) return status;
    }
  }
  return client_.get();
}

base::Status Context::look_back(const std::string& moment) {
  const base::Result<MomentName> named = parse_moment(moment, base::system_clock().now_ns());
  if (!named.is_ok()) return named.status().in("--at");
  if (!named->zoned) say(fmt::format("--at {}: no zone is named; taken as UTC", moment));
  auto request = client_->session().atRequest();
  if (named->seq != 0) {
    request.getMoment().setSeq(named->seq);
  } else {
    request.getMoment().setTime(named->time_ns);
  }
  auto answer = ask(*client_, std::move(request));
  if (!answer.is_ok()) return answer.status();
  client_->look_back(answer->getSession());
  as_of_ = AsOf{answer->getSeq(), answer->getTime()};
  if (!options.json) out << fmt::format("as of event {}, {}\n\n", as_of_->event, base::iso_time(as_of_->time_ns));
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
