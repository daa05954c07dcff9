#include "tools/commands/missing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tools/json_output.h"
#include "tools/run_gaps.h"

namespace tools {
namespace {

constexpr uint32_t kRunsAPage = 1000;
constexpr uint32_t kEventsLookedAt = 500;

/// Files refused without a run number between the detections on both sides: one of them may be the missing run. Looks at no more
/// than kEventsLookedAt events.
base::Result<std::vector<RefusedNumber>> without_number(Client& client, const RunGap& gap) {
  std::vector<RefusedNumber> found;
  if (!gap.before || !gap.after) return found;
  const auto [from, to] = std::minmax(gap.before->detected_event, gap.after->detected_event);
  auto request = client.session().runsRequest().send().getRuns().historyRequest();
  request.initSubject().setInstrument(kj_text(gap.instrument));
  request.setAfter(from);
  request.setLimit(static_cast<uint32_t>(std::min<uint64_t>(kEventsLookedAt, to - from)));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  for (auto bytes : answer->getEvents()) {
    auto event = Document<schema::Event>::open(bytes_of(bytes));
    if (!event.is_ok()) return event.status();
    if (event->get().getSeq() > to) break;
    if (!event->get().getBody().isRawFileRefused()) continue;
    const auto refused = event->get().getBody().getRawFileRefused();
    if (refused.getRunNumber() != 0) continue;
    found.push_back({0, refused.getFile().getPath().cStr(), refused.getReason().getText().cStr(), refused.getReason().getCode().cStr(),
                     event->get().getSeq()});
  }
  return found;
}

Json refused_json(const std::vector<RefusedNumber>& refused) {
  Json array = Json::array();
  for (const RefusedNumber& each : refused) {
    array.push_back({{"run_number", each.run_number == 0 ? Json() : Json(each.run_number)}, {"path", text_or_null(each.path)},
                     {"reason", text_or_null(each.reason)}, {"reason_code", text_or_null(each.code)}, {"event", each.event}});
  }
  return array;
}

Json side_json(const std::optional<GapSide>& side) {
  if (!side) return nullptr;
  return {{"run_number", side->run_number}, {"detected_at", time_or_null(side->detected_at_ns)}};
}

std::string side_text(const std::optional<GapSide>& side) {
  return side ? fmt::format("{}, {}", side->run_number, human_time(side->detected_at_ns)) : "-";
}

std::string known_text(const RunGap& gap, const std::vector<RefusedNumber>& unnumbered) {
  std::string text;
  const auto add = [&](const std::string& sentence) { text += (text.empty() ? "" : "; ") + sentence; };
  for (const RefusedNumber& each : gap.refused) add(fmt::format("{} refused: {}", each.run_number, each.reason));
  for (const RefusedNumber& each : unnumbered) add(fmt::format("a file without a number refused meanwhile: {}", each.reason));
  return text.empty() ? "no file was seen" : text;
}

}  // namespace

base::Result<int> list_missing(Context& context, const std::string& instrument_name) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  schema::Runs::Client runs = (*client)->session().runsRequest().send().getRuns();
  Json json = Json::array();
  Table table({{"INSTRUMENT"}, {"MISSING"}, {"RUNS", Table::Align::kRight}, {"AFTER"}, {"BEFORE"}, {"KNOWN", Table::Align::kLeft, true}});
  GapFinder finder;
  std::string after;
  do {
    auto request = runs.listRequest();
    request.getFilter().setInstrument(kj_text(instrument_name));
    request.setLimit(kRunsAPage);
    request.setAfter(data_of(after));
    auto answer = ask(**client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    for (auto run : answer->getRuns()) finder.add(run);
    after = bytes_of(answer->getNext());
    for (const RunGap& gap : finder.take(after.empty())) {
      auto unnumbered = without_number(**client, gap);
      if (!unnumbered.is_ok()) return unnumbered.status();
      json.push_back({{"instrument", gap.instrument},
                      {"first", gap.first},
                      {"last", gap.last},
                      {"before", side_json(gap.before)},
                      {"after", side_json(gap.after)},
                      {"refused", refused_json(gap.refused)},
                      {"refused_without_number", refused_json(*unnumbered)}});
      table.add({gap.instrument, gap.first == gap.last ? std::to_string(gap.first) : fmt::format("{}-{}", gap.first, gap.last),
                 std::to_string(gap.last - gap.first + 1), side_text(gap.before), side_text(gap.after), known_text(gap, *unnumbered)});
    }
  } while (!after.empty());
  auto status = ask(**client, runs.statusRequest());
  if (!status.is_ok()) return status.status();
  for (auto daemon : status->getStatus().getDaemons()) {
    if (text_of(daemon.getName()) == "monitord" && daemon.getDetail().size() > 0) {
      context.say(fmt::format("monitord says: {}", text_of(daemon.getDetail())));
    }
  }
  return context.print_listing(json, table, "no run number is missing");
}

}  // namespace tools
