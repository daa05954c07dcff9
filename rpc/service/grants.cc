#include "rpc/service/grants.h"

#include <algorithm>
#include <iterator>

#include "ledger/view_rows.h"

namespace rpc {

using ledger::view;

Grant read_grant(schema::Grant::Reader grant) {
  return {grant.getRole(), std::string(view(grant.getInstrument())), std::string(view(grant.getExperiment())), std::string(view(grant.getGroup()))};
}

void write_grant(const Grant& grant, schema::Grant::Builder builder) {
  builder.setRole(grant.role);
  builder.setInstrument(grant.instrument);
  builder.setExperiment(grant.experiment);
  builder.setGroup(grant.group);
}

std::vector<Grant> grants_on_record(const ledger::RowReader& rows, std::string_view account) {
  std::vector<Grant> found;
  for (const auto& row : ledger::grants(rows, account)) found.push_back(read_grant(row.get().getGrant()));
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<Grant> without(const std::vector<Grant>& these, const std::vector<Grant>& those) {
  std::vector<Grant> rest;
  std::set_difference(these.begin(), these.end(), those.begin(), those.end(), std::back_inserter(rest));
  return rest;
}

bool is_same_role(const Grant& one, const Grant& other) {
  return one.role == other.role && one.instrument == other.instrument && one.experiment == other.experiment;
}

}  // namespace rpc
