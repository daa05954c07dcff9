// What deciding functions check of names, runs, reasons, paths and variables.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ledger/canonical.h"
#include "ledger/decide/limits.h"
#include "schema/event.capnp.h"
#include "schema/document.capnp.h"

namespace ledger {

base::Status check_instrument_name(std::string_view name);
base::Status check_worker_name(std::string_view name);
base::Status check_run(schema::RunKey::Reader run);
/// Code lower_snake_case, text not empty (promise P12).
base::Status check_reason(schema::Reason::Reader reason, std::string_view what);
/// Absolute, without a ".." part.
base::Status check_path(std::string_view path, std::string_view what);
/// The same, or a url.
base::Status check_path_or_url(std::string_view path, std::string_view what);
/// lower_snake_case, beginning with a letter.
bool is_lower_snake_case(std::string_view name);
base::Status check_scope(schema::Scope::Reader scope);

enum class Following { kTaken, kRefused };
/// Names, JSON values and their number; no name twice in a group. Only a setting follows the script.
base::Status check_variables(capnp::List<schema::Variable>::Reader variables, Following following = Following::kRefused);
/// The group that `variable` is in, of those the script has; kInvalidArgument when the script has no such variable, or one of
/// another type. null fits every type, an integer a float, and anything a variable that has no value in the script.
base::Result<schema::Variable::Group> match_variable(schema::Variable::Reader variable, schema::VariableSet::Reader known,
                                                     std::string_view instrument);

/// "MARI 28001"; the name made printable and cut, whatever it is.
std::string run_words(schema::RunKey::Reader run);
/// A sender's text, safe to put into a sentence.
std::string quoted(std::string_view text, size_t limit = 200);
inline std::string quoted(capnp::Text::Reader text) { return quoted(view(text)); }

template <typename... Args>
base::Status refuse(base::Code code, Args&&... parts) {
  std::string text;
  (text.append(std::forward<Args>(parts)), ...);
  return {code, std::move(text)};
}
template <typename... Args>
base::Status invalid(Args&&... parts) {
  return refuse(base::Code::kInvalidArgument, std::forward<Args>(parts)...);
}

}  // namespace ledger

/// Leaves with the Status of `expression` unless it is kOk.
#define LEDGER_CHECK(expression)                                               \
  do {                                                                         \
    if (base::Status status_ = (expression); !status_.is_ok()) return status_; \
  } while (false)
