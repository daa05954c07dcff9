#include "ledger/decide/question.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/sha256.h"
#include "base/text.h"

namespace ledger {

std::optional<std::string> Question::blob(capnp::Data::Reader sha256) const {
  if (sha256.size() == 0) return std::nullopt;
  if (auto stored = rows.blob(view(sha256))) return stored;
  for (auto bytes : command.getBlobs()) {
    if (base::as_bytes(base::sha256(view(bytes))) == view(sha256)) return std::string(view(bytes));
  }
  return std::nullopt;
}

bool Question::has_blob(capnp::Data::Reader sha256) const {
  if (sha256.size() == 0) return false;
  if (rows.has_blob(view(sha256))) return true;
  for (auto bytes : command.getBlobs()) {
    if (base::as_bytes(base::sha256(view(bytes))) == view(sha256)) return true;
  }
  return false;
}

base::Status Question::check_blob(capnp::Data::Reader sha256, std::string_view what) const {
  if (sha256.size() == 0 || has_blob(sha256)) return base::Status::ok();
  return invalid(what, " (sha256 ", base::hex(view(sha256)), ") is not stored; send its bytes with the command");
}

base::Status Question::need_blob(capnp::Data::Reader sha256, std::string_view what) const {
  if (sha256.size() == 0) return invalid(what, " is missing; send its bytes with the command and name them by their SHA-256");
  return check_blob(sha256, what);
}

std::string Question::actor_words() const {
  std::string_view name = view(context.actor.getName());
  return name.empty() ? "somebody unknown" : quoted(name, 100);
}

base::Result<Row<schema::InstrumentRow>> known_instrument(const Question& question, std::string_view name) {
  LEDGER_CHECK(check_instrument_name(name));
  auto row = find_instrument(question.rows, name);
  if (row) return std::move(*row);
  return refuse(base::Code::kNotFound, "no instrument ", name, " is configured; check its spelling, or add it to site.toml");
}

base::Result<Row<schema::RunRow>> known_run(const Question& question, schema::RunKey::Reader run) {
  LEDGER_CHECK(check_run(run));
  auto row = find_run(question.rows, view(run.getInstrument()), run.getRunNumber());
  if (row) return std::move(*row);
  return refuse(base::Code::kNotFound, run_words(run), " is not known; `runledger runs ", view(run.getInstrument()),
                "` lists those that are");
}

base::Result<Row<schema::JobRow>> known_job(const Question& question, uint64_t job) {
  auto row = find_job(question.rows, job);
  if (row) return std::move(*row);
  return refuse(base::Code::kNotFound, fmt::format("job {} is not known; `runledger status` shows what is queued", job));
}

base::Result<Row<schema::WorkerRow>> known_worker(const Question& question, std::string_view worker) {
  LEDGER_CHECK(check_worker_name(worker));
  auto row = find_worker(question.rows, worker);
  if (row) return std::move(*row);
  return refuse(base::Code::kNotFound, "worker ", worker, " has not joined; join first");
}

base::Result<Row<schema::CampaignRow>> known_campaign(const Question& question, uint64_t campaign) {
  auto row = find_campaign(question.rows, campaign);
  if (row) return std::move(*row);
  return refuse(base::Code::kNotFound, fmt::format("campaign {} is not known; `runledger campaign list` shows those there are", campaign));
}

base::Result<Row<schema::StageRow>> known_stage(const Question& question, std::string_view instrument, std::string_view stage) {
  auto row = find_stage(question.rows, instrument, stage);
  if (row) return std::move(*row);
  return refuse(base::Code::kNotFound, instrument, " has no stage ", quoted(stage, kMaxStageNameBytes), "; `runledger stage list ", instrument,
                "` shows those it has");
}

base::Status check_interpreter_name(schema::InstrumentConfigured::Reader config, capnp::Text::Reader name) {
  if (name.size() == 0 || name == "instrument") return base::Status::ok();
  std::string known = "instrument";
  for (auto interpreter : config.getInterpreters()) {
    if (interpreter.getName() == name) return base::Status::ok();
    known += ", " + quoted(interpreter.getName());
  }
  return invalid(view(config.getInstrument()), " has no interpreter ", quoted(name), "; it has ", known, ", more go into site.toml");
}

base::Status check_not_refused(schema::RunRow::Reader run) {
  if (run.getState() != schema::RunState::REFUSED) return base::Status::ok();
  return refuse(base::Code::kConflict, run_words(run.getRun()), " has no file that can be reduced: ", quoted(run.getReason().getText()));
}

bool is_busy(schema::RunRow::Reader run) {
  using schema::RunState;
  const auto state = run.getState();
  const bool open = state == RunState::QUEUED || state == RunState::HELD || state == RunState::RUNNING;
  return run.getPendingRequest() != 0 || (run.getVersion() > 0 && open);
}

std::string busy_words(schema::RunRow::Reader run) {
  if (run.getPendingRequest() != 0) {
    return fmt::format("{}: the reduction asked for by event {} is about to be queued", run_words(run.getRun()), run.getPendingRequest());
  }
  return fmt::format("{} v{} is still {}", run_words(run.getRun()), run.getVersion(), state_words(run.getState()));
}

std::optional<Row<schema::VariableSet>> script_defaults(const Question& question, schema::InstrumentRow::Reader instrument) {
  auto bytes = question.blob(instrument.getScript().getDefaults());
  if (!bytes) return std::nullopt;
  return Row<schema::VariableSet>(*bytes);
}

namespace {

/// A path below a folder: parts between single slashes, none of them "." or "..".
bool is_path_below(std::string_view name) {
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

}  // namespace

base::Status check_script_files(const Question& question, capnp::List<schema::ScriptFile>::Reader files) {
  if (files.size() > kMaxScriptFiles)
    return invalid(fmt::format("{} files beside the script; at most {} are taken", files.size(), kMaxScriptFiles));
  std::set<std::string_view> names;
  for (auto file : files) {
    std::string_view name = view(file.getName());
    if (!is_path_below(name)) {
      return invalid("'", quoted(name), "' is no name for a file beside the script; give its path below the script's folder");
    }
    if (!names.insert(name).second) return invalid("script file ", quoted(name), " is given twice; give it once");
    LEDGER_CHECK(question.need_blob(file.getSha256(), "script file " + quoted(name)));
  }
  return base::Status::ok();
}

std::string reason_text(const Question& question, schema::Reason::Reader reason, std::string_view did, std::string_view subject) {
  std::string text = fmt::format("{} {} {}", question.actor_words(), did, subject);
  if (reason.getText().size() > 0) text += ": " + quoted(view(reason.getText()), kMaxTextBytes);
  return text;
}

std::string runs_words(capnp::List<schema::RunKey>::Reader runs) {
  if (runs.size() == 0) return "no run";
  if (runs.size() == 1) return run_words(runs[0]);
  return fmt::format("{} to {} ({} runs)", run_words(runs[0]), runs[runs.size() - 1].getRunNumber(), runs.size());
}

std::string version_words(schema::JobRow::Reader job) {
  auto queued = job.getQueued();
  if (queued.getRuns().size() == 0) return fmt::format("job {}", job.getJob());
  const std::string runs = runs_words(queued.getRuns());
  switch (queued.getKind()) {
    case schema::JobKind::REDUCTION: break;
    case schema::JobKind::STAGE:
      return fmt::format("{} {} v{}", runs, quoted(view(queued.getStage()), kMaxStageNameBytes), queued.getVersion());
    case schema::JobKind::TRIAL: return fmt::format("the trial on {} (job {})", runs, job.getJob());
  }
  return fmt::format("{} v{}", run_words(queued.getRuns()[0]), queued.getVersion());
}

std::string_view state_words(schema::RunState state) {
  static constexpr std::string_view kWords[] = {"detected",  "refused", "held",    "queued",   "running",
                                                "succeeded", "failed",  "skipped", "cancelled"};
  auto index = static_cast<size_t>(state);
  return index < std::size(kWords) ? kWords[index] : "in an unknown state";
}

}  // namespace ledger
