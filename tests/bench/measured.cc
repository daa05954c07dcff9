#include "tests/bench/measured.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string_view>
#include <thread>

namespace bench {

void die(const std::string& why) {
  fmt::print(stderr, "bench: {}\n", why);
  std::exit(1);
}

void Measured::print() {
  std::sort(latencies_us.begin(), latencies_us.end());
  const auto at = [&](double part) {
    return latencies_us.empty() ? 0.f : latencies_us[static_cast<size_t>(part * (latencies_us.size() - 1))];
  };
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  std::string rest;
  for (const auto& [name, value] : more) rest += fmt::format(", \"{}\": {:.1f}", name, value);
  fmt::print(
      "{{\"rate\": {:.1f}, \"events\": {}, \"p50_us\": {:.1f}, \"p99_us\": {:.1f}, \"p999_us\": {:.1f}, \"seconds\": {:.5f}, "
      "\"peak_kib\": {}{}}}\n",
      seconds > 0 ? events / seconds : 0, events, at(.5), at(.99), at(.999), seconds, used.ru_maxrss, rest);
}

Measured measure(double seconds, int threads, const std::function<uint64_t(int thread, uint64_t call)>& once) {
  Measured all;
  std::mutex mutex;
  std::vector<std::thread> running;
  const auto begin = Clock::now();
  const auto end = after(seconds);
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      Measured own;
      for (uint64_t call = 0; Clock::now() < end; ++call) {
        const auto before = Clock::now();
        own.events += once(thread, call);
        own.took(before);
      }
      std::lock_guard lock(mutex);
      all.events += own.events;
      all.latencies_us.insert(all.latencies_us.end(), own.latencies_us.begin(), own.latencies_us.end());
    });
  }
  for (std::thread& each : running) each.join();
  all.seconds = seconds_since(begin);
  return all;
}

Measured timed(uint64_t events, const std::function<void()>& work) {
  Measured measured;
  const auto begin = Clock::now();
  work();
  measured.seconds = seconds_since(begin);
  measured.events = events;
  return measured;
}

double resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atof(line.c_str() + 6);
  }
  return 0;
}

TableFiles::TableFiles(const std::string& folder) : watch_(::inotify_init1(IN_NONBLOCK)) {
  if (watch_ < 0 || ::inotify_add_watch(watch_, folder.c_str(), IN_CREATE | IN_DELETE) < 0) die(folder + " cannot be watched");
}
TableFiles::~TableFiles() { ::close(watch_); }

void TableFiles::note(Measured& measured) {
  double made = 0, dropped = 0;
  alignas(inotify_event) char buffer[1 << 16];
  for (ssize_t size; (size = ::read(watch_, buffer, sizeof buffer)) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      if (event->len == 0 || !std::string_view(event->name).ends_with(".sst")) continue;
      (event->mask & IN_CREATE ? made : dropped) += 1;
    }
  }
  measured.more["tables_made"] = made;
  measured.more["tables_dropped"] = dropped;
}

}  // namespace bench
