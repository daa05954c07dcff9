#include "base/json_text.h"

#include "base/text.h"

namespace base {
namespace {

using Json = nlohmann::ordered_json;

void mend_strings(Json& json) {
  if (json.is_structured()) {
    for (Json& inner : json) mend_strings(inner);
  } else if (auto* text = json.get_ptr<std::string*>(); text && !is_utf8(*text)) {
    *text = to_utf8(*text);
  }
}

}  // namespace

std::string json_text(Json json, int indent) {
  mend_strings(json);
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);  // keys
}

}  // namespace base
