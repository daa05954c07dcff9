#include "rpc/service/seen_support_files.h"

#include <set>
#include <string>

#include "rpc/service/seen_page.h"
#include "schema/document.capnp.h"

namespace rpc {
namespace {

using ledger::view;
using Texts = std::set<std::string, std::less<>>;

/// Every text in a JSON value. One with an escaped character stays as it is written: no path that anybody sets has one.
void add_texts(std::string_view json, Texts& texts) {
  for (size_t at = json.find('"'); at != json.npos;) {
    size_t end = at + 1;
    while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
    if (end >= json.size()) return;
    texts.emplace(json.substr(at + 1, end - at - 1));
    at = json.find('"', end + 1);
  }
}

/// What may be named before the caller's eyes.
Texts named_texts(const ledger::RowReader& rows, const Sight& sight, std::string_view instrument, schema::InstrumentRow::Reader row) {
  Texts texts;
  if (const auto rules = ledger::variable_rules(rows, instrument)) {
    for (auto rule : rules->get().getRules()) {
      if (sees_scope(sight, instrument, rule.getScope())) add_texts(view(rule.getVariable().getValue()), texts);
    }
  }
  if (const auto defaults = rows.blob(view(row.getScript().getDefaults()))) {
    const ledger::Row<schema::VariableSet> own(*defaults);
    for (auto variable : own.get().getVariables()) add_texts(view(variable.getValue()), texts);
  }
  return texts;
}

}  // namespace

bool sees_scope(const Sight& sight, std::string_view instrument, schema::Scope::Reader scope) {
  return !scope.isExperiment() || sight.sees(instrument, view(scope.getExperiment()));
}

ledger::Page<schema::SupportFileRow> seen_support_files(const ledger::RowReader& rows, const Sight& sight, std::string_view instrument, size_t limit,
                                                        std::string_view after) {
  if (sight.sees_all_of(instrument)) return ledger::list_support_files(rows, instrument, limit, after);
  const auto row = ledger::find_instrument(rows, instrument);
  if (!row) return {};
  const Texts texts = named_texts(rows, sight, instrument, row->get());
  const std::string_view script = view(row->get().getConfig().getScriptPath());
  const std::string folder(script.substr(0, script.rfind('/') + 1));
  const auto list = [&](size_t most, std::string_view from) { return ledger::list_support_files(rows, instrument, most, from); };
  const auto is_named = [&](schema::SupportFileRow::Reader file) {
    const std::string_view path = view(file.getFile().getPath());
    return texts.contains(path) || (!folder.empty() && path.starts_with(folder) && texts.contains(path.substr(folder.size())));
  };
  return seen_page<schema::SupportFileRow>(list, is_named, limit, after);
}

}  // namespace rpc
