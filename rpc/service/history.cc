#include "rpc/service/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "ledger/event_bytes.h"
#include "ledger/recorded_subjects.h"
#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/event_filter.h"
#include "rpc/service/seen_campaigns.h"
#include "rpc/service/seen_rows.h"

namespace rpc {
namespace {

/// How much of what is about a subject a caller sees.
enum class Extent { kAll, kNothing, kSome };
struct Seen {
  Extent extent = Extent::kAll;
  std::optional<Resource> hidden = {};  // there, and not to be told of
};

Seen seen_of(const ledger::Snapshot& snapshot, const Caller& caller, const Sight& sight, schema::Subject::Reader subject) {
  if (sight.is_everything()) return {};
  switch (subject.which()) {
    case schema::Subject::RUN: {
      const auto run = ledger::find_run(snapshot, view(subject.getRun().getInstrument()), subject.getRun().getRunNumber());
      if (!run) return {Extent::kNothing};
      return sees(sight, run->get()) ? Seen() : Seen{Extent::kNothing, resource_of(run->get())};
    }
    case schema::Subject::JOB: {
      const auto job = ledger::find_job(snapshot, subject.getJob());
      if (!job) return {Extent::kNothing};
      return sees(snapshot, sight, job->get()) ? Seen() : Seen{Extent::kNothing, resource_of(snapshot, job->get())};
    }
    case schema::Subject::CAMPAIGN: {
      const auto campaign = ledger::find_campaign(snapshot, subject.getCampaign());
      if (!campaign || sees(caller, campaign->get())) return {Extent::kSome};
      return {Extent::kNothing, resource_of(caller, Action::kSeeCampaign, campaign->get())};
    }
    case schema::Subject::EXPERIMENT: return {sight.sees_all_of_experiment(view(subject.getExperiment())) ? Extent::kAll : Extent::kSome};
    default: return {Extent::kSome};
  }
}

struct History {
  std::vector<kj::Array<capnp::word>> events;
  uint64_t next = 0;
  base::Status status;
};

History read_all(const ledger::Snapshot& snapshot, const std::string& key, uint64_t after, size_t limit) {
  History history;
  const std::vector<uint64_t> seqs = snapshot.subject(key, after + 1, limit);
  for (const uint64_t seq : seqs) {
    auto event = snapshot.event(seq);
    if (!event.is_ok()) return {{}, 0, event.status()};
    history.events.push_back(std::move(*event));
  }
  if (seqs.size() == limit) history.next = seqs.back();
  return history;
}

/// Those that are seen. A page ends at the last of them, or at a place that does not depend on what lies there: its end tells nothing of the rest.
History read_seen(const ledger::Snapshot& snapshot, const EventSight& sight, const std::string& key, uint64_t after, size_t limit) {
  constexpr uint64_t kSeqsAPage = 65536;
  constexpr size_t kSeqsARead = 1000;
  History history;
  ledger::RecordedSubjects subjects;
  const uint64_t to = std::min(after > UINT64_MAX - kSeqsAPage ? UINT64_MAX : after + kSeqsAPage, snapshot.head());
  for (uint64_t from = after + 1; from <= to;) {
    const std::vector<uint64_t> seqs = snapshot.subject(key, from, kSeqsARead);
    for (const uint64_t seq : seqs) {
      if (seq > to) break;
      auto event = snapshot.event(seq);
      if (!event.is_ok()) return {{}, 0, event.status()};
      ledger::StoredEvent stored(*event);
      const auto about = subjects.of(snapshot, stored.get());
      if (!about.is_ok()) return {{}, 0, about.status()};
      if (!sight.sees(stored.get().getBody().which(), *about)) continue;
      history.events.push_back(std::move(*event));
      if (history.events.size() == limit) {
        history.next = seq;
        return history;
      }
    }
    if (seqs.size() < kSeqsARead) break;
    from = seqs.back() + 1;
  }
  if (to < snapshot.head()) history.next = to;
  return history;
}

/// One event, if it is seen; who does not see everything is not told whether one is there.
History read_one(const ledger::Snapshot& snapshot, const EventSight& sight, uint64_t seq, std::optional<Resource>& hidden) {
  ledger::RecordedSubjects subjects;
  bool is_hidden = false;
  auto event = seen_event(snapshot, sight, seq, subjects, is_hidden);
  if (is_hidden) hidden = Resource{.what = fmt::format("event {}", seq)};
  History history;
  history.status = event.status();
  if (event.is_ok()) history.events.push_back(std::move(*event));
  return history;
}

/// kOk where the subject may be asked about; what of it is seen is another question.
base::Status may_ask_about(Authority& authority, schema::Subject::Reader subject) {
  switch (subject.which()) {
    case schema::Subject::ACTOR: return authority.require(Action::kSeeAccount, {.account = std::string(view(subject.getActor()))});
    case schema::Subject::WORKER: return authority.require(Action::kSeeWorkers);
    case schema::Subject::DENIALS: return authority.require(Action::kAudit);
    default: return base::Status::ok();
  }
}

}  // namespace

kj::Promise<void> answer_history(const Viewpoint& from, const std::shared_ptr<Authority>& authority, HistoryContext context) {
  auto subject = context.getParams().getSubject();
  if (base::Status status = may_ask_about(*authority, subject); !status.is_ok()) {
    write_refusal(status, context.getResults().initRefusal());
    return kj::READY_NOW;
  }
  auto hidden = std::make_shared<std::optional<Resource>>();
  auto read = [caller = authority->caller(), sight = authority->sight(), event_sight = authority->event_sight(), hidden](const ledger::Snapshot& snapshot, auto params, auto results) {
    const size_t limit = page_size(params.getLimit(), 500, 5000);
    const auto about = params.getSubject();
    History history;
    if (about.isSeq()) {
      history = read_one(snapshot, *event_sight, about.getSeq(), *hidden);
    } else {
      const Seen seen = seen_of(snapshot, caller, *sight, about);
      *hidden = seen.hidden;
      if (seen.extent == Extent::kAll) history = read_all(snapshot, subject_key(about), params.getAfter(), limit);
      if (seen.extent == Extent::kSome) history = read_seen(snapshot, *event_sight, subject_key(about), params.getAfter(), limit);
    }
    if (!history.status.is_ok()) return write_refusal(history.status, results.initRefusal());
    auto events = results.initEvents(history.events.size());
    for (size_t i = 0; i < history.events.size(); ++i) events.set(i, history.events[i].asBytes());
    results.setNext(history.next);
  };
  if (authority->event_sight()->is_everything()) return from.answer(context, std::move(read));
  const Action seeing = subject.isCampaign() ? Action::kSeeCampaign : Action::kSeeRun;
  auto told = [authority, hidden, seeing](auto results) {
    if (*hidden) authority->hide(seeing, **hidden);
    for (auto event : results.getEvents()) {
      ledger::Row<schema::Event> row(view(event));
      authority->hand_out_event(row.get());
    }
  };
  return from.answer_on_pool(context, std::move(read), std::move(told));
}

}  // namespace rpc
