#include "daemons/worker/reporter.h"

#include <fmt/format.h>

#include "base/reduction_log.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ledger/canonical.h"

namespace daemons {
namespace {

using base::Code;
using base::Result;
using base::Status;
using Outcome = schema::AttemptRow::Outcome;

constexpr size_t kMessageBytes = 2000;

std::string command_id(uint64_t fence, std::string_view what) { return fmt::format("workerd/{}/{}", fence, what); }

/// Text for the record: UTF-8, of bounded length, never empty.
std::string sentence(const std::string& text) {
  std::string clean = base::to_utf8(text, kMessageBytes);
  return clean.empty() ? "no message" : clean;
}

/// Adds a blob to the list and returns its name; empty text has none.
std::string named(const std::string& bytes, std::vector<std::string_view>& blobs) {
  if (bytes.empty()) return {};
  blobs.push_back(bytes);
  return std::string(base::as_bytes(base::sha256(bytes)));
}

void write_outputs(const ReportedOutputs& outputs, std::vector<std::string_view>& blobs, schema::OutputSummary::Builder summary) {
  summary.setManifest(ledger::data(named(outputs.manifest, blobs)));
  summary.setFiles(outputs.files);
  summary.setTotalBytes(outputs.total_bytes);
  summary.setDirectory(base::to_utf8(outputs.directory));
  summary.setOutside(outputs.outside);
  summary.setRemarks(outputs.remarks);
}

}  // namespace

ReportedOutputs ReportedOutputs::of(const OutputRecord& record, const std::string& directory) {
  ReportedOutputs outputs{record.manifest(), 0, 0, directory, static_cast<uint32_t>(record.outside.size()),
                          static_cast<uint32_t>(record.remarks.size())};
  for (const OutputEntry& file : record.listing.files) {
    if (base::is_reduction_log(file.path)) continue;
    outputs.files += 1;
    outputs.total_bytes += file.size_bytes;
  }
  return outputs;
}

kj::Promise<Result<bool>> Reporter::succeeded(const AttemptPlan& plan, const ReportedOutputs& outputs, const std::string& message,
                                              const std::string& log) {
  Command command(command_id(plan.fence, "succeed"), plan.fence);
  std::vector<std::string_view> blobs;
  auto body = command.body().initSucceedAttempt();
  body.setJob(plan.job);
  body.setAttempt(plan.attempt);
  body.setFence(plan.fence);
  write_outputs(outputs, blobs, body.initOutputs());
  body.setLog(ledger::data(named(log, blobs)));
  body.setStaging(plan.staging());
  body.setMessage(base::to_utf8(message, kMessageBytes));
  command.attach(blobs);
  return send(kj::mv(command), plan.job, plan.fence, Outcome::PUBLISHING);
}

kj::Promise<Result<bool>> Reporter::failed(const AttemptPlan& plan, const AttemptVerdict& verdict, const ReportedOutputs& outputs,
                                           const std::string& log, std::string_view word) {
  Command command(command_id(plan.fence, word), plan.fence);
  std::vector<std::string_view> blobs;
  auto body = command.body().initFailAttempt();
  body.setJob(plan.job);
  body.setAttempt(plan.attempt);
  body.setFence(plan.fence);
  body.setKind(verdict.kind);
  body.setMessage(sentence(verdict.message));
  body.setTraceback(ledger::data(named(verdict.traceback, blobs)));
  body.setLog(ledger::data(named(log, blobs)));
  if (!outputs.directory.empty() || !outputs.manifest.empty()) write_outputs(outputs, blobs, body.initOutputs());
  body.setExitStatus(verdict.wait_status);
  command.attach(blobs);
  return send(kj::mv(command), plan.job, plan.fence, Outcome::FAILED);
}

kj::Promise<Result<bool>> Reporter::skipped(const AttemptPlan& plan, const std::string& text, const std::string& log) {
  Command command(command_id(plan.fence, "skip"), plan.fence);
  std::vector<std::string_view> blobs;
  auto body = command.body().initSkipAttempt();
  body.setJob(plan.job);
  body.setAttempt(plan.attempt);
  body.setFence(plan.fence);
  body.getReason().setCode("skipped_by_script");
  body.getReason().setText(sentence(text));
  body.setLog(ledger::data(named(log, blobs)));
  command.attach(blobs);
  return send(kj::mv(command), plan.job, plan.fence, Outcome::SKIPPED);
}

kj::Promise<Status> Reporter::published(uint64_t job, uint16_t attempt, uint64_t fence) {
  Command command(command_id(fence, "publish"), fence);
  auto body = command.body().initPublishJob();
  body.setJob(job);
  body.setAttempt(attempt);
  body.setFence(fence);
  return submit(kj::mv(command)).then([](CommandAnswer answer) { return answer.status; });
}

kj::Promise<Result<bool>> Reporter::send(Command command, uint64_t job, uint64_t fence, Outcome wanted) {
  return submit(kj::mv(command)).then([this, job, fence, wanted](CommandAnswer answer) -> kj::Promise<Result<bool>> {
    if (answer.status.code() == Code::kNotFound || answer.status.code() == Code::kConflict) return Result<bool>(false);
    if (!answer.status.is_ok()) return Result<bool>(answer.status);
    // A late result is taken too, but only into the record: what counts is how the attempt stands now.
    return standing(job, fence).then([wanted](Result<Outcome> outcome) -> Result<bool> {
      if (!outcome.is_ok()) return false;
      return *outcome == wanted || (wanted == Outcome::PUBLISHING && *outcome == Outcome::SUCCEEDED);
    });
  });
}

kj::Promise<Result<Outcome>> Reporter::standing(uint64_t job, uint64_t fence) {
  auto request = port_.jobRequest();
  request.setJob(job);
  return request.send().then([fence](auto&& response) -> Result<Outcome> {
    for (auto attempt : response.getJob().getAttempts()) {
      if (attempt.getFence() == fence) return attempt.getOutcome();
    }
    return Status(Code::kNotFound, "no such attempt");
  });
}

}  // namespace daemons
