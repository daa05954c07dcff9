#include "rpc/service/status_answer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <vector>

#include "ledger/view_rows.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/presence.h"
#include "rpc/service/seen_rows.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

const char* health_word(ledger::Health::State state) {
  switch (state) {
    case ledger::Health::State::kOk: return "ok";
    case ledger::Health::State::kStorageLow: return "storage-low";
    case ledger::Health::State::kReadOnly: return "read-only";
  }
  return "unknown";
}

/// "view runs is folded again, 1024 of 5000 events are done; ..."; empty when none is.
std::string folding_words(const std::vector<ledger::ViewProgress>& views) {
  std::string words;
  for (const auto& view : views) {
    words += fmt::format("{}view {} is folded again, {} of {} events are done", words.empty() ? "" : "; ", view.view, view.folded, view.total);
  }
  return words;
}

/// Why the ledger is not as it should be: its storage, views being folded, a clock that went back, checkpoints that cannot be signed.
std::string detail_words(LedgerService& service, const ledger::Health& health) {
  std::vector<std::string> parts;
  if (!health.detail.empty()) parts.push_back(health.detail);
  if (const Following* following = service.following(); following && !following->detail.empty()) parts.push_back(following->detail);
  if (std::string folding = folding_words(service.ledger().rebuilding()); !folding.empty()) parts.push_back(std::move(folding));
  if (std::string clock = service.clock_problem(); !clock.empty()) parts.push_back(std::move(clock));
  const base::Status problem = service.witness() ? service.witness()->problem() : base::Status();
  if (!problem.is_ok()) parts.push_back("no checkpoint can be signed: " + problem.message());
  return fmt::format("{}", fmt::join(parts, "; "));
}

void write_following(const Following& following, schema::Status::Builder status) {
  auto follow = status.initFollow();
  follow.setSource(following.source);
  follow.setState(following.state);
  follow.setSince(following.since_ns);
  follow.setDetail(following.detail);
  follow.setSourceHead(following.source_head);
  follow.setCheckpointSize(following.checkpoint_size);
  follow.setCheckpointAt(following.checkpoint_at_ns);
}

void write_counts(const ledger::Snapshot& snapshot, const Sight& sight, schema::Status::Builder status) {
  const SeenCounts seen = seen_counts(snapshot, sight);
  auto counts = status.initCounts(seen.by_state.size());
  uint next = 0;
  for (uint64_t runs : seen.by_state) {
    counts[next].setState(static_cast<schema::RunState>(next));
    counts[next++].setRuns(runs);
  }
  auto rows = ledger::list_instruments(snapshot);
  std::erase_if(rows, [](const auto& row) { return row.get().getConfig().getRetired(); });
  auto instruments = status.initInstruments(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    auto row = rows[i].get();
    std::string name(view(row.getConfig().getInstrument()));
    instruments[i].setInstrument(name);
    instruments[i].setPaused(row.getPaused());
    if (sight.sees_anything()) instruments[i].setPauseReason(row.getPauseReason().getText());
    if (sight.sees_all_of(name)) {
      instruments[i].setLastRun(ledger::last_run(snapshot, name));
      instruments[i].setRuns(ledger::total_runs(snapshot, name));
      instruments[i].setWaiting(ledger::waiting_jobs(snapshot, name));
    } else if (const auto part = seen.parts.find(name); part != seen.parts.end()) {
      instruments[i].setLastRun(part->second.last_run);
      instruments[i].setRuns(part->second.runs);
      instruments[i].setWaiting(part->second.waiting);
    }
  }
}

/// Every daemon seen since this ledgerd started, and every worker that has joined and not left.
void write_daemons(LedgerService& service, const ledger::Snapshot& snapshot, schema::Status::Builder status) {
  std::map<std::string, Presence::Entry> entries = service.presence()->entries();
  for (const auto& row : ledger::list_workers(snapshot)) {
    if (row.get().getLeft() || service.following()) continue;  // in a copy they are the source's
    Presence::Entry& entry = entries["workerd/" + std::string(view(row.get().getWorker().getWorker()))];
    if (entry.last_seen_ns == 0) entry.last_seen_ns = service.started_at();
  }
  auto daemons = status.initDaemons(entries.size());
  uint next = 0;
  for (const auto& [name, entry] : entries) {
    daemons[next].setName(name);
    daemons[next].setConnected(entry.connections > 0);
    daemons[next].setLastSeenAt(entry.last_seen_ns);
    daemons[next++].setDetail(entry.detail);
  }
}

/// What is the same for everybody; `status` has the counts already, if there are any.
void write_ledger(LedgerService& service, schema::Status::Builder status) {
  const ledger::Health health = service.ledger().health();
  status.setHead(service.head());
  status.setLedger(health_word(health.state));
  status.setLedgerDetail(detail_words(service, health));
  status.setFacility(service.facility());
  status.setNow(service.clock().now_ns());
  status.setStartedAt(service.started_at());
  if (const Following* following = service.following()) {
    write_following(*following, status);
    if (following->state == schema::FollowState::STOPPED && health.state == ledger::Health::State::kOk) status.setLedger("stopped-following");
  }
  if (service.access().settings().enforced) service.access().write_status(status.initAccess());
}

/// All of it. Answers what reading it came to: kUnavailable, views are being folded, is said in the status itself.
base::Status write_status(LedgerService& service, const ledger::Snapshot& snapshot, const Sight& sight, schema::Status::Builder status) {
  write_ledger(service, status);
  write_counts(snapshot, sight, status);
  write_daemons(service, snapshot, status);
  if (snapshot.status().code() == base::Code::kUnavailable) {  // a view it reads is being folded; all the rest of it says so
    if (service.ledger().health().state == ledger::Health::State::kOk) status.setLedger("rebuilding");
    status.disownCounts();
    status.disownInstruments();
    status.disownDaemons();
  }
  return snapshot.status();
}

}  // namespace

kj::Promise<void> answer_status(const Viewpoint& from, const std::shared_ptr<Authority>& authority, StatusContext context) {
  const auto sight = authority->sight();
  LedgerService& service = from.service();
  if (from.is_past()) {
    return from.answer(context, [facility = service.facility(), sight](const ledger::Snapshot& snapshot, auto, auto results) {
      auto status = results.initStatus();
      status.setFacility(facility);
      status.setHead(snapshot.head());
      status.setNow(time_of(snapshot, snapshot.head()));
      write_counts(snapshot, *sight, status);
    });
  }
  if (sight->is_everything()) {
    const auto snapshot = from.snapshot();
    const base::Status read = write_status(service, *snapshot, *sight, context.getResults().initStatus());
    if (!read.is_ok() && read.code() != base::Code::kUnavailable) require_read(*snapshot);
    return kj::READY_NOW;
  }
  const auto count = [sight](const ledger::Snapshot& snapshot, auto, auto results) { write_counts(snapshot, *sight, results.initStatus()); };
  auto counted = counts_by_reading(*sight) ? from.answer_on_pool(context, count) : from.answer(context, count);
  return counted.then([&service, context]() mutable { write_ledger(service, context.getResults().getStatus()); });
}

}  // namespace rpc
