// Trials: a script tried on a run.
#include "ledger/decide/question.h"

namespace ledger {

Decided decide_trial(const Question& question, schema::TrialRequested::Reader wanted) {
  auto row = known_run(question, wanted.getRun());
  if (!row.is_ok()) return row.status();
  auto run = row->get();
  LEDGER_CHECK(check_not_refused(run));
  auto instrument = known_instrument(question, view(run.getRun().getInstrument()));
  if (!instrument.is_ok()) return instrument.status();
  const std::string words = "a trial on " + run_words(run.getRun());
  LEDGER_CHECK(check_path(view(wanted.getScriptPath()), words + ": script"));
  LEDGER_CHECK(question.need_blob(wanted.getScriptSha256(), words + ": script " + quoted(wanted.getScriptPath())));
  LEDGER_CHECK(check_script_files(question, wanted.getSiblings()));
  LEDGER_CHECK(check_variables(wanted.getVariables()));
  LEDGER_CHECK(check_interpreter_name(instrument->get().getConfig(), wanted.getInterpreter()));
  Proposal proposal(question);
  proposal.add().setTrialRequested(wanted);
  return proposal.take();
}

}  // namespace ledger
