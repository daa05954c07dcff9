#include "ledger/views/runs.h"

#include <algorithm>
#include <map>
#include <optional>

#include "ledger/view_rows.h"
#include "ledger/views/outcome.h"

namespace ledger {
namespace {

using schema::RunState;

/// One run's row being changed; keeps the state index and the counters with it.
class RunEdit {
 public:
  RunEdit(Rows& rows, std::string run_key)
      : rows_(rows), run_key_(std::move(run_key)), edit_(rows, ViewId::kRuns, RunsView::row_key(run_key_)) {
    if (edit_.found()) before_ = edit_->getState();
  }
  bool found() const { return edit_.found(); }
  schema::RunRow::Builder* operator->() { return edit_.operator->(); }

  std::vector<std::string> problems() { return texts(edit_->asReader().getProblems()); }
  void set_problems(const std::vector<std::string>& problems) {
    set_texts(edit_->initProblems(static_cast<uint32_t>(problems.size())), problems);
  }
  void add_problem(const std::string& text) {
    auto known = problems();
    if (std::find(known.begin(), known.end(), text) != known.end()) return;
    known.push_back(text);
    set_problems(known);
  }

  void save() {
    RunState after = edit_->getState();
    if (before_ != after) {
      std::string instrument(view(edit_->asReader().getRun().getInstrument()));
      if (before_) {
        rows_.erase(ViewId::kRuns, RunsView::state_key(*before_, run_key_));
        count(instrument, *before_, -1);
      }
      rows_.put(ViewId::kRuns, RunsView::state_key(after, run_key_), "");
      count(instrument, after, 1);
    }
    edit_.save();
  }

 private:
  void count(const std::string& instrument, RunState state, int64_t change) {
    add_to_count(rows_, ViewId::kRuns, RunsView::count_key(instrument, state), change);
    add_to_count(rows_, ViewId::kRuns, RunsView::count_key("", state), change);
  }

  Rows& rows_;
  const std::string run_key_;
  RowEdit<schema::RunRow> edit_;
  std::optional<RunState> before_;
};

std::string key_of(schema::RunKey::Reader run) { return run_key(view(run.getInstrument()), run.getRunNumber()); }

void take_files(schema::RunRow::Builder run, schema::RunDetected::Reader detected) {
  run.setRawFiles(detected.getFiles());
  auto metadata = detected.getMetadata();
  run.setMetadata(metadata);
  run.setExperiment(std::string(experiment_of(metadata)));
  if (const auto title = metadata.getTitle(); title.getKnown()) {
    run.setTitle(title.getValue());
  } else {
    run.setTitle("");
  }
}

/// Problems of the latest reading first, then whatever was found out otherwise.
void replace_file_problems(RunEdit& run, capnp::List<capnp::Text>::Reader fresh) {
  auto known = run.problems();
  known.erase(known.begin(), known.begin() + std::min<size_t>(run->getFileProblems(), known.size()));
  auto all = texts(fresh);
  for (auto& text : known) {
    if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(std::move(text));
  }
  run.set_problems(all);
  run->setFileProblems(fresh.size());
}

/// Files that were refused under this number before a good one came stay on record as problems.
void keep_refused_companions(RunEdit& run, schema::RunDetected::Reader detected) {
  auto is_taken = [&](std::string_view path) {
    for (auto file : detected.getFiles()) {
      if (view(file.getPath()) == path) return true;
    }
    return false;
  };
  auto row = run->asReader();
  auto known = run.problems();
  for (auto file : row.getRawFiles()) {
    std::string text = not_used(view(file.getPath()), view(row.getReason().getText()));
    std::string start = std::string(file_name(view(file.getPath())));
    if (is_taken(view(file.getPath()))) {
      std::erase_if(known, [&](const std::string& problem) { return problem.starts_with(start); });
    } else if (std::none_of(known.begin(), known.end(), [&](const std::string& problem) { return problem.starts_with(start); })) {
      known.push_back(text);
    }
  }
  run.set_problems(known);
}

void fold_detected(schema::Event::Reader event, schema::RunDetected::Reader detected, Rows& rows) {
  const auto key = detected.getRun();
  RunEdit run(rows, key_of(key));
  run->setRun(key);
  if (run.found() && run->getState() == RunState::REFUSED) keep_refused_companions(run, detected);
  run->setState(RunState::DETECTED);
  run->initReason();
  run->setDetectedAt(event.getTime());
  run->setDetectedSeq(event.getSeq());
  run->setRevisedSeq(event.getSeq());
  take_files(*run.operator->(), detected);
  replace_file_problems(run, detected.getProblems());
  run.save();
  const std::string last_key = RunsView::last_run_key(view(key.getInstrument()));
  if (read_count(rows, ViewId::kRuns, last_key) < key.getRunNumber()) rows.put(ViewId::kRuns, last_key, u64_key(key.getRunNumber()));
}

void fold_revised(schema::Event::Reader event, schema::RunDetected::Reader revised, Rows& rows) {
  RunEdit run(rows, key_of(revised.getRun()));
  if (!run.found()) return;
  run->setRevisedSeq(event.getSeq());
  if (run->getVersion() == 0) {
    run->setState(RunState::DETECTED);
    run->initReason();
  }
  take_files(*run.operator->(), revised);
  replace_file_problems(run, revised.getProblems());
  run.save();
}

void add_refused_file(RunEdit& run, schema::RawFile::Reader file) {
  SmallMessage scratch;
  auto before = scratch.initRoot<schema::RunRow>();
  before.setRawFiles(run->asReader().getRawFiles());
  std::vector<schema::RawFile::Reader> files;
  for (auto known : before.asReader().getRawFiles()) {
    if (view(known.getPath()) != view(file.getPath())) files.push_back(known);
  }
  files.push_back(file);
  auto list = run->initRawFiles(static_cast<uint32_t>(files.size()));
  for (uint32_t i = 0; i < files.size(); ++i) list.setWithCaveats(i, files[i]);
}

void fold_refused(schema::Event::Reader event, schema::RawFileRefused::Reader refused, Rows& rows) {
  if (refused.getRunNumber() == 0) return;
  RunEdit run(rows, run_key(view(refused.getInstrument()), refused.getRunNumber()));
  std::string_view path = view(refused.getFile().getPath());
  std::string_view why = view(refused.getReason().getText());
  if (!run.found()) {
    run->initRun().setInstrument(refused.getInstrument());
    run->getRun().setRunNumber(refused.getRunNumber());
    run->setState(RunState::REFUSED);
    run->setDetectedAt(event.getTime());
    run->setDetectedSeq(event.getSeq());
  } else if (run->getState() == RunState::REFUSED) {
    // The reason shown is the latest file's; what was said of the others goes to the problems.
    auto row = run->asReader();
    auto files = row.getRawFiles();
    std::string_view latest = files.size() > 0 ? view(files[files.size() - 1].getPath()) : std::string_view();
    if (!latest.empty() && latest != path) run.add_problem(not_used(latest, view(row.getReason().getText())));
    auto known = run.problems();
    std::erase_if(known, [&](const std::string& problem) { return problem.starts_with(file_name(path)); });
    run.set_problems(known);
  } else {
    bool own = false;
    for (auto file : run->asReader().getRawFiles()) own = own || view(file.getPath()) == path;
    run.add_problem(own ? about_file(path, why) + "; it was taken as this run's raw file before" : not_used(path, why));
    run.save();
    return;
  }
  set_decision(run->initReason(), refused.getReason(), event.getSeq());
  add_refused_file(run, refused.getFile());
  run.save();
}

void fold_skipped(schema::Event::Reader event, schema::RunSkipped::Reader skipped, Rows& rows) {
  const std::string trial = RunsView::trial_key(event.getCause());
  if (rows.get(ViewId::kRuns, trial)) return rows.erase(ViewId::kRuns, trial);  // no version was asked for: nothing the run shows changes
  RunEdit run(rows, key_of(skipped.getRun()));
  if (!run.found()) return;
  bool asked = run->getPendingRequest() != 0 && event.getCause() == run->getPendingRequest();
  if (asked) run->setPendingRequest(0);
  if (run->getVersion() == 0) {
    run->setState(RunState::SKIPPED);
    set_decision(run->initReason(), skipped.getReason(), event.getSeq());
  } else {
    run.add_problem("not reduced again as event " + std::to_string(event.getCause()) +
                    " asks: " + std::string(view(skipped.getReason().getText())));
  }
  run.save();
}

/// What a row shows of its version.
void show_version(schema::RunRow::Builder row, schema::RunRow::Reader version) {
  row.setState(version.getState());
  row.setVersion(version.getVersion());
  row.setJob(version.getJob());
  row.setStartedAt(version.getStartedAt());
  row.setFinishedAt(version.getFinishedAt());
  row.setReason(version.getReason());
}

void fold_version_queued(schema::Event::Reader event, schema::JobQueued::Reader queued, RunEdit& run, Rows& rows) {
  if (run->getVersion() != 0) {
    RowEdit<schema::RunRow> earlier(rows, ViewId::kRuns, RunsView::earlier_key(run->getJob()));
    show_version(*earlier, run->asReader());
    earlier.save();
  }
  run->setState(RunState::QUEUED);
  run->setVersion(queued.getVersion());
  run->setJob(event.getSeq());
  run->setStartedAt(0);
  run->setFinishedAt(0);
  set_decision(run->initReason(), queued.getReason(), event.getSeq());
  auto jobs = numbers(run->asReader().getJobs());
  jobs.push_back(event.getSeq());
  set_numbers(run->initJobs(static_cast<uint32_t>(jobs.size())), jobs);
  if (event.getCause() != 0 && run->getPendingRequest() == event.getCause()) run->setPendingRequest(0);
}

void fold_queued(schema::Event::Reader event, schema::JobQueued::Reader queued, Rows& rows) {
  if (queued.getRuns().size() == 0) return;
  const std::string first = key_of(queued.getRuns()[0]);
  if (queued.getKind() == schema::JobKind::REDUCTION) {
    RunEdit run(rows, first);
    if (!run.found()) return;
    fold_version_queued(event, queued, run, rows);
    run.save();
  } else {
    if (queued.getKind() == schema::JobKind::TRIAL) rows.erase(ViewId::kRuns, RunsView::trial_key(event.getCause()));
    for (auto key : queued.getRuns()) {
      RunEdit run(rows, key_of(key));
      if (!run.found()) continue;
      auto jobs = numbers(run->asReader().getOtherJobs());
      jobs.push_back(event.getSeq());
      set_numbers(run->initOtherJobs(static_cast<uint32_t>(jobs.size())), jobs);
      run.save();
    }
  }
  rows.put(ViewId::kRuns, RunsView::job_key(event.getSeq()), first);
}

/// Calls `change` on what is shown of the version that `job` makes: in its run's row, or in the one kept of an earlier version.
template <typename Change>
void for_version(Rows& rows, uint64_t job, Change&& change) {
  auto key = rows.get(ViewId::kRuns, RunsView::job_key(job));
  if (!key) return;
  RunEdit run(rows, *key);
  if (run.found() && run->getJob() == job) {
    change(*run.operator->());
    return run.save();
  }
  RowEdit<schema::RunRow> earlier(rows, ViewId::kRuns, RunsView::earlier_key(job));
  if (!earlier.found()) return;
  change(*earlier);
  earlier.save();
}

void end(schema::RunRow::Builder run, RunState state, schema::Event::Reader event, schema::Reason::Reader reason) {
  run.setState(state);
  run.setFinishedAt(event.getTime());
  set_decision(run.initReason(), reason, event.getSeq());
}

void fold_succeeded(schema::Event::Reader event, schema::JobSucceeded::Reader succeeded, Rows& rows) {
  const uint64_t job = succeeded.getJob();
  bool is_version = false;
  for_version(rows, job, [&](schema::RunRow::Builder run) {
    is_version = true;
    run.setState(RunState::SUCCEEDED);
    run.setFinishedAt(event.getTime());
    set_succeeded(rows, ViewId::kRuns, run.initReason(), succeeded, event.getSeq());
  });
  forget_empty(rows, ViewId::kRuns, job);
  if (!is_version) return;
  RunEdit run(rows, *rows.get(ViewId::kRuns, RunsView::job_key(job)));
  if (!run.found() || run->getResult() >= job) return;
  run->setResult(job);
  run.save();
}

/// The newest of `jobs` before `job` that still counts as a version of its run; 0 = none.
uint64_t version_before(const Rows& rows, capnp::List<uint64_t>::Reader jobs, uint64_t job) {
  for (uint32_t i = jobs.size(); i-- > 0;) {
    if (jobs[i] < job && rows.get(ViewId::kRuns, RunsView::earlier_key(jobs[i]))) return jobs[i];
  }
  return 0;
}

/// A version that is cancelled before it starts is taken back, if there is one before it.
void fold_cancelled(schema::Event::Reader event, schema::JobCancelled::Reader cancelled, Rows& rows) {
  const uint64_t job = cancelled.getJob();
  auto key = rows.get(ViewId::kRuns, RunsView::job_key(job));
  if (!key) return;
  RunEdit run(rows, *key);
  if (!run.found()) return;
  const uint64_t before = version_before(rows, run->asReader().getJobs(), job);
  if (run->getJob() == job) {
    if (run->getStartedAt() == 0 && before != 0) {
      const std::string earlier = RunsView::earlier_key(before);
      const Row<schema::RunRow> row(*rows.get(ViewId::kRuns, earlier));
      show_version(*run.operator->(), row.get());
      rows.erase(ViewId::kRuns, earlier);
    } else {
      end(*run.operator->(), RunState::CANCELLED, event, cancelled.getReason());
    }
    return run.save();
  }
  const std::string own = RunsView::earlier_key(job);
  RowEdit<schema::RunRow> earlier(rows, ViewId::kRuns, own);
  if (!earlier.found()) return;
  if (earlier->getStartedAt() == 0 && before != 0) return rows.erase(ViewId::kRuns, own);
  end(*earlier, RunState::CANCELLED, event, cancelled.getReason());
  earlier.save();
}

void fold_body(schema::Event::Reader event, Rows& rows) {
  using Run = schema::RunRow::Builder;
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::RUN_DETECTED: return fold_detected(event, body.getRunDetected(), rows);
    case schema::Event::Body::RUN_REVISED: return fold_revised(event, body.getRunRevised(), rows);
    case schema::Event::Body::RAW_FILE_REFUSED: return fold_refused(event, body.getRawFileRefused(), rows);
    case schema::Event::Body::RUN_SKIPPED: return fold_skipped(event, body.getRunSkipped(), rows);
    case schema::Event::Body::JOB_QUEUED: return fold_queued(event, body.getJobQueued(), rows);
    case schema::Event::Body::RUN_ANNOTATED: {
      auto annotated = body.getRunAnnotated();
      if (annotated.getKind() != schema::RunAnnotated::Kind::PROBLEM) return;
      RunEdit run(rows, key_of(annotated.getRun()));
      if (!run.found()) return;
      run.add_problem(std::string(view(annotated.getText())));
      return run.save();
    }
    case schema::Event::Body::REDUCTION_REQUESTED: {
      RunEdit run(rows, key_of(body.getReductionRequested().getRun()));
      if (!run.found()) return;
      run->setPendingRequest(event.getSeq());
      return run.save();
    }
    case schema::Event::Body::TRIAL_REQUESTED: {
      const std::string key = key_of(body.getTrialRequested().getRun());
      if (rows.get(ViewId::kRuns, RunsView::row_key(key))) rows.put(ViewId::kRuns, RunsView::trial_key(event.getSeq()), key);
      return;
    }
    case schema::Event::Body::JOB_HELD:
      return for_version(rows, body.getJobHeld().getJob(), [&](Run run) {
        run.setState(RunState::HELD);
        set_decision(run.initReason(), body.getJobHeld().getReason(), event.getSeq());
      });
    case schema::Event::Body::JOB_RELEASED:
      return for_version(rows, body.getJobReleased().getJob(), [&](Run run) {
        run.setState(RunState::QUEUED);
        set_decision(run.initReason(), body.getJobReleased().getReason(), event.getSeq());
      });
    case schema::Event::Body::ATTEMPT_STARTED:
      return for_version(rows, body.getAttemptStarted().getJob(), [&](Run run) {
        auto started = body.getAttemptStarted();
        run.setState(RunState::RUNNING);
        run.setStartedAt(event.getTime());
        run.setFinishedAt(0);
        set_decision(run.initReason(), "started", started_sentence(started), event.getSeq());
      });
    case schema::Event::Body::ATTEMPT_LOST:
      return for_version(rows, body.getAttemptLost().getJob(), [&](Run run) {
        run.setState(RunState::QUEUED);
        set_decision(run.initReason(), body.getAttemptLost().getReason(), event.getSeq());
      });
    case schema::Event::Body::ATTEMPT_FAILED: {
      auto failed = body.getAttemptFailed();
      if (!failed.getWillRetry()) return;
      return for_version(rows, failed.getJob(), [&](Run run) {
        run.setState(RunState::QUEUED);
        set_decision(run.initReason(), "attempt_failed", retry_sentence(failed), event.getSeq());
      });
    }
    case schema::Event::Body::ATTEMPT_SUCCEEDED: return remember_empty(rows, ViewId::kRuns, body.getAttemptSucceeded());
    case schema::Event::Body::JOB_SUCCEEDED: return fold_succeeded(event, body.getJobSucceeded(), rows);
    case schema::Event::Body::JOB_FAILED:
      forget_empty(rows, ViewId::kRuns, body.getJobFailed().getJob());
      return for_version(rows, body.getJobFailed().getJob(),
                         [&](Run run) { end(run, RunState::FAILED, event, body.getJobFailed().getReason()); });
    case schema::Event::Body::JOB_SKIPPED:
      return for_version(rows, body.getJobSkipped().getJob(),
                         [&](Run run) { end(run, RunState::SKIPPED, event, body.getJobSkipped().getReason()); });
    case schema::Event::Body::JOB_CANCELLED: return fold_cancelled(event, body.getJobCancelled(), rows);
    default: return;
  }
}

/// The counts of every instrument as they stand.
void keep_moment(uint64_t seq, Rows& rows) {
  std::map<std::string, StateCounts> instruments;
  rows.scan(ViewId::kRuns, "c", [&](std::string_view key, std::string_view count) {
    if (!key.starts_with('c')) return false;
    size_t at = 1;
    std::string instrument = read_text(key, at);
    if (!instrument.empty()) instruments[instrument][static_cast<uint8_t>(key[at])] = read_u64(count);
    return true;
  });
  SmallMessage message;
  auto list = message.initRoot<schema::RunMoment>().initInstruments(static_cast<uint32_t>(instruments.size()));
  uint32_t next = 0;
  for (const auto& [instrument, counts] : instruments) {
    auto row = list[next++];
    row.setInstrument(instrument);
    row.setLastRun(read_count(rows, ViewId::kRuns, RunsView::last_run_key(instrument)));
    set_numbers(row.initRuns(static_cast<uint32_t>(counts.size())), {counts.begin(), counts.end()});
  }
  rows.put(ViewId::kRuns, RunsView::moment_key(seq), built_bytes(message));
}

}  // namespace

std::string RunsView::last_run_key(std::string_view instrument) { return kind_key('l', text_key(instrument)); }
std::string RunsView::count_key(std::string_view instrument, RunState state) {
  return kind_key('c', text_key(instrument)).append(1, static_cast<char>(state));
}

std::string_view file_name(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string about_file(std::string_view path, std::string_view why) {
  std::string name(file_name(path));
  size_t at = why.find(name);
  return at == std::string_view::npos ? name + ": " + std::string(why) : std::string(why.substr(at));
}

std::string not_used(std::string_view path, std::string_view why) { return about_file(path, why) + "; not used"; }

std::string_view experiment_of(schema::RunMetadata::Reader metadata) {
  auto experiment = metadata.getExperiment();
  return experiment.getKnown() ? view(experiment.getValue()) : std::string_view();
}

void RunsView::fold(schema::Event::Reader event, Rows& rows) const {
  fold_body(event, rows);
  if (event.getSeq() % kEventsAMoment == 0) keep_moment(event.getSeq(), rows);
}

}  // namespace ledger
