// What one measurement found, and how it is taken; for the programs of this folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

constexpr size_t kEventBytes = 400;  // about what a detected run takes; what peers and reference loops write

[[noreturn]] void die(const std::string& why);

inline double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }
inline Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// Latencies in microseconds, and how many events they brought in how long.
struct Measured {
  uint64_t events = 0;
  double seconds = 0;
  std::vector<float> latencies_us;
  std::map<std::string, double> more;  // by name, what else is of interest

  void took(Clock::time_point begin) { latencies_us.push_back(static_cast<float>(seconds_since(begin) * 1e6)); }
  /// One line of JSON.
  void print();
};

/// Calls `once` (which answers how many events it brought) for that long, from each of `threads` threads.
Measured measure(double seconds, int threads, const std::function<uint64_t(int thread, uint64_t call)>& once);
/// One piece of work of so many events.
Measured timed(uint64_t events, const std::function<void()>& work);

/// Resident memory of this process now, KiB.
double resident_kib();

/// Counts table files (*.sst) that come and go in a folder: whether something was flushed and compacted meanwhile.
class TableFiles {
 public:
  explicit TableFiles(const std::string& folder);
  ~TableFiles();
  TableFiles(const TableFiles&) = delete;
  TableFiles& operator=(const TableFiles&) = delete;
  /// Puts `tables_made` and `tables_dropped` into `measured`.
  void note(Measured& measured);

 private:
  int watch_;
};

}  // namespace bench
