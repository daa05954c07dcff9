// A process that appends until it is killed: prints each seq once it is answered. Usage: ledger_child FOLDER ROUND
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "ledger/ledger.h"
#include "tests/ledger/toy_rules.h"
#include "tests/support/commands.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto opened = ledger::Ledger::open(argv[1], {}, base::system_clock(), support::toy_rules());
  if (!opened.is_ok()) {
    std::fprintf(stderr, "%s\n", opened.status().message().c_str());
    return 1;
  }
  ledger::Ledger& ledger = **opened;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0;; ++i) {
        const std::string id = std::string(argv[2]) + "/" + std::to_string(thread) + "/" + std::to_string(i);
        const auto answer = ledger.apply(support::annotate_run(id, "MARI", thread, id).reader(), support::person());
        if (!answer.status.is_ok()) continue;
        char line[192];
        const int size = std::snprintf(line, sizeof line, "%llu %s\n", static_cast<unsigned long long>(answer.events.at(0)), id.c_str());
        if (::write(STDOUT_FILENO, line, size) != size) ::_exit(0);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}
