// Words of the site file as the schema has them.
#pragma once

#include <string>

#include "schema/event.capnp.h"

namespace daemons {

inline schema::Contract contract_of(const std::string& word) {
  return word == "sns" ? schema::Contract::SNS : word == "fia" ? schema::Contract::FIA : schema::Contract::ISIS;
}

}  // namespace daemons
