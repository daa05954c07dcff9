#include "tests/bench/server_process.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/bench/measured.h"

namespace bench {

ServerProcess::ServerProcess(const std::function<void(const Say&)>& serve) {
  int ends[2];
  if (pipe(ends) != 0) die("no pipe");
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    serve([&](const std::string& address) {
      if (write(ends[1], address.data(), address.size()) < 0) die("the pipe is gone");
      close(ends[1]);
    });
    _exit(0);
  }
  close(ends[1]);
  char text[256];
  const ssize_t size = read(ends[0], text, sizeof(text));
  if (size <= 0) die("the server does not listen");
  address_.assign(text, static_cast<size_t>(size));
  close(ends[0]);
}

ServerProcess::~ServerProcess() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

double ServerProcess::resident_kib() const {
  std::ifstream file(fmt::format("/proc/{}/statm", pid_));
  double all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024;
}

}  // namespace bench
