#include "daemons/monitor/instrument_watch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"
#include "daemons/monitor/lastrun.h"
#include "daemons/monitor/run_report.h"
#include "rpc/loop.h"

namespace daemons {
namespace {

constexpr size_t kLooksAtOnce = 64;

std::string bytes_of(capnp::Data::Reader data) { return {reinterpret_cast<const char*>(data.begin()), data.size()}; }

std::unique_ptr<FileWatch> make_watch(MonitorServices& services, const std::string& instrument, std::vector<std::string>& troubles) {
  if (services.settings.make_watch) return services.settings.make_watch(services.loop);
  auto watch = make_inotify_watch(services.loop);
  if (watch.is_ok()) return std::move(watch).value();
  spdlog::warn("monitor: {}: {}", instrument, watch.status().message());
  troubles.push_back(watch.status().message());
  return nullptr;
}

}  // namespace

WatchedInstrument WatchedInstrument::from(schema::InstrumentConfigured::Reader config) {
  WatchedInstrument instrument;
  instrument.name = config.getInstrument().cStr();
  for (auto folder : config.getRawFolders()) {
    std::string path = folder.cStr();
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    instrument.raw_folders.push_back(std::move(path));
  }
  for (auto pattern : config.getFilePatterns()) instrument.file_patterns.emplace_back(pattern.cStr());
  instrument.run_number_pattern = config.getRunNumberPattern().cStr();
  instrument.by_last_run = config.getDetect() == "lastrun";
  return instrument;
}

InstrumentWatch::InstrumentWatch(MonitorServices& services, WatchedInstrument instrument)
    : services_(services),
      instrument_(std::move(instrument)),
      candidates_(services.settings.completeness),
      folders_(services.loop, make_watch(services, instrument_.name, troubles_), services.settings.folders, instrument_.raw_folders,
               NameFilter(instrument_.file_patterns), *this),
      tasks_(*this) {
  auto rule = RunNumberRule::make(instrument_.run_number_pattern);
  if (rule.is_ok()) {
    rule_ = std::move(rule).value();
  } else {
    troubles_.push_back(rule.status().message());
    spdlog::error("monitor: {}: {}; until then the last digits of the name are taken", instrument_.name, rule.status().message());
  }
  candidates_.set_list_open(false);
}

InstrumentWatch::~InstrumentWatch() noexcept(false) = default;

void InstrumentWatch::taskFailed(kj::Exception&& exception) {
  if (fail_) fail_->reject(kj::mv(exception));
}

Moment InstrumentWatch::now() const {
  return Moment{.steady_ns = (services_.loop.timer().now() - kj::origin<kj::TimePoint>()) / kj::NANOSECONDS, .wall_ns = services_.clock.now_ns()};
}

void InstrumentWatch::record(schema::FileRow::Reader row) {
  std::string sha256 = bytes_of(row.getFile().getSha256());
  std::string path = row.getFile().getPath().cStr();
  // What could not be read to its end may have become readable since.
  bool look_again = row.getRefused() && sha256.empty();
  if (!look_again) {
    FileStamp stamp{.size_bytes = row.getFile().getSizeBytes(), .modified_ns = row.getFile().getModifiedAt()};
    candidates_.settled(path, stamp, row.getRefused());
  }
  records_[path] = Record{row.getSeq(), row.getRunNumber(), std::move(sha256), row.getRefused()};
}

kj::Promise<void> InstrumentWatch::run() {
  auto pair = kj::newPromiseAndFulfiller<void>();
  fail_ = kj::mv(pair.fulfiller);
  auto patience = services_.loop.timer().afterDelay(services_.settings.list_patience_ms * kj::MILLISECONDS);
  tasks_.add(folders_.first_sweep().exclusiveJoin(kj::mv(patience)).then([this] {
    candidates_.set_list_open(true);
    services_.wake();
    services_.changed();
  }));
  tasks_.add(folders_.run());
  tasks_.add(follow_looks());
  if (instrument_.by_last_run) tasks_.add(follow_last_run());
  return kj::mv(pair.promise);
}

std::vector<std::string> InstrumentWatch::troubles() const {
  std::vector<std::string> all = troubles_;
  if (instrument_.by_last_run && !last_run_known_) all.push_back("no lastrun.txt can be read; files are taken as they come");
  for (std::string& trouble : folders_.troubles()) all.push_back(std::move(trouble));
  return all;
}

// ---- noticing ----

void InstrumentWatch::saw(const std::string&, const std::string& path, Notice notice, const std::optional<FileStamp>& stamp) {
  uint64_t number = rule_.number_in(std::string_view(path).substr(path.rfind('/') + 1)).value_or(0);
  candidates_.noticed(path, number, notice, stamp, now());
  attend();
}

void InstrumentWatch::lost(const std::string& path) {
  candidates_.gone(path);
  services_.changed();
}

/// Something may be due.
void InstrumentWatch::attend() {
  services_.changed();
  KJ_IF_MAYBE (sleeper, sleeper_) {
    auto fulfiller = kj::mv(*sleeper);
    sleeper_ = nullptr;
    fulfiller->fulfill();
  }
  if (candidates_.has_examination(true)) services_.wake();
}

kj::Promise<void> InstrumentWatch::follow_looks() {
  std::vector<std::string> paths;
  while (paths.size() < kLooksAtOnce) {
    auto path = candidates_.take_look(now());
    if (!path) break;
    paths.push_back(std::move(*path));
  }
  if (!paths.empty()) {
    auto look = [paths] {
      std::vector<Look> looks;
      for (const std::string& path : paths) looks.push_back(look_at(path));
      return looks;
    };
    return services_.loop.on_pool(look).then([this, paths](std::vector<Look> looks) {
      for (size_t i = 0; i < paths.size(); ++i) candidates_.looked(paths[i], looks[i], now());
      refuse_given_up();
      if (candidates_.has_examination(true)) services_.wake();
      services_.changed();
      return follow_looks();
    });
  }
  auto pair = kj::newPromiseAndFulfiller<void>();
  sleeper_ = kj::mv(pair.fulfiller);
  auto woken = kj::mv(pair.promise);
  if (auto due = candidates_.next_look_ns()) {
    int64_t delay = std::max<int64_t>(*due - now().steady_ns, 0);
    woken = woken.exclusiveJoin(services_.loop.timer().afterDelay(delay * kj::NANOSECONDS));
  }
  return woken.then([this] { return follow_looks(); });
}

kj::Promise<void> InstrumentWatch::follow_last_run() {
  return services_.loop.on_pool([folders = instrument_.raw_folders] { return read_last_run(folders); }).then([this](std::optional<LastRun> last) {
    if (last) {
      last_run_known_ = true;
      candidates_.set_last_ended(last->last_ended(), now());
      attend();
    }
    return services_.loop.timer().afterDelay(services_.settings.last_run_ms * kj::MILLISECONDS).then([this] { return follow_last_run(); });
  });
}

// ---- examining ----

bool InstrumentWatch::examine_next(bool retries, size_t& readers_busy, size_t& retries_busy) {
  auto examination = candidates_.take_examination(retries, now());
  if (!examination) return false;
  size_t is_retry = examination->retry ? 1 : 0;
  ++readers_busy;
  retries_busy += is_retry;
  auto done = kj::defer([&readers_busy, &retries_busy, is_retry, wake = services_.wake] {
    --readers_busy;
    retries_busy -= is_retry;
    wake();
  });
  tasks_.add(examine(std::move(*examination)).attach(kj::mv(done)));
  return true;
}

kj::Promise<void> InstrumentWatch::examine(Examination examination) {
  kj::Promise<std::string> target = examination.path;
  if (examination.stamp.linked) target = services_.loop.on_pool([path = examination.path] { return resolved(path); });
  auto reading = target.then([this, root = root_of(examination.path), size_bytes = examination.stamp.size_bytes](std::string path) {
    return services_.reader.read(std::move(path), root, size_bytes);
  });
  return reading.then([this, examination = std::move(examination)](kj::Own<capnp::MessageReader> report) mutable {
    auto looking = services_.loop.on_pool([path = examination.path] { return look_at(path); });
    return looking.then([this, examination = std::move(examination), report = kj::mv(report)](Look after) mutable {
      examined(examination, kj::mv(report), after);
    });
  });
}

void InstrumentWatch::examined(const Examination& examination, kj::Own<capnp::MessageReader> message, const Look& after) {
  const std::string& path = examination.path;
  auto report = message->getRoot<schema::RawFileReport>();
  Verdict verdict = verdict_of(report);
  bool conclude = candidates_.examined(path, verdict, after, now());
  refuse_given_up();
  attend();
  if (!conclude) {
    spdlog::debug("monitor: {} {}: {}", instrument_.name, shown(path), base::printable(verdict.text));
    return;
  }
  std::string known = base::to_utf8(path);
  const Record& before = records_[known];
  Command command;
  auto root = command.get();
  describe(report, instrument_.name, examination, before.seq, root);
  Record record{.seq = before.seq, .run_number = examination.run_number, .sha256 = bytes_of(report.getFile().getSha256()), .refused = true};
  if (root.getBody().isDetectRun()) {
    record.refused = false;
    record.run_number = root.getBody().getDetectRun().getRun().getRunNumber();
  }
  bool same = before.seq != 0 && !before.refused && !record.refused && before.run_number == record.run_number && before.sha256 == record.sha256;
  if (same) {
    // Touched, or written again with the very same bytes.
    candidates_.concluded(path, false, now());
    attend();
    return;
  }
  submit(kj::mv(command), path, std::move(record));
}

void InstrumentWatch::refuse_given_up() {
  while (auto file = candidates_.take_given_up()) {
    Command command;
    describe(*file, instrument_.name, command.get());
    Record record{.seq = records_[base::to_utf8(file->path)].seq, .run_number = file->run_number, .sha256 = {}, .refused = true};
    submit(kj::mv(command), file->path, std::move(record));
  }
}

// ---- telling ----

void InstrumentWatch::submit(Command command, const std::string& path, Record record) {
  auto body = command.body();
  if (body.isDetectRun()) {
    spdlog::info("monitor: {} {} found: {}", instrument_.name, record.run_number, shown(path));
  } else {
    spdlog::info("monitor: {}", base::printable(body.getRefuseFile().getReason().getText().cStr()));
  }
  tasks_.add(services_.submitter.submit(kj::mv(command)).then([this, path, record = std::move(record)](CommandAnswer answer) mutable {
    answered(path, std::move(record), answer);
  }));
}

void InstrumentWatch::answered(const std::string& path, Record record, const CommandAnswer& answer) {
  bool taken = answer.status.is_ok();
  if (taken) {
    if (!answer.events.empty()) record.seq = answer.events.back();
    candidates_.concluded(path, record.refused, now());
    records_[base::to_utf8(path)] = std::move(record);
  } else {
    spdlog::warn("monitor: {} {} not recorded: {}; left until it changes", instrument_.name, shown(path),
                 base::printable(answer.status.message()));
    candidates_.concluded(path, true, now());
  }
  attend();
  services_.wake();  // there is room for another command
}

std::string InstrumentWatch::root_of(const std::string& path) const {
  std::string best;
  for (const std::string& root : instrument_.raw_folders) {
    bool inside = path.starts_with(root) && (root.ends_with('/') || (path.size() > root.size() && path[root.size()] == '/'));
    if (inside && root.size() > best.size()) best = root;
  }
  return best;
}

}  // namespace daemons
