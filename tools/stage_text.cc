#include "tools/stage_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "tools/json_output.h"
#include "tools/run_names.h"
#include "tools/words.h"

namespace tools {
namespace {

Json text(capnp::Text::Reader value) { return base::to_utf8(text_of(value)); }
Json text_or_null(capnp::Text::Reader value) { return tools::text_or_null(text_of(value)); }
Json number_or_null(uint64_t number) { return number == 0 ? Json() : Json(number); }

Json list(capnp::List<capnp::Text>::Reader texts) {
  Json array = Json::array();
  for (auto item : texts) array.push_back(text(item));
  return array;
}

}  // namespace

std::string result_subject(schema::StageResultRow::Reader result) {
  if (result.getOver() == schema::StageRule::Over::EXPERIMENT) return fmt::format("{} experiment {}", text_of(result.getInstrument()), text_of(result.getExperiment()));
  return fmt::format("{} {}", text_of(result.getInstrument()), run_ranges_text(numbers_of(result.getRuns())));
}

Json stage_json(schema::StageRow::Reader stage) {
  const auto rule = stage.getRule();
  return {{"instrument", text(rule.getInstrument())},
          {"name", text(rule.getName())},
          {"after", list(rule.getAfter())},
          {"over", enum_word(rule.getOver())},
          {"script", text(rule.getScriptPath())},
          {"contract", enum_word(rule.getContract())},
          {"interpreter", text_or_null(rule.getInterpreter())},
          {"inputs", list(rule.getInputPatterns())},
          {"output", text_or_null(rule.getOutputPattern())},
          {"time_limit_ms", number_or_null(rule.getTimeLimitMs())},
          {"memory_limit_bytes", number_or_null(rule.getMemoryLimitBytes())},
          {"from_site", rule.getFromSite()},
          {"set_by", text_or_null(stage.getSetBy())},
          {"set_at", time_or_null(stage.getSetAt())},
          {"set_event", number_or_null(stage.getSeq())}};
}

Json stage_result_json(schema::StageResultRow::Reader result) {
  Json json = {{"instrument", text(result.getInstrument())}, {"stage", text(result.getStage())}, {"over", enum_word(result.getOver())}};
  json["runs"] = Json::array();
  for (const uint64_t run : result.getRuns()) json["runs"].push_back(run);
  json["experiment"] = text_or_null(result.getExperiment());
  json["state"] = enum_word(result.getState());
  json["version"] = number_or_null(result.getVersion());
  json["job"] = number_or_null(result.getJob());
  json["result_job"] = number_or_null(result.getResult());
  json["waiting_request"] = number_or_null(result.getPendingRequest());
  json["reason"] = text_or_null(result.getReason().getText());
  json["reason_code"] = text_or_null(result.getReason().getCode());
  json["reason_event"] = number_or_null(result.getReason().getEvent());
  return json;
}

}  // namespace tools
