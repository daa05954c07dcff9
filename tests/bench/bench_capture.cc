// What it costs to capture a script whose folder has not changed, against capturing it anew and against bare stat calls.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "scripts/capture_cache.h"
#include "tests/bench/measured.h"
#include "tests/support/temporary_folder.h"

namespace {

using bench::die;
using schema::Contract;

constexpr int kSiblings = 20, kStats = 40;
constexpr int kRounds = 25, kCalls = 200;

/// Files that were written long ago.
class LaterClock final : public base::Clock {
  int64_t now_ns() const override { return base::system_clock().now_ns() + 60'000'000'000; }
};

/// A script of 300 lines that imports 20 neighbours and the usual modules of a facility's environment.
std::vector<std::string> fill(const support::TemporaryFolder& folder) {
  std::string script = "import os, sys, json, math, time\nimport numpy as np\nfrom mantid.simpleapi import *\n";
  std::vector<std::string> paths;
  for (int i = 0; i < kSiblings; ++i) {
    const std::string name = fmt::format("helper_{:02}", i);
    script += fmt::format("from {} import step\n", name);
    std::string text;
    for (int line = 0; line < 200; ++line) text += fmt::format("def step{}(workspace, factor={}):\n    return workspace * factor  # as in the manual\n", line, line);
    paths.push_back(folder.write(name + ".py", text));
    paths.push_back(folder / name);
  }
  for (int line = 0; line < 150; ++line) script += fmt::format("    value_{} = standard_vars['name {}']\n", line, line % 10);
  folder.write("reduce.py", script);
  folder.write("reduce_vars.py", "standard_vars = {}\n");
  return paths;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

double us_a_call(const std::function<void()>& once, int calls) {
  const auto begin = bench::Clock::now();
  for (int i = 0; i < calls; ++i) once();
  return bench::seconds_since(begin) * 1e6 / calls;
}

}  // namespace

int main() {
  const support::TemporaryFolder folder;
  const std::vector<std::string> paths = fill(folder);
  const LaterClock clock;
  scripts::CaptureCache cache(clock);
  scripts::Places places;
  const std::string script = folder / "reduce.py";
  if (auto captured = scripts::capture(script, Contract::ISIS, &places); !captured.is_ok() || captured->siblings.size() != kSiblings + 1) die("the script is not captured");
  const auto first = cache.capture(script, Contract::ISIS);
  const auto unchanged = [&] {
    if (*cache.capture(script, Contract::ISIS) != *first) die("the script was read again");
  };
  const auto cold = [&] { scripts::capture(script, Contract::ISIS).status().ignore(); };
  const auto bare = [&] {
    struct stat status {};
    for (int i = 0; i < kStats; ++i) (void)!stat(paths[static_cast<size_t>(i)].c_str(), &status);
  };
  std::vector<double> unchanged_us, cold_us, bare_us;
  for (int round = 0; round < kRounds; ++round) {
    unchanged_us.push_back(us_a_call(unchanged, kCalls));
    cold_us.push_back(us_a_call(cold, kCalls / 10));
    bare_us.push_back(us_a_call(bare, kCalls));
  }
  fmt::print("a script with {} siblings, {} places looked at; medians of {} rounds\n", kSiblings + 1, places.size(), kRounds);
  fmt::print("captured, unchanged {:8.1f} us\n", median(unchanged_us));
  fmt::print("captured, anew      {:8.1f} us\n", median(cold_us));
  fmt::print("{} bare stat calls  {:8.1f} us\n", kStats, median(bare_us));
}
