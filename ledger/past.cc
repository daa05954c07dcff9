#include "ledger/past.h"

#include <capnp/dynamic.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/subjects.h"
#include "ledger/views/edit.h"
#include "ledger/views/experiments.h"
#include "ledger/views/instruments.h"
#include "ledger/views/jobs.h"
#include "ledger/views/queue.h"
#include "ledger/views/runs.h"

namespace ledger {
namespace {

constexpr size_t kEventsAPage = 1000;
constexpr size_t kRecent = 16;
constexpr ViewId kRunViews[] = {ViewId::kRuns, ViewId::kJobs, ViewId::kQueue, ViewId::kExperiments};
constexpr ViewId kSettingsViews[] = {ViewId::kInstruments, ViewId::kVariables, ViewId::kStages, ViewId::kSupportFiles};
constexpr ViewId kExperimentViews[] = {ViewId::kExperiments};
constexpr ViewId kCampaignViews[] = {ViewId::kCampaigns};
constexpr ViewId kCampaignOwnerViews[] = {ViewId::kJobs};

const View& view_of(ViewId id) {
  for (const View* each : views()) {
    if (each->id() == id) return *each;
  }
  throw std::logic_error("no such view");
}

/// What an event is about, as far as it concerns runs. 0 and empty: nothing.
struct Touched {
  uint64_t job = 0;
  std::string run_key;
};
Touched touched_by(schema::Event::Reader event) {
  const capnp::DynamicStruct::Reader body = capnp::toDynamic(event.getBody());
  KJ_IF_MAYBE (member, body.which()) {
    if (member->getType().which() != capnp::schema::Type::STRUCT) return {};
    if (event.getBody().isJobQueued()) {
      const auto runs = event.getBody().getJobQueued().getRuns();
      if (runs.size() == 0) return {};
      return {event.getSeq(), run_key(view(runs[0].getInstrument()), runs[0].getRunNumber())};
    }
    if (event.getBody().isRawFileRefused()) {
      const auto refused = event.getBody().getRawFileRefused();
      if (refused.getRunNumber() == 0) return {};
      return {0, run_key(view(refused.getInstrument()), refused.getRunNumber())};
    }
    const auto what = body.get(*member).as<capnp::DynamicStruct>();
    KJ_IF_MAYBE (field, what.getSchema().findFieldByName("job")) {
      return {what.get(*field).as<uint64_t>(), {}};
    }
    KJ_IF_MAYBE (field, what.getSchema().findFieldByName("run")) {
      const auto run = what.get(*field).as<schema::RunKey>();
      return {0, run_key(view(run.getInstrument()), run.getRunNumber())};
    }
  }
  return {};
}

std::string subject_of_run(std::string_view run_key) {
  size_t at = 0;
  const std::string instrument = read_text(run_key, at);
  return run_subject(instrument, read_u64(run_key, at));
}
std::string instrument_of(std::string_view run_key) {
  size_t at = 0;
  return read_text(run_key, at);
}
/// The text after the first letter of a key.
std::string text_after_kind(std::string_view key) {
  size_t at = 1;
  return read_text(key, at);
}

}  // namespace

base::Result<uint64_t> seq_at(const Snapshot& now, int64_t time_ns) {
  uint64_t known = 0, beyond = now.head() + 1;  // known: at or before, beyond: after
  while (beyond - known > 1) {
    const uint64_t middle = known + (beyond - known) / 2;
    auto words = now.event(middle);
    if (!words.is_ok()) return words.status();
    StoredEvent event(*words);
    (event.get().getTime() <= time_ns ? known : beyond) = middle;
  }
  return known;
}

Past::Past(std::unique_ptr<Snapshot> now, uint64_t seq) : now_(std::move(now)), seq_(std::min(seq, now_->head())) {}

void Past::note(base::Status status) const {
  if (status_.is_ok() && !status.is_ok()) status_ = std::move(status);
}

base::Result<kj::Array<capnp::word>> Past::event(uint64_t seq) const {
  if (seq > seq_) return base::Status(base::Code::kNotFound, fmt::format("event {}: the log had events 1 to {} then", seq, seq_));
  return now_->event(seq);
}

std::vector<uint64_t> Past::subject(std::string_view key, uint64_t from, size_t limit) const {
  std::vector<uint64_t> seqs = now_->subject(key, from, limit);
  seqs.erase(std::upper_bound(seqs.begin(), seqs.end(), seq_), seqs.end());
  return seqs;
}

std::shared_ptr<MemoryRows> Past::empty_rows() const {
  return std::make_shared<MemoryRows>([this](std::string_view sha256) { return now_->blob(sha256); });
}

void Past::fold_event(uint64_t seq, Views ids, MemoryRows& rows) const {
  auto words = now_->event(seq);
  if (!words.is_ok()) return note(words.status());
  try {
    StoredEvent event(*words);
    // Who asked for a campaign's job is said by the campaign's own event, which is not about the run.
    const auto body = event.get().getBody();
    const uint64_t campaign = body.isJobQueued() ? body.getJobQueued().getCampaign() : 0;
    if (campaign != 0 && campaign < seq && std::find(ids.begin(), ids.end(), ViewId::kJobs) != ids.end()) fold_event(campaign, kCampaignOwnerViews, rows);
    rows.at(seq);
    for (const ViewId id : ids) view_of(id).fold(event.get(), rows);
  } catch (const kj::Exception& error) {
    note({base::Code::kCorruption, fmt::format("event {} cannot be folded: {}", seq, error.getDescription().cStr())});
  }
}

void Past::each_event(std::string_view subject, uint64_t last, const std::function<void(uint64_t seq)>& act) const {
  for (uint64_t from = 1;;) {
    const std::vector<uint64_t> seqs = now_->subject(subject, from, kEventsAPage);
    for (const uint64_t each : seqs) {
      if (each > last) return;
      act(each);
    }
    if (seqs.size() < kEventsAPage) return;
    from = seqs.back() + 1;
  }
}

std::shared_ptr<const MemoryRows> Past::fold(std::string_view subject, uint64_t seq, Views ids) const {
  auto rows = empty_rows();
  each_event(subject, seq, [&](uint64_t each) { fold_event(each, ids, *rows); });
  return rows;
}

std::shared_ptr<const RowReader> Past::recent(std::string_view subject, const std::function<std::shared_ptr<const RowReader>()>& make) const {
  for (auto entry = recent_.begin(); entry != recent_.end(); ++entry) {
    if (entry->first != subject) continue;
    recent_.splice(recent_.begin(), recent_, entry);
    return entry->second;
  }
  recent_.emplace_front(subject, make());
  if (recent_.size() > kRecent) recent_.pop_back();
  return recent_.front().second;
}

std::shared_ptr<const RowReader> Past::folded(std::string_view subject, Views ids) const {
  return recent(subject, [&] { return fold(subject, seq_, ids); });
}

std::shared_ptr<const RowReader> Past::run_rows(std::string_view run_key) const {
  const std::string subject = subject_of_run(run_key);
  // Untouched since: what there is now is what there was. The pointer owns nothing.
  if (now_->subject(subject, seq_ + 1, 1).empty()) return {std::shared_ptr<const RowReader>(), now_.get()};
  return folded(subject, kRunViews);
}
std::shared_ptr<const RowReader> Past::settings_rows(std::string_view instrument) const {
  return folded(settings_subject(instrument), kSettingsViews);
}
std::shared_ptr<const RowReader> Past::experiment_rows(std::string_view experiment) const {
  return folded(experiment_subject(experiment), kExperimentViews);
}

std::shared_ptr<const RowReader> Past::campaign_rows(uint64_t campaign) const {
  const auto now = find_campaign(*now_, campaign);
  if (!now || now->get().getCampaign() > seq_) return empty_rows();
  // Nothing becomes of a campaign that has finished.
  if (now->get().getFinishedAt() != 0 && now->get().getReason().getEvent() <= seq_) return {std::shared_ptr<const RowReader>(), now_.get()};
  const std::string subject = campaign_subject(campaign);
  return recent(subject, [&] {
    std::set<uint64_t> seqs;  // its own events, and those of its jobs
    each_event(subject, seq_, [&](uint64_t seq) {
      if (seqs.insert(seq); find_job(*now_, seq)) each_event(job_subject(seq), seq_, [&](uint64_t each) { seqs.insert(each); });
    });
    auto rows = empty_rows();
    for (const uint64_t seq : seqs) fold_event(seq, kCampaignViews, *rows);
    return rows;
  });
}

std::optional<std::string> Past::run_key_of_job(uint64_t job) const {
  if (job > seq_) return std::nullopt;
  return now_->get(ViewId::kRuns, RunsView::job_key(job));
}

const MemoryRows& Past::counts() const {
  if (counts_) return *counts_;
  counts_ = empty_rows();
  const uint64_t moment = seq_ / kEventsAMoment * kEventsAMoment;
  const auto add = [&](std::string_view instrument, schema::RunState state, int64_t change) {
    add_to_count(*counts_, ViewId::kRuns, RunsView::count_key(instrument, state), change);
    add_to_count(*counts_, ViewId::kRuns, RunsView::count_key({}, state), change);
  };
  if (auto bytes = now_->get(ViewId::kRuns, RunsView::moment_key(moment))) {
    const Row<schema::RunMoment> row(*bytes);
    for (auto instrument : row.get().getInstruments()) {
      const std::string_view name = view(instrument.getInstrument());
      counts_->put(ViewId::kRuns, RunsView::last_run_key(name), u64_key(instrument.getLastRun()));
      for (uint32_t state = 0; state < instrument.getRuns().size(); ++state) {
        if (instrument.getRuns()[state] != 0) add(name, static_cast<schema::RunState>(state), static_cast<int64_t>(instrument.getRuns()[state]));
      }
    }
  }
  std::set<std::string> touched;
  note(now_->events(moment + 1, seq_, [&](uint64_t, kj::ArrayPtr<const capnp::word> words) {
    StoredEvent event(words);
    Touched by = touched_by(event.get());
    if (by.run_key.empty() && by.job != 0) by.run_key = run_key_of_job(by.job).value_or("");
    if (!by.run_key.empty()) touched.insert(std::move(by.run_key));
    if (event.get().getBody().isRunDetected()) {
      const auto run = event.get().getBody().getRunDetected().getRun();
      const std::string key = RunsView::last_run_key(view(run.getInstrument()));
      if (read_count(*counts_, ViewId::kRuns, key) < run.getRunNumber()) counts_->put(ViewId::kRuns, key, u64_key(run.getRunNumber()));
    }
    return true;
  }));
  for (const std::string& run_key : touched) {
    const std::string subject = subject_of_run(run_key), key = RunsView::row_key(run_key);
    const std::string instrument = instrument_of(run_key);
    if (auto before = fold(subject, moment, std::span(kRunViews).first(1))->get(ViewId::kRuns, key)) {
      add(instrument, Row<schema::RunRow>(*before).get().getState(), -1);
    }
    if (auto after = run_rows(run_key)->get(ViewId::kRuns, key)) add(instrument, Row<schema::RunRow>(*after).get().getState(), 1);
  }
  return *counts_;
}

const MemoryRows& Past::queue() const {
  if (queue_) return *queue_;
  queue_ = empty_rows();
  std::set<uint64_t> jobs;
  uint64_t moment = seq_ / kEventsAMoment * kEventsAMoment;
  std::optional<std::string> open;
  while (moment > 0 && !(open = now_->get(ViewId::kQueue, QueueView::moment_key(moment)))) moment -= kEventsAMoment;
  if (open) {
    const Row<schema::QueueMoment> row(*open);
    for (const uint64_t job : row.get().getJobs()) jobs.insert(job);
  }
  note(now_->events(moment + 1, seq_, [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
    if (StoredEvent event(words); event.get().getBody().isJobQueued()) jobs.insert(seq);
    return true;
  }));
  for (const uint64_t job : jobs) {
    const auto run_key = run_key_of_job(job);
    if (!run_key) continue;
    const auto rows = run_rows(*run_key);
    const auto place = rows->get(ViewId::kQueue, QueueView::job_key(job));
    if (!place) continue;
    const auto row = rows->get(ViewId::kQueue, *place);
    if (!row) continue;
    queue_->put(ViewId::kQueue, QueueView::job_key(job), *place);
    queue_->put(ViewId::kQueue, *place, *row);
    if ((*place)[0] != static_cast<char>(QueueView::Place::kTaken)) {
      add_to_count(*queue_, ViewId::kQueue, QueueView::count_key(view(Row<schema::QueueRow>(*row).get().getRun().getInstrument())), 1);
    }
  }
  return *queue_;
}

std::optional<std::string> Past::get(ViewId view, std::string_view key) const {
  if (key.empty()) return std::nullopt;
  const char kind = key[0];
  switch (view) {
    case ViewId::kRuns:
      if (kind == 'r') return run_rows(key.substr(1))->get(view, key);
      if (kind == 'c' || kind == 'l') return counts().get(view, key);
      if (kind == 'j') return run_key_of_job(read_u64(key, 1));
      return std::nullopt;
    case ViewId::kJobs:
      if (kind == 'j') {
        const auto run_key = run_key_of_job(read_u64(key, 1));
        return run_key ? run_rows(*run_key)->get(view, key) : std::nullopt;
      }
      if (kind == 'a') {
        auto job = now_->get(view, key);
        if (job && job->size() == 8 && read_u64(*job) <= seq_) return job;
      }
      return std::nullopt;
    case ViewId::kQueue: return queue().get(view, key);
    case ViewId::kInstruments: return settings_rows(text_after_kind(key))->get(view, key);
    case ViewId::kVariables: {
      size_t at = 0;
      return settings_rows(read_text(key, at))->get(view, key);
    }
    case ViewId::kExperiments:
      if (kind == 'x') return run_rows(key.substr(1))->get(view, key);
      return experiment_rows(text_after_kind(key))->get(view, key);
    case ViewId::kCampaigns:
      if (kind == 'c' && key.size() == 9) return campaign_rows(UINT64_MAX - read_u64(key, 1))->get(view, key);
      if (kind == 'r' && key.size() > 9) return campaign_rows(read_u64(key, 1))->get(view, key);
      return std::nullopt;
    case ViewId::kStages:
      if (kind == 's') return settings_rows(text_after_kind(key))->get(view, key);
      return std::nullopt;
    case ViewId::kSupportFiles: return settings_rows(text_after_kind(key))->get(view, key);
    case ViewId::kFiles:
    case ViewId::kAccess:
    case ViewId::kWorkers: return std::nullopt;
  }
  return std::nullopt;
}

void Past::scan_runs(std::string_view from, const Visit& visit) const {
  now_->scan(ViewId::kRuns, from, [&](std::string_view key, std::string_view) {
    if (!key.starts_with('r')) return false;
    const auto row = get(ViewId::kRuns, key);
    return !row || visit(key, *row);
  });
}

void Past::scan(ViewId view, std::string_view from, const Visit& visit) const {
  if (from.empty()) return;
  const char kind = from[0];
  switch (view) {
    case ViewId::kRuns: {
      if (kind == 'r') return scan_runs(from, visit);
      if (kind == 'c' || kind == 'l') return counts().scan(view, from, visit);
      if (kind != 's' || from.size() < 2) return;
      const auto state = static_cast<schema::RunState>(from[1]);
      return scan_runs(RunsView::row_key(from.substr(2)), [&](std::string_view key, std::string_view row) {
        return Row<schema::RunRow>(row).get().getState() != state || visit(RunsView::state_key(state, key.substr(1)), {});
      });
    }
    case ViewId::kQueue: return queue().scan(view, from, visit);
    case ViewId::kInstruments:
      if (kind == 's') return settings_rows(text_after_kind(from))->scan(view, from, visit);
      break;
    case ViewId::kExperiments:
      if (kind == 'r') return experiment_rows(text_after_kind(from))->scan(view, from, visit);
      break;
    case ViewId::kCampaigns:
      if (kind == 'r' && from.size() >= 9) return campaign_rows(read_u64(from, 1))->scan(view, from, visit);
      if (kind != 'c') return;
      break;
    case ViewId::kStages:
      if (kind == 's') settings_rows(text_after_kind(from))->scan(view, from, visit);
      return;
    case ViewId::kSupportFiles: return settings_rows(text_after_kind(from))->scan(view, from, visit);
    default: return;
  }
  // Instruments, experiments and campaigns: those there are now, as far as they were there then.
  now_->scan(view, from, [&](std::string_view key, std::string_view) {
    if (key[0] != kind) return false;
    const auto row = get(view, key);
    return !row || visit(key, *row);
  });
}

}  // namespace ledger
