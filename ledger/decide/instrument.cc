// Instruments: what is configured, paused, and which script they have.
#include <fmt/format.h>

#include <regex>
#include <set>

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

bool same(capnp::List<schema::NamedInterpreter>::Reader left, capnp::List<schema::NamedInterpreter>::Reader right) {
  if (left.size() != right.size()) return false;
  for (uint32_t i = 0; i < left.size(); ++i) {
    if (left[i].getName() != right[i].getName() || left[i].getPath() != right[i].getPath()) return false;
  }
  return true;
}

bool same(schema::InstrumentConfigured::Reader left, schema::InstrumentConfigured::Reader right) {
  return left.getInstrument() == right.getInstrument() && left.getContract() == right.getContract() &&
         same(left.getRawFolders(), right.getRawFolders()) && same(left.getFilePatterns(), right.getFilePatterns()) &&
         left.getScriptPath() == right.getScriptPath() && left.getOutputPattern() == right.getOutputPattern() &&
         left.getInterpreter() == right.getInterpreter() && left.getTimeLimitMs() == right.getTimeLimitMs() &&
         left.getMemoryLimitBytes() == right.getMemoryLimitBytes() && left.getRunNumberPattern() == right.getRunNumberPattern() &&
         left.getDetect() == right.getDetect() && left.getRetired() == right.getRetired() &&
         left.getCondaPython() == right.getCondaPython() && same(left.getInterpreters(), right.getInterpreters()) &&
         left.getStderrFails() == right.getStderrFails() && same(left.getStderrAllowed(), right.getStderrAllowed()) &&
         left.getFlatFolder() == right.getFlatFolder() && same(left.getSupportUrls(), right.getSupportUrls());
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

base::Status check_count(size_t count, std::string_view name, std::string_view what) {
  if (count <= kMaxPatterns) return base::Status::ok();
  return invalid(fmt::format("{}: {} {} are given; at most {} are taken", name, count, what, kMaxPatterns));
}

base::Status check_interpreters(schema::InstrumentConfigured::Reader wanted, std::string_view name) {
  std::string_view conda = view(wanted.getCondaPython());
  if (!conda.empty()) LEDGER_CHECK(check_path(conda, fmt::format("{}: conda_python", name)));
  if (!conda.empty() && conda.find("{env}") == std::string_view::npos) {
    return invalid(name, ": conda_python '", quoted(conda), "' has no {env}, where the environment's name goes");
  }
  LEDGER_CHECK(check_count(wanted.getInterpreters().size(), name, "interpreters"));
  std::set<std::string_view> names = {"instrument"};
  for (auto interpreter : wanted.getInterpreters()) {
    std::string_view own = view(interpreter.getName());
    if (own.empty() || own.size() > kMaxLabelBytes) {
      return invalid(fmt::format("{}: interpreter '{}': a name has 1 to {} bytes", name, quoted(own), kMaxLabelBytes));
    }
    if (!names.insert(own).second) {
      return invalid(name, ": interpreter ", quoted(own), own == "instrument" ? " is the instrument's own, `python`; name it otherwise" : " is given twice");
    }
    if (interpreter.getPath().size() == 0) return invalid(name, ": interpreter ", quoted(own), " has no path");
  }
  return base::Status::ok();
}

/// What people may say of a script's surroundings in site.toml.
base::Status check_surroundings(schema::InstrumentConfigured::Reader wanted, std::string_view name) {
  LEDGER_CHECK(check_interpreters(wanted, name));
  LEDGER_CHECK(check_count(wanted.getStderrAllowed().size(), name, "expressions in stderr_allowed"));
  for (auto expression : wanted.getStderrAllowed()) {
    try {
      std::regex compiled(expression.cStr());
    } catch (const std::regex_error& error) {
      return invalid(name, ": stderr_allowed '", quoted(expression), "' is no regular expression (", error.what(), ")");
    }
  }
  if (wanted.getFlatFolder().size() > 0) LEDGER_CHECK(check_path(view(wanted.getFlatFolder()), fmt::format("{}: flat", name)));
  LEDGER_CHECK(check_count(wanted.getSupportUrls().size(), name, "support_urls"));
  for (auto url : wanted.getSupportUrls()) {
    if (view(url).find("://") != std::string_view::npos) continue;
    return invalid(name, ": support_urls '", quoted(url), "' is no beginning of a url; it needs https:// or the like");
  }
  return base::Status::ok();
}

}  // namespace

Decided decide_configure(const Question& question, schema::InstrumentConfigured::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  LEDGER_CHECK(check_instrument_name(name));
  if (wanted.getContract() == schema::Contract::UNSET) return invalid(name, ": no script contract is given; use ", kContracts);
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
  LEDGER_CHECK(check_surroundings(wanted, name));
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
    if (is_paused(question, held.getCampaign())) {
      hold_for_campaign(question, held, proposal);
      return true;
    }
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
    return invalid(name, ": the script comes without a contract; use ", kContracts);
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
