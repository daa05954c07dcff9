#include "daemons/monitor/monitor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/counted.h"
#include "base/program.h"
#include "base/text.h"
#include "daemons/event_watch.h"
#include "daemons/monitor/instrument_watch.h"
#include "daemons/refusal.h"
#include "daemons/signs_of_life.h"
#include "rpc/loop.h"

namespace daemons {
namespace {

constexpr uint32_t kFilesPerPage = 1000;
constexpr size_t kTroublesTold = 5;
constexpr size_t kDetailBytes = 2000;

MonitorSettings completed(MonitorSettings settings) {
  if (settings.reader.program.empty()) settings.reader.program = base::companion_program("runledger-read-raw");
  return settings;
}

}  // namespace

struct Monitor::Impl final : kj::TaskSet::ErrorHandler {
  Impl(rpc::Loop& loop_used, schema::Session::Client session, MonitorSettings wanted, ProcessLauncher& launcher, const base::Clock& clock)
      : loop(loop_used),
        settings(completed(std::move(wanted))),
        port(daemon_port(session)),
        runs(session.runsRequest().send().getRuns()),
        reader(settings.make_reader ? settings.make_reader(loop) : make_reader_pool(loop, launcher, settings.reader)),
        submitter(loop.timer(), port, settings.submitter),
        signs_of_life(loop, port, settings.alive_ms * kj::MILLISECONDS, [this] { return detail(); }),
        services{loop, clock, settings, *reader, submitter, [this] { pump(); }, [this] { if (!closing) signs_of_life.changed(); }},
        tasks(*this) {}

  ~Impl() noexcept(false) { closing = true; }

  schema::DaemonPort::Client daemon_port(schema::Session::Client& session) {
    auto request = session.daemonRequest();
    request.setRole(schema::DaemonRole::MONITOR);
    request.setName(settings.name.c_str());
    auto response = request.send();
    auto given = response.getPort();
    granted = response.then([](auto&& answer) { require_granted(answer.getRefusal(), "the ledger does not let monitord work"); });
    return given;
  }

  void taskFailed(kj::Exception&& exception) override {
    if (fail) fail->reject(kj::mv(exception));
  }

  kj::Promise<void> run();
  kj::Promise<void> subscribe();
  kj::Promise<void> refresh();
  void refresh_soon();
  kj::Promise<void> follow(WatchedInstrument instrument);
  kj::Promise<void> load(InstrumentWatch& watch, kj::Array<kj::byte> after);
  void pump();
  std::string detail() const;

  rpc::Loop& loop;
  const MonitorSettings settings;
  kj::Maybe<kj::Promise<void>> granted;
  schema::DaemonPort::Client port;
  schema::Runs::Client runs;
  std::unique_ptr<RawFileReader> reader;
  Submitter submitter;
  SignsOfLife signs_of_life;
  MonitorServices services;
  kj::Maybe<EventWatch> configuration;
  kj::Own<kj::PromiseFulfiller<void>> fail;
  std::map<std::string, std::unique_ptr<InstrumentWatch>> instruments;
  std::map<std::string, kj::Promise<void>> following;  // dropped before its InstrumentWatch
  std::string last_served;
  size_t readers_busy = 0, retries_busy = 0;
  bool refreshing = false, refresh_again = false, closing = false;
  kj::TaskSet tasks;
};

Monitor::Monitor(rpc::Loop& loop, schema::Session::Client session, MonitorSettings settings, ProcessLauncher& launcher,
                 const base::Clock& clock)
    : impl_(std::make_unique<Impl>(loop, kj::mv(session), std::move(settings), launcher, clock)) {}
Monitor::~Monitor() = default;
kj::Promise<void> Monitor::run() { return impl_->run(); }
std::string Monitor::detail() const { return impl_->detail(); }

kj::Promise<void> Monitor::Impl::run() {
  auto pair = kj::newPromiseAndFulfiller<void>();
  fail = kj::mv(pair.fulfiller);
  KJ_IF_MAYBE (answer, granted) tasks.add(kj::mv(*answer));
  granted = nullptr;
  tasks.add(subscribe().then([this] { refresh_soon(); }));
  tasks.add(signs_of_life.run());
  return kj::mv(pair.promise);
}

/// Before the instruments are listed, so that no change falls between.
kj::Promise<void> Monitor::Impl::subscribe() {
  return EventWatch::start(runs, {schema::Event::Body::INSTRUMENT_CONFIGURED}, [this](schema::Event::Reader) { refresh_soon(); })
      .then([this](EventWatch watch) { tasks.add(configuration.emplace(kj::mv(watch)).ended()); });
}

void Monitor::Impl::refresh_soon() {
  if (closing) return;
  if (std::exchange(refreshing, true)) {
    refresh_again = true;
    return;
  }
  tasks.add(refresh().then([this] {
    refreshing = false;
    if (std::exchange(refresh_again, false)) refresh_soon();
  }));
}

kj::Promise<void> Monitor::Impl::refresh() {
  return runs.instrumentsRequest().send().then([this](auto&& answer) {
    std::set<std::string> listed;
    kj::Vector<kj::Promise<void>> started;
    for (auto row : answer.getInstruments()) {
      if (row.getConfig().getRetired()) continue;
      auto instrument = WatchedInstrument::from(row.getConfig());
      listed.insert(instrument.name);
      auto at = instruments.find(instrument.name);
      if (at != instruments.end() && at->second->instrument() == instrument) continue;
      started.add(follow(std::move(instrument)));
    }
    for (auto at = instruments.begin(); at != instruments.end();) {
      if (listed.contains(at->first)) {
        ++at;
        continue;
      }
      following.erase(at->first);
      at = instruments.erase(at);
    }
    services.changed();
    return kj::joinPromises(started.releaseAsArray());
  });
}

kj::Promise<void> Monitor::Impl::follow(WatchedInstrument instrument) {
  std::string name = instrument.name;
  following.erase(name);
  auto& watch = instruments[name];
  watch = nullptr;
  watch = std::make_unique<InstrumentWatch>(services, std::move(instrument));
  return load(*watch, nullptr).then([this, name, &started = *watch] {
    auto running = started.run().eagerlyEvaluate([this](kj::Exception&& exception) {
      if (fail) fail->reject(kj::mv(exception));
    });
    following.insert_or_assign(name, kj::mv(running));
  });
}

kj::Promise<void> Monitor::Impl::load(InstrumentWatch& watch, kj::Array<kj::byte> after) {
  auto request = port.filesRequest();
  request.setInstrument(watch.instrument().name.c_str());
  request.setLimit(kFilesPerPage);
  request.setAfter(after);
  return request.send().then([this, &watch](auto&& answer) -> kj::Promise<void> {
    if (answer.getRefusal().getCode() == schema::Refusal::Code::NOT_FOUND) return kj::READY_NOW;  // configured, and no file yet
    require_granted(answer.getRefusal(), "the ledger does not say which files it has");
    for (auto row : answer.getFiles()) watch.record(row);
    if (answer.getNext().size() == 0) return kj::READY_NOW;
    return load(watch, kj::heapArray<kj::byte>(answer.getNext()));
  });
}

/// Gives free readers work, one instrument after another.
void Monitor::Impl::pump() {
  if (closing) return;
  size_t most_retries = std::max<size_t>(reader->capacity() - 1, 1);  // files in trouble never have all readers
  while (readers_busy < reader->capacity() && submitter.waiting() < settings.waiting_commands) {
    bool found = false;
    auto at = instruments.upper_bound(last_served);
    for (size_t i = 0; i < instruments.size() && !found; ++i) {
      if (at == instruments.end()) at = instruments.begin();
      last_served = at->first;
      found = at->second && at->second->examine_next(retries_busy < most_retries, readers_busy, retries_busy);
      ++at;
    }
    if (!found) return;
  }
}

std::string Monitor::Impl::detail() const {
  if (instruments.empty() && reader->trouble().empty()) return "no instrument watched yet";
  size_t folders = 0, files = 0;
  std::vector<std::string> troubles;
  if (!reader->trouble().empty()) troubles.push_back(reader->trouble());
  for (const auto& [name, watch] : instruments) {
    if (!watch) continue;
    folders += watch->folder_count();
    files += watch->waiting();
    for (const std::string& trouble : watch->troubles()) troubles.push_back(fmt::format("{}: {}", name, trouble));
  }
  std::string text = fmt::format("{}, {}, {} waiting", base::counted(instruments.size(), "instrument"),
                                 base::counted(folders, "folder"), base::counted(files, "file"));
  for (size_t i = 0; i < std::min(troubles.size(), kTroublesTold); ++i) text += "; " + troubles[i];
  if (troubles.size() > kTroublesTold) text += fmt::format("; and {} more", troubles.size() - kTroublesTold);
  return base::to_utf8(text, kDetailBytes);
}

}  // namespace daemons
