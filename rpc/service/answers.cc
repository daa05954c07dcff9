#include "rpc/service/answers.h"

#include "ledger/event_bytes.h"

namespace rpc {

void write_refusal(const base::Status& status, schema::Refusal::Builder refusal) {
  refusal.setCode(static_cast<schema::Refusal::Code>(status.code()));
  refusal.setText(status.message());
}

void write_answer(const ledger::Answer& answer, schema::Answer::Builder builder) {
  auto events = builder.initEvents(answer.events.size());
  for (size_t i = 0; i < answer.events.size(); ++i) events.set(i, answer.events[i]);
  builder.setRepeated(answer.repeated);
  write_refusal(answer.status, builder.initRefusal());
}

void write_path(const std::vector<base::Sha256>& path, capnp::List<capnp::Data>::Builder list) {
  for (size_t i = 0; i < path.size(); ++i) list.set(i, ledger::data(base::as_bytes(path[i])));
}

kj::Exception fault(const base::Status& status, kj::Exception::Type type) {
  return kj::Exception(type, __FILE__, __LINE__, kj::heapString(status.message().data(), status.message().size()));
}

void require_read(const ledger::Snapshot& snapshot) {
  base::Status status = snapshot.status();
  if (status.is_ok()) return;
  const auto type = status.code() == base::Code::kUnavailable ? kj::Exception::Type::OVERLOADED : kj::Exception::Type::FAILED;
  kj::throwFatalException(fault(status, type));
}

int64_t time_of(const ledger::Snapshot& snapshot, uint64_t seq) {
  auto words = snapshot.event(seq);
  return words.is_ok() ? ledger::StoredEvent(*words).get().getTime() : 0;
}

}  // namespace rpc
