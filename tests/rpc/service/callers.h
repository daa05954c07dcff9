// Callers of each role, for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "rpc/access/policy.h"

namespace support {

inline rpc::Caller caller(std::vector<rpc::Grant> grants, std::string name = "alice") {
  rpc::Caller caller;
  caller.name = std::move(name);
  caller.proof = "test";
  caller.source = "unix";
  caller.grants = std::move(grants);
  return caller;
}
inline rpc::Caller member_of(const std::string& experiment, std::string name = "alice") {
  return caller({{schema::Role::MEMBER, "", experiment, "IPTS-" + experiment}}, std::move(name));
}
inline rpc::Caller scientist_of(const std::string& instrument, std::string name = "alice") {
  return caller({{schema::Role::SCIENTIST, instrument, "", "team of " + instrument}}, std::move(name));
}
inline rpc::Caller auditor(std::string name = "alice") { return caller({{schema::Role::AUDITOR, "", "", "auditors"}}, std::move(name)); }
inline rpc::Caller operator_(std::string name = "alice") { return caller({{schema::Role::OPERATOR, "", "", "operators"}}, std::move(name)); }
inline rpc::Caller an_administrator(std::string name = "alice") { return caller({{schema::Role::ADMINISTRATOR, "", "", "admins"}}, std::move(name)); }
/// The account that runs the ledger.
inline rpc::Caller owner() {
  rpc::Caller caller = support::caller({}, "runledger");
  caller.kind = rpc::Caller::Kind::kOwner;
  return caller;
}

}  // namespace support
