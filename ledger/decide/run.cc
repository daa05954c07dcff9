// Runs: what a file in a watched folder means for the record, and what people ask of a run.
#include <fmt/format.h>

#include "base/text.h"
#include "ledger/decide/question.h"
#include "ledger/views/runs.h"

namespace ledger {
namespace {

using base::Code;
using schema::RunState;

base::Status check_file(schema::RawFile::Reader file, bool needs_hash) {
  LEDGER_CHECK(check_path(view(file.getPath()), "raw file"));
  if (needs_hash && file.getSha256().size() == 0) return invalid("raw file ", quoted(file.getPath()), " comes without its SHA-256");
  return base::Status::ok();
}

base::Status check_takes_files(const Question& question, std::string_view instrument) {
  auto row = known_instrument(question, instrument);
  if (!row.is_ok()) return row.status();
  if (!row->get().getConfig().getRetired()) return base::Status::ok();
  return refuse(Code::kConflict, instrument,
                " was taken out of site.toml, so no new file is taken for it; put it back and restart ledgerd to change that");
}

bool same_bytes(capnp::List<schema::RawFile>::Reader left, capnp::List<schema::RawFile>::Reader right) {
  if (left.size() != right.size()) return false;
  for (uint32_t i = 0; i < left.size(); ++i) {
    if (left[i].getPath() != right[i].getPath() || left[i].getSha256() != right[i].getSha256()) return false;
  }
  return true;
}

std::string short_hash(capnp::Data::Reader sha256) { return base::hex(view(sha256).substr(0, 6)); }

/// Puts a sentence about `file` on the run's record.
Decided annotate(const Question& question, schema::RunKey::Reader key, schema::RunAnnotated::Kind kind,
                 schema::RawFile::Reader file, const std::string& text) {
  Proposal proposal(question);
  auto note = proposal.add().initRunAnnotated();
  note.setRun(key);
  note.setKind(kind);
  note.setFile(file);
  note.setText(text);
  return proposal.take();
}

/// The file was found at the path the run's own file has.
Decided decide_own_path(const Question& question, schema::RunDetected::Reader wanted, schema::RunRow::Reader run) {
  auto key = wanted.getRun();
  if (!same_bytes(run.getRawFiles(), wanted.getFiles())) {
    Proposal proposal(question);
    proposal.add().setRunRevised(wanted);
    return proposal.take();
  }
  auto file = wanted.getFiles()[0];
  auto known = find_file(question.rows, view(key.getInstrument()), view(file.getPath()));
  if (!known || !known->get().getRefused()) return nothing();
  return annotate(question, key, schema::RunAnnotated::Kind::NOTE, file,
                  fmt::format("{} is whole again, with the bytes recorded", quoted(file.getPath())));
}

/// Another file bears the number of a run that has one.
Decided decide_other_path(const Question& question, schema::RunDetected::Reader wanted, schema::RunRow::Reader run) {
  auto key = wanted.getRun();
  auto file = wanted.getFiles()[0];
  auto known = find_file(question.rows, view(key.getInstrument()), view(file.getPath()));
  bool recorded = known && !known->get().getRefused() && known->get().getRunNumber() == key.getRunNumber() &&
                  known->get().getFile().getSha256() == file.getSha256();
  if (recorded) return nothing();
  auto own = run.getRawFiles()[0];
  if (own.getSha256() == file.getSha256()) {
    return annotate(question, key, schema::RunAnnotated::Kind::NOTE, file, fmt::format("also found at {}", quoted(file.getPath())));
  }
  return annotate(question, key, schema::RunAnnotated::Kind::PROBLEM, file,
                  fmt::format("run {} is also claimed by {} (sha256 {}), which differs from {} (sha256 {}); the first file is kept",
                              key.getRunNumber(), quoted(file.getPath()), short_hash(file.getSha256()), quoted(own.getPath()),
                              short_hash(own.getSha256())));
}

/// The variables the request may name: those of the version it repeats, or of the current script.
std::optional<Row<schema::VariableSet>> known_variables(const Question& question, schema::ReductionRequested::Reader wanted,
                                                        schema::RunRow::Reader run, schema::InstrumentRow::Reader instrument) {
  if (wanted.getScript() == schema::ReductionRequested::ScriptChoice::CURRENT) return script_defaults(question, instrument);
  uint16_t basis = wanted.getBasis() == 0 ? run.getVersion() : wanted.getBasis();
  if (basis == 0 || basis > run.getJobs().size()) return std::nullopt;
  auto job = find_job(question.rows, run.getJobs()[basis - 1]);
  if (!job) return std::nullopt;
  auto bytes = question.blob(job->get().getQueued().getVariables());
  if (!bytes) return std::nullopt;
  return Row<schema::VariableSet>(*bytes);
}

}  // namespace

Decided decide_detect(const Question& question, schema::RunDetected::Reader wanted) {
  auto key = wanted.getRun();
  LEDGER_CHECK(check_takes_files(question, view(key.getInstrument())));
  LEDGER_CHECK(check_run(key));
  auto files = wanted.getFiles();
  if (files.size() == 0 || files.size() > kMaxFilesPerRun) {
    return invalid(fmt::format("{}: {} raw files are given; a run has 1 to {}", run_words(key), files.size(), kMaxFilesPerRun));
  }
  for (auto file : files) {
    if (base::Status checked = check_file(file, true); !checked.is_ok()) return checked.in(run_words(key));
  }
  if (wanted.getProblems().size() > kMaxProblemsPerRun) {
    return invalid(fmt::format("{}: {} problems are given; at most {} are taken", run_words(key), wanted.getProblems().size(),
                               kMaxProblemsPerRun));
  }
  auto row = find_run(question.rows, view(key.getInstrument()), key.getRunNumber());
  if (!row || row->get().getState() == RunState::REFUSED) {
    Proposal proposal(question);
    proposal.add().setRunDetected(wanted);
    return proposal.take();
  }
  auto own = row->get().getRawFiles();
  bool own_path = own.size() > 0 && own[0].getPath() == files[0].getPath();
  return own_path ? decide_own_path(question, wanted, row->get()) : decide_other_path(question, wanted, row->get());
}

Decided decide_refuse_file(const Question& question, schema::RawFileRefused::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  LEDGER_CHECK(check_takes_files(question, name));
  if (base::Status checked = check_file(wanted.getFile(), false); !checked.is_ok()) return checked.in(name);
  LEDGER_CHECK(check_reason(wanted.getReason(), quoted(wanted.getFile().getPath())));
  if (wanted.getRunNumber() > kMaxRunNumber)
    return invalid(fmt::format("{}: run numbers end at {}; give 0 for none", name, kMaxRunNumber));
  if (auto known = find_file(question.rows, name, view(wanted.getFile().getPath()))) {
    auto row = known->get();
    auto file = wanted.getFile();
    if (row.getRefused() && row.getFile().getSizeBytes() == file.getSizeBytes() &&
        row.getFile().getModifiedAt() == file.getModifiedAt() && row.getFile().getSha256() == file.getSha256() &&
        row.getReason().getCode() == wanted.getReason().getCode()) {
      return nothing();
    }
  }
  Proposal proposal(question);
  proposal.add().setRawFileRefused(wanted);
  return proposal.take();
}

Decided decide_skip_run(const Question& question, schema::RunSkipped::Reader wanted) {
  auto row = known_run(question, wanted.getRun());
  if (!row.is_ok()) return row.status();
  auto run = row->get();
  LEDGER_CHECK(check_reason(wanted.getReason(), run_words(run.getRun())));
  uint64_t cause = question.command.getCause();
  bool asked = cause != 0 && (cause == run.getPendingRequest() || is_pending_trial(question.rows, cause, run.getRun()));
  bool revised = cause != 0 && cause == run.getRevisedSeq() && job_for_cause(question.rows, cause) == 0;
  if (run.getState() == RunState::REFUSED) {
    return refuse(Code::kConflict, run_words(run.getRun()), " is refused already; there is nothing to skip");
  }
  if (run.getVersion() > 0 && !asked && !revised) {
    return refuse(Code::kConflict, fmt::format("{} was reduced already (v{} {}); only a run without a version is skipped",
                                               run_words(run.getRun()), run.getVersion(), state_words(run.getState())));
  }
  if (!asked && run.getState() == RunState::SKIPPED && view(run.getReason().getCode()) == view(wanted.getReason().getCode()) &&
      view(run.getReason().getText()) == view(wanted.getReason().getText())) {
    return nothing();
  }
  Proposal proposal(question);
  proposal.add(cause).setRunSkipped(wanted);
  return proposal.take();
}

Decided decide_request(const Question& question, schema::ReductionRequested::Reader wanted) {
  auto row = known_run(question, wanted.getRun());
  if (!row.is_ok()) return row.status();
  auto run = row->get();
  std::string words = run_words(run.getRun());
  LEDGER_CHECK(check_not_refused(run));
  if (is_busy(run)) return refuse(Code::kConflict, busy_words(run), "; wait for it, or cancel it first");
  if (wanted.getBasis() > run.getJobs().size()) {
    return refuse(Code::kNotFound, fmt::format("{} has no v{}; {}", words, wanted.getBasis(),
                                               run.getVersion() == 0 ? "it has no version yet"
                                                                     : fmt::format("the latest is v{}", run.getVersion())));
  }
  if (wanted.getScript() == schema::ReductionRequested::ScriptChoice::STORED && run.getVersion() == 0) {
    return refuse(Code::kConflict, words, " was never reduced, so no script is stored with it; use the current script");
  }
  auto instrument = known_instrument(question, view(run.getRun().getInstrument()));
  if (!instrument.is_ok()) return instrument.status();
  LEDGER_CHECK(check_interpreter_name(instrument->get().getConfig(), wanted.getInterpreter()));
  LEDGER_CHECK(check_variables(wanted.getVariables()));
  Proposal proposal(question);
  auto requested = proposal.add();
  requested.setReductionRequested(wanted);
  if (auto known = known_variables(question, wanted, run, instrument->get())) {
    for (auto variable : requested.getReductionRequested().getVariables()) {
      auto group = match_variable(variable.asReader(), known->get(), view(run.getRun().getInstrument()));
      if (!group.is_ok()) return group.status();
      variable.setGroup(*group);
    }
  }
  return proposal.take();
}

}  // namespace ledger
