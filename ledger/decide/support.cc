// Support files: a new content at a path that a variable names.
#include "ledger/decide/question.h"

namespace ledger {

Decided decide_see_support_file(const Question& question, schema::SupportFileSeen::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  auto instrument = known_instrument(question, name);
  if (!instrument.is_ok()) return instrument.status();
  const std::string what = std::string(name) + ": support file " + quoted(wanted.getPath());
  LEDGER_CHECK(check_path_or_url(view(wanted.getPath()), std::string(name) + ": support file"));
  const bool readable = wanted.getSha256().size() > 0;
  if (!readable && wanted.getProblem().size() == 0) return invalid(what, " comes with neither a SHA-256 nor why it cannot be read");
  if (readable && wanted.getProblem().size() > 0) return invalid(what, " comes with a SHA-256 and with why it cannot be read; one of them is wrong");
  if (wanted.getKept()) LEDGER_CHECK(question.need_blob(wanted.getSha256(), what));
  if (auto row = find_support_file(question.rows, name, view(wanted.getPath()))) {
    auto last = row->get().getFile();
    if (last.getSha256() == wanted.getSha256() && last.getProblem() == wanted.getProblem()) return nothing();
  }
  Proposal proposal(question);
  proposal.add().setSupportFileSeen(wanted);
  return proposal.take();
}

}  // namespace ledger
