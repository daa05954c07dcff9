// Workers: who may be given jobs.
#include "ledger/decide/question.h"

namespace ledger {

Decided decide_join(const Question& question, schema::WorkerJoined::Reader wanted) {
  std::string name(view(wanted.getWorker()));
  LEDGER_CHECK(check_worker_name(name));
  if (wanted.getSlots() == 0) return invalid("worker ", name, " has no slots; give it at least one");
  Proposal proposal(question);
  if (auto before = find_worker(question.rows, name)) {
    LEDGER_CHECK(lose_running(question, before->get(), "worker_rejoined", "worker " + name + " joined anew without finishing it", 0,
                              proposal));
  }
  proposal.add().setWorkerJoined(wanted);
  return proposal.take();
}

Decided decide_leave(const Question& question, schema::WorkerLeft::Reader wanted) {
  std::string name(view(wanted.getWorker()));
  auto row = known_worker(question, name);
  if (!row.is_ok()) return row.status();
  if (row->get().getLeft()) return nothing();
  Proposal proposal(question);
  auto left = proposal.add();
  left.setWorkerLeft(wanted);
  std::string why = "worker " + name + " left";
  if (wanted.getReason().getText().size() > 0) why += ": " + quoted(wanted.getReason().getText());
  if (!wanted.hasReason()) set_reason(left.getWorkerLeft().initReason(), "worker_left", why);
  LEDGER_CHECK(check_reason(left.getWorkerLeft().asReader().getReason(), "worker " + name));
  LEDGER_CHECK(lose_running(question, row->get(), "worker_left", why, proposal.last_seq(), proposal));
  return proposal.take();
}

}  // namespace ledger
