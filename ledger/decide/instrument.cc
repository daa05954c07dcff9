// Instruments: what is configured, paused, and which script they have.
#include <fmt/format.h>

#include "base/time.h"
#include "ledger/decide/body_check.h"
#include "ledger/decide/question.h"

namespace ledger {
namespace {

using base::Code;

bool same(capnp::List<capnp::Text>::Reader left, capnp::List<capnp::Text>::Reader right) {
  if (left.size() != right.size()) return false;
  for (uint32_t i = 0; i < left.size(); ++i) {
    if (left[i] != right[i]) return false;
  }
  return true;
}

bool same(schema::InstrumentConfigured::Reader left, schema::InstrumentConfigured::Reader right) {
  return left.getInstrument() == right.getInstrument() && left.getContract() == right.getContract() &&
         same(left.getRawFolders(), right.getRawFolders()) && same(left.getFilePatterns(), right.getFilePatterns()) &&
         left.getScriptPath() == right.getScriptPath() && left.getOutputPattern() == right.getOutputPattern() &&
         left.getInterpreter() == right.getInterpreter() && left.getTimeLimitMs() == right.getTimeLimitMs() &&
         left.getMemoryLimitBytes() == right.getMemoryLimitBytes() && left.getRunNumberPattern() == right.getRunNumberPattern() &&
         left.getDetect() == right.getDetect() && left.getRetired() == right.getRetired();
}

bool same(schema::ScriptRegistered::Reader left, schema::ScriptRegistered::Reader right) {
  if (left.getSiblings().size() != right.getSiblings().size()) return false;
  for (uint32_t i = 0; i < left.getSiblings().size(); ++i) {
    auto mine = left.getSiblings()[i], yours = right.getSiblings()[i];
    if (mine.getName() != yours.getName() || mine.getSha256() != yours.getSha256()) return false;
  }
  return left.getContract() == right.getContract() && left.getPath() == right.getPath() && left.getSha256() == right.getSha256() &&
         left.getDefaults() == right.getDefaults() && left.getProblem() == right.getProblem();
}

std::string reason_text(const Question& question, schema::Reason::Reader reason, std::string_view did,
                        std::string_view instrument) {
  std::string text = fmt::format("{} {} {}", question.actor_words(), did, instrument);
  if (reason.getText().size() > 0) text += ": " + quoted(view(reason.getText()), kMaxTextBytes);
  return text;
}

}  // namespace

Decided decide_configure(const Question& question, schema::InstrumentConfigured::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  LEDGER_CHECK(check_instrument_name(name));
  if (wanted.getContract() == schema::Contract::UNSET) return invalid(name, ": no script contract is given; use isis or sns");
  if (wanted.getRawFolders().size() == 0) return invalid(name, ": no folder with raw files is given; set `raw` in site.toml");
  for (auto folder : wanted.getRawFolders()) LEDGER_CHECK(check_path(view(folder), fmt::format("{}: raw folder", name)));
  if (wanted.getScriptPath().size() > 0) LEDGER_CHECK(check_path(view(wanted.getScriptPath()), fmt::format("{}: script", name)));
  std::string_view output = view(wanted.getOutputPattern());
  LEDGER_CHECK(check_path(output, fmt::format("{}: output pattern", name)));
  for (std::string_view part : {"{run}", "{version}"}) {
    if (output.find(part) != std::string_view::npos) continue;
    return invalid(name, ": output pattern '", quoted(output), "' has no ", part,
                   "; without it one version would overwrite another");
  }
  if (wanted.getInterpreter().size() == 0) return invalid(name, ": no interpreter is given; set `python` in site.toml");
  if (view(wanted.getDetect()) != "directory" && view(wanted.getDetect()) != "lastrun") {
    return invalid(name, ": detect = '", quoted(wanted.getDetect()), "' is neither directory nor lastrun");
  }
  if (auto row = find_instrument(question.rows, name); row && same(row->get().getConfig(), wanted)) return nothing();
  Proposal proposal(question);
  proposal.add().setInstrumentConfigured(wanted);
  return proposal.take();
}

Decided decide_pause(const Question& question, schema::InstrumentPaused::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  auto row = known_instrument(question, name);
  if (!row.is_ok()) return row.status();
  auto instrument = row->get();
  if (instrument.getPaused()) {
    return refuse(Code::kConflict, fmt::format("{} is paused already, since {} by {} ({}); `runledger resume {}` ends that", name,
                                               base::iso_time(instrument.getPausedAt()), quoted(instrument.getPausedBy()),
                                               quoted(instrument.getPauseReason().getText()), name));
  }
  Proposal proposal(question);
  auto paused = proposal.add().initInstrumentPaused();
  paused.setInstrument(wanted.getInstrument());
  std::string why = reason_text(question, wanted.getReason(), "paused", name);
  set_reason(paused.initReason(), "paused", why);
  uint64_t cause = proposal.last_seq();
  list_waiting(question.rows, [&](schema::QueueRow::Reader waiting) {
    if (view(waiting.getRun().getInstrument()) != name) return true;
    auto held = proposal.add(cause).initJobHeld();
    held.setJob(waiting.getJob());
    set_reason(held.initReason(), "paused", why);
    return true;
  });
  return proposal.take();
}

Decided decide_resume(const Question& question, schema::InstrumentResumed::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  auto row = known_instrument(question, name);
  if (!row.is_ok()) return row.status();
  if (!row->get().getPaused()) return refuse(Code::kConflict, name, " is not paused; there is nothing to resume");
  Proposal proposal(question);
  auto resumed = proposal.add().initInstrumentResumed();
  resumed.setInstrument(wanted.getInstrument());
  std::string why = reason_text(question, wanted.getReason(), "resumed", name);
  set_reason(resumed.initReason(), "resumed", why);
  uint64_t cause = proposal.last_seq();
  list_held(question.rows, [&](schema::QueueRow::Reader held) {
    if (view(held.getRun().getInstrument()) != name) return true;
    auto released = proposal.add(cause).initJobReleased();
    released.setJob(held.getJob());
    set_reason(released.initReason(), "resumed", why);
    return true;
  });
  return proposal.take();
}

Decided decide_script(const Question& question, schema::ScriptRegistered::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  auto row = known_instrument(question, name);
  if (!row.is_ok()) return row.status();
  if (wanted.getContract() == schema::Contract::UNSET)
    return invalid(name, ": the script comes without a contract; use isis or sns");
  LEDGER_CHECK(check_path(view(wanted.getPath()), fmt::format("{}: script", name)));
  LEDGER_CHECK(question.need_blob(wanted.getSha256(), fmt::format("{}: script {}", name, quoted(wanted.getPath()))));
  LEDGER_CHECK(check_script_files(question, wanted.getSiblings()));
  if (wanted.getDefaults().size() > 0) {
    LEDGER_CHECK(question.need_blob(wanted.getDefaults(), fmt::format("{}: the script's variables", name)));
    auto defaults =
        Row<schema::VariableSet>::parse(*question.blob(wanted.getDefaults()), fmt::format("{}: the script's variables", name));
    if (!defaults.is_ok()) return invalid(defaults.status().message(), "; send them as a VariableSet document");
    LEDGER_CHECK(check_body(defaults->get(), fmt::format("{}: the script's variables", name), kMaxVariableBytes));
  }
  if (same(row->get().getScript(), wanted)) return nothing();
  Proposal proposal(question);
  proposal.add().setScriptRegistered(wanted);
  return proposal.take();
}

}  // namespace ledger
