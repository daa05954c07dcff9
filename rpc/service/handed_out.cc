#include "rpc/service/handed_out.h"

#include "base/sha256.h"

namespace rpc {

void HandedOut::note(std::string_view sha256) {
  if (sha256.size() != sizeof(base::Sha256) || !known_.emplace(sha256).second) return;
  order_.emplace_back(sha256);
  if (order_.size() <= kMost) return;
  known_.erase(order_.front());
  order_.pop_front();
}

void HandedOut::note(capnp::DynamicStruct::Reader answer) {
  KJ_IF_MAYBE (member, answer.which()) note_value(answer.get(*member));
  for (auto field : answer.getSchema().getNonUnionFields()) note_value(answer.get(field));
}

void HandedOut::note_value(capnp::DynamicValue::Reader value) {
  switch (value.getType()) {
    case capnp::DynamicValue::DATA: {
      const auto bytes = value.as<capnp::Data>();
      return note(std::string_view(reinterpret_cast<const char*>(bytes.begin()), bytes.size()));
    }
    case capnp::DynamicValue::STRUCT: return note(value.as<capnp::DynamicStruct>());
    case capnp::DynamicValue::LIST: {
      const auto list = value.as<capnp::DynamicList>();
      const auto which = list.getSchema().whichElementType();
      if (which != capnp::schema::Type::STRUCT && which != capnp::schema::Type::DATA && which != capnp::schema::Type::LIST) return;
      for (auto item : list) note_value(item);
      return;
    }
    default: return;
  }
}

}  // namespace rpc
