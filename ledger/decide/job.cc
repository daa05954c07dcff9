// Jobs: what they need before they enter the queue, what holds them there, and leaving it at a person's wish.
#include <fmt/format.h>

#include "base/text.h"
#include "ledger/decide/body_check.h"
#include "ledger/decide/question.h"

namespace ledger {
namespace {

using base::Code;
using schema::RunState;

base::Status check_support_files(const Question& question, capnp::List<schema::SupportFile>::Reader files, const std::string& words) {
  if (files.size() > kMaxSupportFiles) {
    return invalid(fmt::format("{}: {} support files are given; at most {} are taken", words, files.size(), kMaxSupportFiles));
  }
  for (auto file : files) {
    const std::string what = words + ": support file " + quoted(file.getPath());
    LEDGER_CHECK(check_path_or_url(view(file.getPath()), words + ": support file"));
    if (file.getName().size() == 0) return invalid(what, " comes without the variable that names it");
    if (file.getSha256().size() == 0) return invalid(what, " comes without its SHA-256");
    if (file.getKept()) LEDGER_CHECK(question.need_blob(file.getSha256(), what));
  }
  return base::Status::ok();
}

}  // namespace

base::Status check_inputs(const Question& question, schema::JobQueued::Reader wanted) {
  auto inputs = wanted.getInputs();
  uint32_t next = 0;
  for (auto key : wanted.getRuns()) {
    auto row = known_run(question, key);
    if (!row.is_ok()) return row.status();
    auto run = row->get();
    LEDGER_CHECK(check_not_refused(run));
    for (auto file : run.getRawFiles()) {
      if (next < inputs.size() && inputs[next].getSha256() == file.getSha256() && inputs[next].getPath() == file.getPath()) {
        ++next;
        continue;
      }
      return refuse(Code::kConflict, run_words(key), ": the inputs given are not the files on record now (", quoted(file.getPath()),
                    ", sha256 ", base::hex(view(file.getSha256()).substr(0, 6)), "); read the run again and queue that");
    }
  }
  if (next != inputs.size()) return invalid(fmt::format("{} inputs are given, but the runs have {}", inputs.size(), next));
  return base::Status::ok();
}

base::Status check_content(const Question& question, schema::JobQueued::Reader wanted, const std::string& words) {
  if (wanted.getContract() == schema::Contract::UNSET) return invalid(words, ": no script contract is given; use ", kContracts);
  LEDGER_CHECK(check_path(view(wanted.getScriptPath()), words + ": script"));
  LEDGER_CHECK(question.need_blob(wanted.getScriptSha256(), words + ": script " + quoted(wanted.getScriptPath())));
  LEDGER_CHECK(check_script_files(question, wanted.getSiblings()));
  if (wanted.getVariables().size() > 0) {
    LEDGER_CHECK(question.need_blob(wanted.getVariables(), words + ": variables"));
    auto set = Row<schema::VariableSet>::parse(*question.blob(wanted.getVariables()), words + ": variables");
    if (!set.is_ok()) return invalid(set.status().message(), "; send them as a VariableSet document");
    LEDGER_CHECK(check_body(set->get(), words + ": variables", kMaxVariableBytes));
  }
  LEDGER_CHECK(check_support_files(question, wanted.getSupportFiles(), words));
  if (wanted.getInterpreter().size() == 0) return invalid(words, ": no interpreter is given; set `python` in site.toml");
  LEDGER_CHECK(check_path(view(wanted.getOutputDirectory()), words + ": output directory"));
  if (wanted.getFlatFolder().size() > 0) LEDGER_CHECK(check_path(view(wanted.getFlatFolder()), words + ": flat folder"));
  return check_reason(wanted.getReason(), words);
}

std::string with_place(std::string directory, std::string_view place, std::string_view value) {
  for (size_t at = directory.find(place); at != std::string::npos; at = directory.find(place, at + value.size())) {
    directory.replace(at, place.size(), value);
  }
  return directory;
}

bool hold_if_paused(const Question& question, schema::JobQueued::Reader queued, uint64_t job, Proposal& proposal) {
  schema::Decision::Reader reason;
  std::optional<Row<schema::InstrumentRow>> instrument;
  std::optional<Row<schema::CampaignRow>> campaign;
  if (queued.getRuns().size() > 0) instrument = find_instrument(question.rows, view(queued.getRuns()[0].getInstrument()));
  if (instrument && instrument->get().getPaused()) {
    reason = instrument->get().getPauseReason();
  } else if (is_paused(question, queued.getCampaign())) {
    campaign = find_campaign(question.rows, queued.getCampaign());
    reason = campaign->get().getReason();
  } else {
    return false;
  }
  auto held = proposal.add(reason.getEvent()).initJobHeld();
  held.setJob(job);
  held.initReason().setCode(reason.getCode());
  held.getReason().setText(reason.getText());
  return true;
}

Decided decide_cancel(const Question& question, schema::JobCancelled::Reader wanted) {
  auto row = known_job(question, wanted.getJob());
  if (!row.is_ok()) return row.status();
  auto job = row->get();
  auto state = job.getState();
  if (state != RunState::QUEUED && state != RunState::HELD && state != RunState::RUNNING) {
    return refuse(Code::kConflict, fmt::format("{} (job {}) is {} already; there is nothing to cancel", version_words(job),
                                               job.getJob(), state_words(state)));
  }
  for (auto attempt : job.getAttempts()) {
    if (attempt.getOutcome() != schema::AttemptRow::Outcome::PUBLISHING) continue;
    return refuse(Code::kConflict,
                  fmt::format("{} (job {}) has succeeded and its output is being put in place; it can no longer be cancelled",
                              version_words(job), job.getJob()));
  }
  Proposal proposal(question);
  auto cancelled = proposal.add().initJobCancelled();
  cancelled.setJob(wanted.getJob());
  std::string text = fmt::format("{} cancelled {}", question.actor_words(), version_words(job));
  if (wanted.getReason().getText().size() > 0) text += ": " + quoted(view(wanted.getReason().getText()), kMaxTextBytes);
  set_reason(cancelled.initReason(), "cancelled", text);
  return proposal.take();
}

}  // namespace ledger
