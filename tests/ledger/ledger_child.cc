// A process the tests may kill, or starve of storage.
//   ledger_child append FOLDER ROUND   appends until it is killed; prints each seq once it is answered
//   ledger_child fault FOLDER write    lets a write to the log fail and prints what the ledger makes of it
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "ledger/ledger.h"
#include "tests/ledger/toy_rules.h"
#include "tests/support/commands.h"

namespace {

ledger::Answer note(ledger::Ledger& ledger, const std::string& id, uint64_t run, const std::string& text) {
  return ledger.apply(support::annotate_run(id, "MARI", run, text).reader(), support::person());
}

void append_for_ever(ledger::Ledger& ledger, const std::string& round) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0;; ++i) {
        const std::string id = round + "/" + std::to_string(thread) + "/" + std::to_string(i);
        const auto answer = note(ledger, id, thread, id);
        if (!answer.status.is_ok()) continue;
        const std::string line = std::to_string(answer.events.at(0)) + " " + id + "\n";
        if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(0);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

void say(const char* what, const base::Status& status) {
  std::printf("%s: %s: %s\n", what, std::string(base::code_name(status.code())).c_str(), status.message().c_str());
}

void fail_a_write(std::unique_ptr<ledger::Ledger> ledger, const std::string& folder) {
  for (int i = 0; i < 3; ++i) note(*ledger, std::to_string(i), 1, "text " + std::to_string(i));
  // The kernel refuses to let any file grow: an error of the disk that is not a full one. Only pipes can still be written.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit none{.rlim_cur = 1, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &none);
  const auto failed = note(*ledger, "lost", 1, "text");
  ::setrlimit(RLIMIT_FSIZE, &before);

  say("failed", failed.status);
  std::printf("health: %s\n", ledger->health().state == ledger::Health::State::kReadOnly ? "read-only" : "other");
  say("after", note(*ledger, "after", 1, "text").status);
  std::printf("head: %llu\n", static_cast<unsigned long long>(ledger->head()));
  std::printf("read: %s\n", support::note_of(*ledger->snapshot(), "MARI", 1)->last.c_str());
  ledger.reset();
  say("reopened", ledger::Ledger::open(folder, {}, base::system_clock(), support::toy_rules()).status());
  std::printf("ended well\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto opened = ledger::Ledger::open(argv[2], {}, base::system_clock(), support::toy_rules());
  if (!opened.is_ok()) {
    std::fprintf(stderr, "%s\n", opened.status().message().c_str());
    return 1;
  }
  if (std::string(argv[1]) == "append") {
    append_for_ever(**opened, argv[3]);
  } else {
    fail_a_write(std::move(opened).value(), argv[2]);
  }
}
