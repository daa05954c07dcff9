#include "rpc/service/campaign_report.h"

#include <fmt/format.h>

#include <optional>

#include "ledger/output_compare.h"
#include "rpc/service/answers.h"
#include "rpc/service/seen_campaigns.h"
#include "rpc/service/seen_page.h"
#include "schema/document.capnp.h"

namespace rpc {
namespace {

using Outcome = schema::ComparedRun::Outcome;
using JobRow = ledger::Row<schema::JobRow>;
using Manifest = ledger::Row<schema::OutputManifest>;
constexpr size_t kFilesAPage = 50'000;

struct Compared {
  schema::RunKey::Reader run;
  uint16_t before = 0, after = 0;
  Outcome outcome = Outcome::UNFINISHED;
  ledger::OutputDifference difference = {};
};

Outcome outcome_of(schema::RunState state) {
  switch (state) {
    case schema::RunState::SUCCEEDED: return Outcome::SAME;  // as far as that
    case schema::RunState::FAILED:
    case schema::RunState::SKIPPED:
    case schema::RunState::CANCELLED: return Outcome::FAILED;
    default: return Outcome::UNFINISHED;
  }
}

/// The newest version before `job` that succeeded.
std::optional<JobRow> result_before(const ledger::RowReader& rows, schema::RunKey::Reader key, uint64_t job) {
  const auto run = ledger::find_run(rows, view(key.getInstrument()), key.getRunNumber());
  if (!run) return std::nullopt;
  const auto jobs = run->get().getJobs();
  for (uint32_t i = jobs.size(); i > 0; --i) {
    if (jobs[i - 1] >= job) continue;
    auto row = ledger::find_job(rows, jobs[i - 1]);
    if (row && row->get().getState() == schema::RunState::SUCCEEDED) return row;
  }
  return std::nullopt;
}

/// SHA-256 of the list of what it wrote; empty = it wrote nothing.
std::string_view manifest_of(schema::JobRow::Reader job) {
  const auto attempts = job.getAttempts();
  for (uint32_t i = attempts.size(); i > 0; --i) {
    if (attempts[i - 1].getOutcome() == schema::AttemptRow::Outcome::SUCCEEDED) return view(attempts[i - 1].getOutputs().getManifest());
  }
  return {};
}

/// nullopt: it is erased.
std::optional<Manifest> read_manifest(const ledger::RowReader& rows, std::string_view sha256) {
  if (sha256.empty()) return Manifest(std::string_view());
  const auto bytes = rows.blob(sha256);
  if (!bytes) return std::nullopt;
  return Manifest(*bytes);
}

/// Answers how many files it looked at.
size_t compare(const ledger::RowReader& rows, schema::JobRow::Reader before, schema::JobRow::Reader after, Compared& compared) {
  const auto old = read_manifest(rows, manifest_of(before)), fresh = read_manifest(rows, manifest_of(after));
  if (!old || !fresh) {
    compared.outcome = Outcome::DIFFERS;
    compared.difference.paths.push_back(fmt::format("? the list of the files of v{} is erased", old ? compared.after : compared.before));
    return 0;
  }
  compared.difference = ledger::compare_outputs(old->get(), fresh->get());
  if (!compared.difference.is_same()) compared.outcome = Outcome::DIFFERS;
  return old->get().getFiles().size() + fresh->get().getFiles().size();
}

void write(const Compared& compared, schema::ComparedRun::Builder to) {
  to.setRun(compared.run);
  to.setBefore(compared.before);
  to.setAfter(compared.after);
  to.setOutcome(compared.outcome);
  to.setEqual(compared.difference.equal);
  to.setChanged(compared.difference.changed);
  to.setAdded(compared.difference.added);
  to.setMissing(compared.difference.missing);
  to.setBytesBefore(compared.difference.bytes_before);
  to.setBytesAfter(compared.difference.bytes_after);
  auto paths = to.initPaths(static_cast<uint32_t>(compared.difference.paths.size()));
  for (uint32_t i = 0; i < paths.size(); ++i) paths.set(i, compared.difference.paths[i]);
}

}  // namespace

std::string write_report(const ledger::RowReader& rows, const Sight& sight, uint64_t campaign, size_t limit, std::string_view after,
                         schema::Campaigns::ReportResults::Builder results) {
  std::vector<ledger::Row<schema::CampaignRunRow>> made;
  std::vector<Compared> page;
  std::string next;
  size_t files = 0;
  const auto list = [&](size_t most, std::string_view from) { return ledger::campaign_runs(rows, campaign, most, from); };
  each_row(list, after, [&](ledger::Row<schema::CampaignRunRow> row, const std::string& at) {
    if (row.get().getJob() == 0 || !sees(rows, sight, row.get())) return true;
    if (page.size() == limit || files >= kFilesAPage) {
      next = at;
      return false;
    }
    made.push_back(std::move(row));
    const auto run = made.back().get();
    Compared compared{run.getRun(), 0, run.getVersion(), outcome_of(run.getState())};
    const auto before = result_before(rows, run.getRun(), run.getJob());
    if (before) compared.before = before->get().getQueued().getVersion();
    if (compared.outcome == Outcome::SAME) {
      const auto job = ledger::find_job(rows, run.getJob());
      if (!before) {
        compared.outcome = Outcome::ONLY_AFTER;
      } else if (job) {
        files += compare(rows, before->get(), job->get(), compared);
      }
    }
    page.push_back(std::move(compared));
    return true;
  });
  auto runs = results.initRuns(static_cast<uint32_t>(page.size()));
  for (uint32_t i = 0; i < runs.size(); ++i) write(page[i], runs[i]);
  return next;
}

}  // namespace rpc
