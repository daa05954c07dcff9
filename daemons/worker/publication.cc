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

Moved move_into_place(const Publication& publication) {
  if (folder_state(publication.staging) == FolderState::kMissing) {
    if (folder_state(publication.final) != FolderState::kMissing) return {};  // renamed before, and not yet reported
    return {{Code::kNotFound, publication.staging + ": is gone, and with it the output; reduce the run again"}, {}};
  }
  Moved moved{publish_folder(publication.staging, publication.final), {}};
  if (moved.status.is_ok()) return moved;
  auto kept = keep_folder(publication.staging, fmt::format("{}.failed-attempt-{}", publication.final, publication.attempt),
                          publication.fence);
  moved.left = kept.is_ok() ? *kept : publication.staging;
  return moved;
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
