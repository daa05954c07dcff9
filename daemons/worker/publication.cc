#include "daemons/worker/publication.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/text.h"
#include "daemons/worker/extra_copies.h"
#include "daemons/worker/flat_links.h"
#include "ledger/canonical.h"
#include "rpc/answers.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;

struct Moved {
  Status status;
  std::string left;  // where the output lies when it could not get its name
};

/// Where the output is kept when its place is taken.
std::string aside(const Publication& publication) { return fmt::format("{}.failed-attempt-{}", publication.final, publication.attempt); }

/// What became of a staging directory that is not there any more: somebody has been here, a worker that ended then or one that
/// publishes the same attempt at this moment.
Moved what_was_made_of_it(const Publication& publication) {
  for (const std::string& kept : {aside(publication), fmt::format("{}.{}", aside(publication), publication.fence)}) {
    if (folder_state(kept) == FolderState::kMissing) continue;
    return {{Code::kAlreadyExists, publication.final + ": already existed, and output is never overwritten; reduce the run again"}, kept};
  }
  if (folder_state(publication.final) != FolderState::kMissing) return {};
  return {{Code::kNotFound, publication.staging + ": is gone, and with it the output; reduce the run again"}, {}};
}

Moved move_into_place(const Publication& publication) {
  if (folder_state(publication.staging) == FolderState::kMissing) return what_was_made_of_it(publication);
  Status renamed = publish_folder(publication.staging, publication.final);
  if (renamed.is_ok()) return {};
  if (folder_state(publication.staging) == FolderState::kMissing) return what_was_made_of_it(publication);
  auto kept = keep_folder(publication.staging, aside(publication), publication.fence);
  return {renamed, kept.is_ok() ? *kept : publication.staging};
}

/// After the rename: the copies, and nothing left over where there is no output.
void settle_copies(const Publication& publication, const Moved& moved) {
  if (moved.status.is_ok()) {
    finish_copies(publication.staging, publication.final);
  } else {
    drop_copies(publication.staging);
  }
}

kj::Promise<void> report_failure(Reporter& reporter, const Publication& publication, const Moved& moved) {
  AttemptPlan plan;
  plan.job = publication.job;
  plan.attempt = publication.attempt;
  plan.fence = publication.fence;
  ReportedOutputs left;
  left.directory = moved.left;
  return reporter.failed(plan, AttemptVerdict::failed(schema::FailureKind::OUTPUT, moved.status.message()), left, {})
      .then([](base::Result<bool> taken) {
        if (!taken.is_ok()) spdlog::error("a failed publication was not taken: {}", taken.status().message());
      });
}

VersionFolders version_folders(capnp::List<schema::JobRow>::Reader jobs) {
  VersionFolders folders;
  for (auto job : jobs) {
    if (job.getQueued().getKind() != schema::JobKind::REDUCTION) continue;
    std::string directory(ledger::view(job.getQueued().getOutputDirectory()));
    while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
    folders[job.getQueued().getVersion()] = std::move(directory);
  }
  return folders;
}

/// What cannot be linked is said in the daemon log: the result is what it is without it.
kj::Promise<void> refresh_links(rpc::Loop& loop, schema::Runs::Client runs, const Publication& publication) {
  if (publication.flat_folder.empty()) return kj::READY_NOW;
  auto request = runs.showRequest();
  request.initRun().setInstrument(publication.instrument);
  request.getRun().setRunNumber(publication.run_number);
  return request.send().then([&loop, publication](auto&& response) -> kj::Promise<void> {
    if (base::Status status = rpc::status_of(response.getRefusal()); !status.is_ok()) {
      spdlog::warn("{}: its files are not linked: {}", base::printable(publication.flat_folder), base::printable(status.message()));
      return kj::READY_NOW;
    }
    VersionFolders versions = version_folders(response.getVersions());
    versions[publication.version] = publication.final;
    auto refresh = [publication, versions = std::move(versions)] {
      return refresh_flat_links(publication.flat_folder, publication.version, versions);
    };
    return loop.on_pool(std::move(refresh)).then([](std::vector<std::string> problems) {
      for (const std::string& problem : problems) spdlog::warn("not linked: {}", base::printable(problem));
    });
  });
}

}  // namespace

Publication Publication::of(const AttemptPlan& plan, const std::string& staging) {
  bool linked = plan.kind == schema::JobKind::REDUCTION;
  return {plan.job,          plan.attempt, plan.fence, staging, plan.output_directory, plan.instrument, plan.run_number(),
          plan.version, linked ? plan.flat_folder : ""};
}

kj::Promise<void> publish(rpc::Loop& loop, schema::Runs::Client runs, Reporter& reporter, Publication publication) {
  auto move = [publication] {
    Moved moved = move_into_place(publication);
    settle_copies(publication, moved);
    return moved;
  };
  return loop.on_pool(move).then([&loop, runs, &reporter, publication](Moved moved) mutable -> kj::Promise<void> {
    if (!moved.status.is_ok()) return report_failure(reporter, publication, moved);
    return refresh_links(loop, runs, publication)
        .then([&reporter, publication] { return reporter.published(publication.job, publication.attempt, publication.fence); })
        .then([publication](Status status) {
          if (!status.is_ok())
            spdlog::error("job {}, attempt {}: published, but {}", publication.job, publication.attempt, status.message());
        });
  });
}

}  // namespace daemons
