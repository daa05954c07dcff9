#include "daemons/worker/publication.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

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

}  // namespace

kj::Promise<void> publish(rpc::Loop& loop, Reporter& reporter, Publication publication) {
  return loop.on_pool([publication] { return move_into_place(publication); })
      .then([&reporter, publication](Moved moved) -> kj::Promise<void> {
        if (!moved.status.is_ok()) return report_failure(reporter, publication, moved);
        return reporter.published(publication.job, publication.attempt, publication.fence).then([publication](Status status) {
          if (!status.is_ok())
            spdlog::error("job {}, attempt {}: published, but {}", publication.job, publication.attempt, status.message());
        });
      });
}

}  // namespace daemons
