// What is asked of the record about many runs: which values they would get, which results are stale, what a campaign would have. In process, over
// rows of a million runs of one instrument as a facility has them, against bare reading of the same rows.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "ledger/campaign_plan.h"
#include "ledger/preview.h"
#include "ledger/run_selection.h"
#include "ledger/snapshot.h"
#include "ledger/stale.h"
#include "ledger/store.h"
#include "ledger/variables.h"
#include "ledger/view_rows.h"
#include "ledger/views/edit.h"
#include "ledger/views/experiments.h"
#include "ledger/views/instruments.h"
#include "ledger/views/jobs.h"
#include "ledger/views/runs.h"
#include "ledger/views/variables.h"
#include "schema/document.capnp.h"
#include "tests/bench/measured.h"
#include "tests/support/temporary_folder.h"

namespace {

using bench::die;
using ledger::Store;
using ledger::ViewId;
using ledger::view;
using schema::RunState;

constexpr uint64_t kEventsARun = 6;       // detected, queued, started, succeeded, published, and what else goes on
constexpr uint64_t kRunsAnExperiment = 500;
constexpr uint64_t kVariables = 30;
constexpr uint64_t kRunsASetting = 2000;  // somebody sets something from a run on ...
constexpr uint64_t kSettingsAnExperiment = 2;
constexpr int64_t kSecond = 1'000'000'000;
constexpr const char* kInstrument = "MARI";

std::string hash_of(std::string_view text) { return std::string(base::as_bytes(base::sha256(text))); }
std::string experiment_of(uint64_t run) { return fmt::format("RB{}", 2'000'000 + run / kRunsAnExperiment); }
RunState state_of(uint64_t run) {
  if (run % 40 == 7) return RunState::FAILED;
  if (run % 100 == 3) return RunState::SKIPPED;
  return run % 1000 == 9 ? RunState::REFUSED : RunState::SUCCEEDED;
}
uint64_t job_of(uint64_t run) { return run * kEventsARun + 1; }

/// Rows as they are stored, and the documents they name.
class Record {
 public:
  explicit Record(uint64_t runs) : runs_(runs) {
    make_settings();
    make_script();
    make_templates();
    own_.emplace(defaults_);
    rules_.emplace(settings_);
    index_.emplace(own_->get(), rules_->get().getRules());
  }
  uint64_t runs() const { return runs_; }

  void visit(ViewId id, const Store::VisitRow& row) {
    const auto each_run = [&](RunState state, const std::function<void(uint64_t)>& visit_run) {
      for (uint64_t run = 1; run <= runs_; ++run) {
        if (state_of(run) == state) visit_run(run);
      }
    };
    switch (id) {
      case ViewId::kRuns:
        row(ledger::RunsView::last_run_key(kInstrument), ledger::u64_key(runs_));
        for (uint64_t run = 1; run <= runs_; ++run) row(ledger::RunsView::row_key(ledger::run_key(kInstrument, run)), run_row(run));
        for (size_t state = 0; state < ledger::kRunStates; ++state) {
          each_run(static_cast<RunState>(state), [&](uint64_t run) {
            row(ledger::RunsView::state_key(static_cast<RunState>(state), ledger::run_key(kInstrument, run)), "");
          });
        }
        return;
      case ViewId::kJobs:
        for (uint64_t run = 1; run <= runs_; ++run) {
          if (has_job(run)) row(ledger::JobsView::row_key(job_of(run)), job_row(run));
        }
        return;
      case ViewId::kExperiments:
        for (uint64_t run = 1; run <= runs_; ++run) {
          if (state_of(run) != RunState::REFUSED) row(ledger::ExperimentsView::run_mark(experiment_of(run), ledger::run_key(kInstrument, run)), "");
        }
        for (uint64_t run = 1; run <= runs_; ++run) {
          if (state_of(run) != RunState::REFUSED) row(ledger::ExperimentsView::experiment_key(ledger::run_key(kInstrument, run)), experiment_of(run));
        }
        return;
      case ViewId::kInstruments: return row(ledger::InstrumentsView::row_key(kInstrument), instrument_);
      case ViewId::kVariables: return row(ledger::VariablesView::row_key(kInstrument), settings_);
      default: return;
    }
  }
  const std::vector<std::string>& documents() const { return documents_; }

 private:
  static bool has_job(uint64_t run) { return state_of(run) == RunState::SUCCEEDED || state_of(run) == RunState::FAILED; }

  /// One from every kRunsASetting-th run on, some of them up to a run, and a few for each tenth experiment.
  void make_settings() {
    struct Setting {
      uint64_t from, to;
      std::string experiment;
      uint64_t variable;
    };
    std::vector<Setting> all;
    for (uint64_t from = 1; from <= runs_; from += kRunsASetting) all.push_back({from, from % 3 == 0 ? from + 5 * kRunsASetting : 0, {}, from / kRunsASetting % kVariables});
    for (uint64_t run = 1; run <= runs_; run += 10 * kRunsAnExperiment) {
      for (uint64_t i = 0; i < kSettingsAnExperiment; ++i) all.push_back({0, 0, experiment_of(run), (run + i * 7) % kVariables});
    }
    capnp::MallocMessageBuilder message;
    auto list = message.initRoot<schema::VariableRules>().initRules(static_cast<uint32_t>(all.size()));
    for (uint32_t i = 0; i < all.size(); ++i) {
      auto rule = list[i];
      if (all[i].experiment.empty()) {
        rule.initScope().setFromRun(all[i].from);
        rule.getScope().setToRun(all[i].to);
      } else {
        rule.initScope().setExperiment(all[i].experiment);
      }
      rule.getVariable().setName(fmt::format("variable_{:02}", all[i].variable));
      rule.getVariable().setValue(fmt::format("\"value {} set later\"", i));
      rule.setSetBy("alice");
      rule.setSetAt(kSecond);
      rule.setSeq(7'000'000 + i);
    }
    settings_ = ledger::built_bytes(message);
  }

  void make_script() {
    capnp::MallocMessageBuilder defaults;
    auto list = defaults.initRoot<schema::VariableSet>().initVariables(kVariables);
    for (uint32_t i = 0; i < kVariables; ++i) {
      list[i].setName(fmt::format("variable_{:02}", i));
      list[i].setValue(i % 3 == 0 ? "[1.5, 2.5, 3.5]" : i % 3 == 1 ? fmt::format("{}", i) : "\"a mask of some length.xml\"");
      list[i].setHelp("What it does, in a sentence or two, as scientists write it.");
    }
    defaults_ = ledger::built_bytes(defaults);
    documents_.push_back(defaults_);
    capnp::MallocMessageBuilder message;
    auto row = message.initRoot<schema::InstrumentRow>();
    row.initConfig().setInstrument(kInstrument);
    row.getConfig().setContract(schema::Contract::ISIS);
    row.initScript().setInstrument(kInstrument);
    row.getScript().setSha256(ledger::data(script_));
    row.getScript().setDefaults(ledger::data(hash_of(defaults_)));
    write_siblings(row.getScript().initSiblings(3));
    row.setScriptSeq(5);
    instrument_ = ledger::built_bytes(message);
  }
  static void write_siblings(capnp::List<schema::ScriptFile>::Builder list) {
    for (uint32_t i = 0; i < list.size(); ++i) {
      const std::string name = fmt::format("module_{}.py", i);
      list[i].setName(name);
      list[i].setSha256(ledger::data(hash_of(name)));
    }
  }

  void make_templates() {
    auto run = run_.initRoot<schema::RunRow>();
    run.initRun().setInstrument(kInstrument);
    run.setTitle("Sample 4 at 5 K, 120 meV, 300 Hz, run of the usual kind");
    run.setDetectedAt(kSecond);
    auto file = run.initRawFiles(1)[0];
    file.setSizeBytes(123'456'789);
    file.setSha256(ledger::data(hash_of("raw")));
    file.setModifiedAt(kSecond);
    auto metadata = run.initMetadata();
    metadata.setEntryPath("/raw_data_1");
    metadata.setEntryCount(1);
    const auto text = [](schema::TextField::Builder field, const char* value, const char* path) {
      field.setKnown(true);
      field.setValue(value);
      field.setRaw(value);
      field.setPath(path);
    };
    text(metadata.initDefinition(), "TOFRAW", "/raw_data_1/definition");
    text(metadata.initExperiment(), "RB2000000", "/raw_data_1/experiment_identifier");
    text(metadata.initTitle(), "Sample 4 at 5 K, 120 meV, 300 Hz, run of the usual kind", "/raw_data_1/title");
    text(metadata.initInstrument(), "MARI", "/raw_data_1/instrument/name");
    for (auto time : {metadata.initStartTime(), metadata.initEndTime()}) {
      time.setKnown(true);
      time.setRaw("2026-03-04T05:06:07");
      time.setPath("/raw_data_1/start_time");
    }
    for (auto number : {metadata.initRunNumber(), metadata.initRawFrames(), metadata.initGoodFrames(), metadata.initTotalCounts()}) {
      number.setKnown(true);
      number.setRaw("12345678");
      number.setPath("/raw_data_1/good_frames");
    }
    for (auto number : {metadata.initProtonCharge(), metadata.initDuration()}) {
      number.setKnown(true);
      number.setUnit("uAh");
      number.setRaw("12.345678");
      number.setPath("/raw_data_1/proton_charge");
    }
    auto users = metadata.initUsers(3);
    users.set(0, "A. Scientist");
    users.set(1, "B. Visitor");
    users.set(2, "C. Student");

    auto job = job_.initRoot<schema::JobRow>();
    auto queued = job.initQueued();
    queued.initRuns(1)[0].setInstrument(kInstrument);
    queued.setVersion(1);
    queued.setContract(schema::Contract::ISIS);
    queued.setScriptPath("/archive/NDXMARI/user/scripts/autoreduction/reduce.py");
    write_siblings(queued.initSiblings(3));
    queued.setInputs(run.asReader().getRawFiles());
    queued.setOutputDirectory("/instrument/MARI/RBNumber/RB2000000/autoreduced/1000000/run-version-1");
    queued.setInterpreter("/opt/conda/envs/mantid/bin/python");
    queued.initReason().setCode("new_run");
    queued.getReason().setText("a new run: MARI 1000000 was detected");
    job.initRequestedBy().setName("coordinatord");
    job.getRequestedBy().setProof("peer uid 993");
    auto attempt = job.initAttempts(1)[0];
    attempt.setNumber(1);
    attempt.setWorker("worker-12");
    attempt.setHost("reduce12.facility.example");
    attempt.setOutcome(schema::AttemptRow::Outcome::SUCCEEDED);
    attempt.setLog(ledger::data(hash_of("log")));
    attempt.setEnvironment(ledger::data(hash_of("environment")));
    attempt.initOutputs().setManifest(ledger::data(hash_of("manifest")));
    attempt.getOutputs().setDirectory(queued.getOutputDirectory().asReader());
    attempt.setStaging("/instrument/MARI/RBNumber/RB2000000/autoreduced/1000000/.run-version-1.1");
  }

  std::string_view run_row(uint64_t number) {
    auto run = run_.getRoot<schema::RunRow>();
    const RunState state = state_of(number);
    run.getRun().setRunNumber(number);
    message_ = std::make_unique<ledger::SmallMessage>();
    message_->setRoot(run.asReader());
    auto row = message_->getRoot<schema::RunRow>();
    row.setState(state);
    row.setExperiment(experiment_of(number));
    row.getRawFiles()[0].setPath(fmt::format("/archive/NDXMARI/Instrument/data/cycle_26_1/MAR{:08}.nxs", number));
    row.setDetectedAt(static_cast<int64_t>(number) * 60 * kSecond);
    row.setDetectedSeq(job_of(number) - 1);
    row.setRevisedSeq(job_of(number) - 1);
    row.initReason().setCode(state == RunState::SUCCEEDED ? "succeeded" : state == RunState::FAILED ? "script_exception" : "no_script");
    row.getReason().setText("attempt 1 succeeded and its output is in place");
    if (has_job(number)) {
      row.setVersion(1);
      row.setJob(job_of(number));
      row.initJobs(1).set(0, job_of(number));
      row.setStartedAt(row.getDetectedAt() + kSecond);
      row.setFinishedAt(row.getStartedAt() + static_cast<int64_t>(20 + number % 40) * kSecond);
      if (state == RunState::SUCCEEDED) row.setResult(job_of(number));
    }
    return ledger::built_bytes(*message_);
  }

  std::string_view job_row(uint64_t number) {
    message_ = std::make_unique<ledger::SmallMessage>();
    message_->setRoot(job_.getRoot<schema::JobRow>().asReader());
    auto row = message_->getRoot<schema::JobRow>();
    row.setJob(job_of(number));
    row.setState(state_of(number));
    row.getQueued().getRuns()[0].setRunNumber(number);
    row.getQueued().setExperiment(experiment_of(number));
    // The last tenth was made with the present script, all with the values there were.
    row.getQueued().setScriptSha256(ledger::data(number > runs_ / 10 * 9 ? script_ : old_script_));
    row.getQueued().setVariables(ledger::data(values_of(number)));
    row.setStartedAt(static_cast<int64_t>(number) * 60 * kSecond);
    row.setFinishedAt(row.getStartedAt() + 30 * kSecond);
    return ledger::built_bytes(*message_);
  }

  /// The document of a run's values; neighbours have the same one.
  const std::string& values_of(uint64_t number) {
    const auto place = index_->place(experiment_of(number), number);
    if (values_.empty() || place != values_place_) {
      values_place_ = place;
      documents_.push_back(ledger::resolve(*index_, experiment_of(number), number, 5).document);
      values_ = hash_of(documents_.back());
    }
    return values_;
  }

  const uint64_t runs_;
  const std::string script_ = hash_of("the script as it is"), old_script_ = hash_of("the script as it was");
  std::string settings_, defaults_, instrument_;
  std::optional<ledger::Row<schema::VariableSet>> own_;
  std::optional<ledger::Row<schema::VariableRules>> rules_;
  std::optional<ledger::RuleIndex> index_;
  capnp::MallocMessageBuilder run_, job_;
  std::unique_ptr<ledger::SmallMessage> message_;
  ledger::RuleIndex::Place values_place_{};
  std::string values_;
  std::vector<std::string> documents_;
};

void must(const base::Status& status) {
  if (!status.is_ok()) die(status.message());
}

std::shared_ptr<Store> store_of(const std::filesystem::path& folder, Record& record) {
  auto store = Store::open(folder, {.create = true, .views = ledger::views()});
  must(store.status());
  auto fresh = (*store)->fresh_views(ledger::views(), Store::Keep::kNot);
  must(fresh.status());
  must((*store)->put_sorted(*fresh, Store::Keep::kNot, [&](ViewId id, const Store::VisitRow& row) { record.visit(id, row); }));
  Store::Batch batch;
  for (const std::string& document : record.documents()) batch.put(*(*store)->live(), ledger::Table::kBlobs, hash_of(document), document);
  must((*store)->adopt(*fresh, batch));
  return *store;
}

/// The highest this process' memory has been since it was last asked, MiB.
double peak_mib() {
  double peak = 0;
  {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) peak = std::atof(line.c_str() + 6) / 1024;
    }
  }
  std::ofstream("/proc/self/clear_refs") << 5;
  return peak;
}

/// Processor time, which other work on the machine disturbs least; what is read is in the page cache.
double seconds_of(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double begin = now();
  work();
  return now() - begin;
}

/// One after the other in each round, so that what else the machine does hits both.
void compare(const std::string& what, const std::string& against, const std::function<void()>& ours, const std::function<void()>& theirs, int rounds) {
  std::vector<double> one, other, ratios;
  double grown = 0;
  for (int round = 0; round < rounds; ++round) {
    other.push_back(seconds_of(theirs));
    peak_mib();
    const double before = bench::resident_kib() / 1024;
    one.push_back(seconds_of(ours));
    grown = std::max(grown, peak_mib() - before);
    ratios.push_back(one.back() / other.back());
  }
  const auto median = [](std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  fmt::print("| {} | {} | {:.3f} s | {:.3f} s | {:.2f} | {:.0f} MiB |\n", what, against, median(one), median(other), median(ratios), grown);
  std::fflush(stdout);
}

uint64_t scanned(const ledger::RowReader& rows, ViewId id, std::string_view prefix) {
  uint64_t bytes = 0;
  rows.scan(id, prefix, [&](std::string_view key, std::string_view row) {
    bytes += key.size() + row.size();
    return key.starts_with(prefix);
  });
  return bytes;
}

void measure(uint64_t runs, int rounds) {
  const support::TemporaryFolder folder;
  Record record(runs);
  const auto store = store_of(folder / "db", record);
  const ledger::StoreSnapshot rows(store->cut(), runs * kEventsARun, std::make_shared<ledger::HealthBoard>(), std::make_shared<ledger::FoldBoard>());
  const auto bare_runs = [&] { scanned(rows, ViewId::kRuns, "r"); };
  const auto bare_marks = [&] { scanned(rows, ViewId::kRuns, "s"), scanned(rows, ViewId::kExperiments, "x"); };
  const auto settings = ledger::variable_rules(rows, kInstrument);
  fmt::print("\n{} runs, {} settings, {} documents of values; a run's row has {} bytes, a job's {}; processor time\n\n", runs, settings->get().getRules().size(),
             record.documents().size(), scanned(rows, ViewId::kRuns, "r") / runs, scanned(rows, ViewId::kJobs, "j") / runs);
  fmt::print("| what | against | ours | against | ratio | memory grew by |\n| --- | --- | --- | --- | --- | --- |\n");

  {
    const ledger::Row<schema::VariableSet> own(record.documents().front());
    const ledger::RuleIndex index(own.get(), settings->get().getRules());
    constexpr uint64_t kResolved = 100'000;
    const uint64_t step = std::max<uint64_t>(1, runs / kResolved);
    const ledger::Row<schema::VariableSet> resolved(ledger::resolve(index, experiment_of(1), 1).document);
    capnp::MallocMessageBuilder message;
    message.setRoot(resolved.get());
    compare("100 000 runs resolved, settings kept ready", "writing as many such documents",
            [&] { for (uint64_t i = 0; i < kResolved; ++i) ledger::resolve(index, experiment_of(1 + i * step), 1 + i * step); },
            [&] { for (uint64_t i = 0; i < kResolved; ++i) ledger::built_bytes(message); }, rounds);
    compare("100 runs resolved, one by one", "writing 100 000 such documents",
            [&] { for (uint64_t i = 0; i < 100; ++i) {
              const auto rules = ledger::variable_rules(rows, kInstrument);
              ledger::resolve(own.get(), rules->get().getRules(), experiment_of(1 + i), 1 + i);
            } },
            [&] { for (uint64_t i = 0; i < kResolved; ++i) ledger::built_bytes(message); }, rounds);
  }
  {
    capnp::MallocMessageBuilder message;
    auto change = message.initRoot<schema::VariablesSet>();
    change.setInstrument(kInstrument);
    auto list = change.initVariables(3);
    for (uint32_t i = 0; i < 3; ++i) {
      list[i].setName(fmt::format("variable_{:02}", 1 + 3 * i));
      list[i].setValue("99");
    }
    const auto dry_run = [&] {
      const auto effect = ledger::preview(rows, change.asReader());
      if (!effect.problems.empty()) die(effect.problems.front());
      if (effect.change_count == 0) die("a dry run without effect");
    };
    compare("dry run: three variables by default, all runs", "bare scan of the marks", dry_run, bare_marks, rounds);
    compare("the same", "bare scan of the runs' rows", dry_run, bare_runs, rounds);
  }
  compare("all runs listed", "bare scan of the runs' rows", [&] { ledger::visit_runs(rows, {.instrument = kInstrument}, [](auto) { return true; }); },
          bare_runs, rounds);
  compare("stale results among all", "bare scan of the runs' rows, and each job by its key",
          [&] {
            ledger::StaleLook look(rows);
            uint64_t stale = 0;
            ledger::visit_runs(rows, {.instrument = kInstrument}, [&](schema::RunRow::Reader run) { return stale += look.look(run).is_stale(), true; });
            if (stale == 0) die("nothing is stale");
          },
          [&] {
            bare_runs();
            for (uint64_t run = 1; run <= runs; ++run) rows.get(ViewId::kJobs, ledger::JobsView::row_key(job_of(run)));
          },
          rounds);
  {
    ledger::RunPick pick;
    pick.runs.instrument = kInstrument;
    pick.variables = {{"variable_01", "\"value 1 set later\""}};
    compare("runs made with a value, among all", "bare scan of the runs' rows, and each job by its key",
            [&] { ledger::pick_runs(rows, pick, SIZE_MAX, UINT64_MAX); },
            [&] {
              bare_runs();
              for (uint64_t run = 1; run <= runs; ++run) rows.get(ViewId::kJobs, ledger::JobsView::row_key(job_of(run)));
            },
            rounds);
  }
  {
    ledger::CampaignAsked asked;
    asked.pick.runs.instrument = kInstrument;
    asked.pick.ranges = {{runs / 2, runs / 2 + 10'000}};
    asked.may = [](schema::RunRow::Reader) { return base::Status::ok(); };
    const auto plan = [&] {
      if (ledger::plan_campaign(rows, asked).document.empty()) die("a campaign without a plan");
    };
    compare("campaign of 10 000 runs planned, by number", "these rows listed", plan, [&] {
      ledger::RunSelection selection{.instrument = kInstrument, .first_run = runs / 2, .last_run = runs / 2 + 10'000};
      ledger::visit_runs(rows, selection, [](auto) { return true; });
    }, rounds);
    asked.pick.stale = true;
    compare("the same, of those that are stale", "these rows listed", plan, [&] {
      ledger::RunSelection selection{.instrument = kInstrument, .first_run = runs / 2, .last_run = runs / 2 + 10'000};
      ledger::visit_runs(rows, selection, [](auto) { return true; });
    }, rounds);
    asked.pick = {.runs = {.instrument = kInstrument}, .stale = true};
    asked.most_runs = runs;
    compare("campaign of all that is stale planned", "all runs listed", plan,
            [&] { ledger::visit_runs(rows, {.instrument = kInstrument}, [](auto) { return true; }); }, rounds);
  }
  must(rows.status());
}

}  // namespace

int main(int count, char** arguments) {
  const uint64_t runs = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1'000'000;
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 5;
  measure(runs / 10, rounds);
  measure(runs, rounds);
}
