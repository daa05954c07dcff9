// From the wire's values to a client's. The other direction: rpc/service/answers.h.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "schema/api.capnp.h"

namespace rpc {

/// kOk where nothing was refused; kInternal for a code this release does not know.
inline base::Status status_of(schema::Refusal::Reader refusal) {
  if (refusal.getCode() == schema::Refusal::Code::OK) return {};
  const auto code = static_cast<uint16_t>(refusal.getCode());
  const bool known = code <= static_cast<uint16_t>(base::Code::kInternal);
  return {known ? static_cast<base::Code>(code) : base::Code::kInternal, std::string(refusal.getText().begin(), refusal.getText().size())};
}

/// The hashes of a proof. One of another length becomes zeros, which prove nothing.
inline std::vector<base::Sha256> path_of(capnp::List<capnp::Data>::Reader list) {
  std::vector<base::Sha256> path;
  for (auto hash : list) {
    base::Sha256& each = path.emplace_back(base::Sha256{});
    if (hash.size() == each.size()) std::memcpy(each.data(), hash.begin(), each.size());
  }
  return path;
}

}  // namespace rpc
