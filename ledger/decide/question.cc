#include "ledger/decide/question.h"

#include <fmt/format.h>

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

std::optional<Row<schema::VariableSet>> script_defaults(const Question& question, schema::InstrumentRow::Reader instrument) {
  auto bytes = question.blob(instrument.getScript().getDefaults());
  if (!bytes) return std::nullopt;
  return Row<schema::VariableSet>(*bytes);
}

base::Status check_script_files(const Question& question, capnp::List<schema::ScriptFile>::Reader files) {
  if (files.size() > kMaxScriptFiles)
    return invalid(fmt::format("{} files beside the script; at most {} are taken", files.size(), kMaxScriptFiles));
  for (auto file : files) {
    std::string_view name = view(file.getName());
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos) {
      return invalid("'", quoted(name), "' is no file name for a file beside the script");
    }
    LEDGER_CHECK(question.need_blob(file.getSha256(), "script file " + quoted(name)));
  }
  return base::Status::ok();
}

std::string version_words(schema::JobRow::Reader job) {
  auto runs = job.getQueued().getRuns();
  if (runs.size() == 0) return fmt::format("job {}", job.getJob());
  return fmt::format("{} v{}", run_words(runs[0]), job.getQueued().getVersion());
}

std::string_view state_words(schema::RunState state) {
  static constexpr std::string_view kWords[] = {"detected",  "refused", "held",    "queued",   "running",
                                                "succeeded", "failed",  "skipped", "cancelled"};
  auto index = static_cast<size_t>(state);
  return index < std::size(kWords) ? kWords[index] : "in an unknown state";
}

}  // namespace ledger
