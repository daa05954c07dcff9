#include "ledger/views/variables.h"

#include <algorithm>
#include <map>
#include <set>

#include "ledger/variables.h"
#include "ledger/views/edit.h"

namespace ledger {
namespace {

using Rules = std::map<std::string, schema::VariableRule::Reader>;

std::string rule_key(schema::Scope::Reader scope, schema::Variable::Group group, std::string_view name) {
  std::string key = scope_key(scope);
  key += static_cast<char>(group);
  append_text(key, name);
  return key;
}

Rules read_rules(schema::VariableRules::Reader row) {
  Rules rules;
  for (auto rule : row.getRules()) {
    rules.emplace(rule_key(rule.getScope(), rule.getVariable().getGroup(), view(rule.getVariable().getName())), rule);
  }
  return rules;
}

void save(Rows& rows, std::string_view instrument, const Rules& rules) {
  std::string key = VariablesView::row_key(instrument);
  if (rules.empty()) return rows.erase(ViewId::kVariables, key);
  SmallMessage message;
  auto list = message.initRoot<schema::VariableRules>().initRules(static_cast<uint32_t>(rules.size()));
  uint32_t i = 0;
  for (const auto& [order, rule] : rules) list.setWithCaveats(i++, rule);
  rows.put(ViewId::kVariables, key, built_bytes(message));
}

void set(schema::Event::Reader event, schema::VariablesSet::Reader change, const Rules& before, Rows& rows) {
  Rules rules = before;
  SmallMessage message;
  auto fresh = message.initRoot<schema::VariableRules>().initRules(change.getVariables().size());
  for (uint32_t i = 0; i < fresh.size(); ++i) {
    auto rule = fresh[i];
    rule.setScope(change.getScope());
    rule.setVariable(change.getVariables()[i]);
    rule.setSetBy(event.getActor().getName());
    rule.setSetAt(event.getTime());
    rule.setSeq(event.getSeq());
    rule.setComment(change.getComment());
    auto variable = change.getVariables()[i];
    rules.insert_or_assign(rule_key(change.getScope(), variable.getGroup(), view(variable.getName())), rule.asReader());
  }
  save(rows, view(change.getInstrument()), rules);
}

void clear(schema::VariablesCleared::Reader change, const Rules& before, Rows& rows) {
  std::string scope = scope_key(change.getScope());
  std::set<std::string, std::less<>> names;
  for (auto name : change.getNames()) names.emplace(view(name));
  Rules rules = before;
  std::erase_if(rules, [&](const auto& entry) {
    return entry.first.starts_with(scope) && (names.empty() || names.contains(view(entry.second.getVariable().getName())));
  });
  save(rows, view(change.getInstrument()), rules);
}

}  // namespace

void VariablesView::fold(schema::Event::Reader event, Rows& rows) const {
  auto body = event.getBody();
  bool is_set = body.which() == schema::Event::Body::VARIABLES_SET;
  if (!is_set && body.which() != schema::Event::Body::VARIABLES_CLEARED) return;
  auto instrument = is_set ? body.getVariablesSet().getInstrument() : body.getVariablesCleared().getInstrument();
  auto bytes = rows.get(id(), row_key(view(instrument)));
  std::optional<Row<schema::VariableRules>> row;
  if (bytes) row.emplace(*bytes);
  Rules before = row ? read_rules(row->get()) : Rules();
  if (is_set) return set(event, body.getVariablesSet(), before, rows);
  clear(body.getVariablesCleared(), before, rows);
}

}  // namespace ledger
