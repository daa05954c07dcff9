// The ledger itself: what was lost and accepted, what is erased, what is forgotten.
#include <fmt/format.h>

#include <set>

#include "base/text.h"
#include "ledger/decide/question.h"
#include "ledger/views/queue.h"

namespace ledger {
namespace {

constexpr size_t kSha256Bytes = 32;

/// Documents that a job that is not over still needs, and plans of campaigns that have not finished.
std::set<std::string, std::less<>> needed_blobs(const Question& question) {
  std::set<std::string, std::less<>> needed;
  question.rows.scan(ViewId::kQueue, QueueView::job_key(0), [&](std::string_view key, std::string_view) {
    if (!key.starts_with('j')) return false;
    if (const auto job = find_job(question.rows, read_u64(key, 1))) {
      const auto queued = job->get().getQueued();
      needed.emplace(view(queued.getScriptSha256()));
      needed.emplace(view(queued.getVariables()));
      needed.emplace(view(queued.getSources()));
      for (auto sibling : queued.getSiblings()) needed.emplace(view(sibling.getSha256()));
      for (auto file : queued.getSupportFiles()) needed.emplace(view(file.getSha256()));
    }
    return true;
  });
  for (const uint64_t id : open_campaigns(question.rows)) {
    if (const auto campaign = find_campaign(question.rows, id)) needed.emplace(view(campaign->get().getStarted().getPlan()));
  }
  return needed;
}

}  // namespace

/// promisedEvents 0: nobody knows what was promised, because HEAD is lost too.
Decided decide_accept_loss(const Question& question, schema::LossAccepted::Reader wanted) {
  const uint64_t head = question.context.next_seq - 1;
  if (wanted.getKeptEvents() != head) {
    return refuse(base::Code::kConflict, fmt::format("a loss down to {} events cannot be accepted: the log holds {}", wanted.getKeptEvents(), head));
  }
  if (wanted.getPromisedEvents() != 0 && wanted.getPromisedEvents() <= head) return invalid("nothing is lost: ", std::to_string(wanted.getPromisedEvents()), " events were promised, all are there");
  LEDGER_CHECK(check_reason(wanted.getReason(), "acceptLoss"));
  Proposal proposal(question);
  proposal.add().setLossAccepted(wanted);
  return proposal.take();
}

Decided decide_erase_blobs(const Question& question, schema::BlobsErased::Reader wanted) {
  const auto blobs = wanted.getBlobs();
  if (blobs.size() == 0 || blobs.size() > kMaxErasedBlobs) {
    return invalid(fmt::format("{} documents are named; erase 1 to {} at once", blobs.size(), kMaxErasedBlobs));
  }
  LEDGER_CHECK(check_reason(wanted.getReason(), "eraseBlobs"));
  const auto needed = needed_blobs(question);
  std::set<std::string, std::less<>> named;
  Proposal proposal(question);
  auto erased = proposal.add().initBlobsErased();
  erased.setReason(wanted.getReason());
  auto list = erased.initBlobs(blobs.size());
  for (uint32_t i = 0; i < blobs.size(); ++i) {
    const std::string sha256(view(blobs[i].getSha256()));
    if (sha256.size() != kSha256Bytes) return invalid("a document is named by its SHA-256, 32 bytes");
    if (!named.insert(sha256).second) return invalid("document ", base::hex(sha256), " is named twice");
    const auto bytes = question.rows.blob(sha256);
    if (!bytes) return refuse(base::Code::kNotFound, fmt::format("document {}: not in this ledger (any more)", base::hex(sha256)));
    if (needed.contains(sha256)) {
      return refuse(base::Code::kConflict,
                    fmt::format("document {} is needed by a job or a campaign that is not over; cancel the job, stop the campaign, or wait for the end", base::hex(sha256)));
    }
    list[i].setSha256(blobs[i].getSha256());
    list[i].setSizeBytes(bytes->size());
  }
  return proposal.take();
}

Decided decide_forget_commands(const Question& question, schema::CommandsForgotten::Reader wanted) {
  const uint64_t head = question.context.next_seq - 1;
  if (wanted.getUpTo() == 0 || wanted.getUpTo() > head) {
    return invalid(fmt::format("records up to event {} cannot be forgotten: the log holds events 1 to {}", wanted.getUpTo(), head));
  }
  LEDGER_CHECK(check_reason(wanted.getReason(), "forgetCommands"));
  Proposal proposal(question);
  proposal.add().setCommandsForgotten(wanted);
  return proposal.take();
}

}  // namespace ledger
