// runledger-supervise [--memory BYTES] -- PROGRAM ARGS...
//
// Runs one program and answers for everything that comes of it: nothing the program starts, in whatever session or process
// group, is alive once this program ends. It is the subreaper of its descendants, so an orphan becomes its child and not init's.
//
//   stdin   from the worker. Its end (also the worker's death), or a byte 'K', means: kill everything now.
//   stdout, stderr   the program's own.
//   fd 3    one line when all is over, then the end of file:
//             exited N | signaled N | failed-to-start ERRNO   followed by   rss BYTES user MS system MS left N
//           rss: largest resident set of one process; user, system: processor time of all; left: processes the program
//           left behind, killed here.
//
// Plain POSIX and Linux, nothing else linked: it must start in a millisecond and must not fail for want of anything.
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kControl = 0;
constexpr int kStatus = 3;
constexpr int kUsage = 2;

[[noreturn]] void die(const char* what) {
  fprintf(stderr, "runledger-supervise: %s: %s\n", what, strerror(errno));
  _exit(kUsage);
}

struct Request {
  uint64_t memory_bytes = 0;  // 0 = no limit
  char** program = nullptr;
};

Request parse(int argc, char** argv) {
  Request request;
  int i = 1;
  if (i + 1 < argc && std::string_view(argv[i]) == "--memory") {
    char* end = nullptr;
    errno = 0;
    request.memory_bytes = strtoull(argv[i + 1], &end, 10);
    if (errno != 0 || end == argv[i + 1] || *end != 0) {
      errno = EINVAL;
      die("--memory takes a number of bytes");
    }
    i += 2;
  }
  if (i + 1 >= argc || std::string_view(argv[i]) != "--") {
    fprintf(stderr, "usage: runledger-supervise [--memory BYTES] -- PROGRAM ARGS...\n");
    _exit(kUsage);
  }
  request.program = argv + i + 1;
  return request;
}

// ---- starting ----

[[noreturn]] void become(const Request& request, pid_t supervisor, const sigset_t& signals, int failure) {
  auto give_up = [&] {
    int error = errno;
    if (write(failure, &error, sizeof error) < 0) _exit(126);
    _exit(127);
  };
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) _exit(127);  // it died before the line above took effect
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  if (request.memory_bytes > 0) {
    rlimit limit{request.memory_bytes, request.memory_bytes};
    if (setrlimit(RLIMIT_DATA, &limit) != 0) give_up();
  }
  int nothing = open("/dev/null", O_RDONLY);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) give_up();
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    for (int fd = 3; fd < 1024; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  execvp(request.program[0], request.program);
  give_up();
  _exit(127);
}

/// Starts the program; `error` is why it could not be, 0 if it could.
pid_t start(const Request& request, const sigset_t& signals, int* error) {
  int failure[2];
  if (pipe2(failure, O_CLOEXEC) != 0) die("pipe");
  pid_t supervisor = getpid();
  pid_t child = fork();
  if (child == 0) become(request, supervisor, signals, failure[1]);
  *error = child < 0 ? errno : 0;
  close(failure[1]);
  if (child > 0) {
    ssize_t size;
    do {
      size = read(failure[0], error, sizeof *error);
    } while (size < 0 && errno == EINTR);
    if (size != static_cast<ssize_t>(sizeof *error)) *error = 0;
  }
  close(failure[0]);
  return child;
}

// ---- ending ----

std::vector<pid_t> children() {
  std::vector<pid_t> found;
  std::string path = "/proc/self/task/" + std::to_string(getpid()) + "/children";
  FILE* list = fopen(path.c_str(), "re");
  if (list == nullptr) return found;
  int pid = 0;
  while (fscanf(list, "%d", &pid) == 1) found.push_back(pid);
  fclose(list);
  return found;
}

struct Family {
  pid_t main = 0;
  bool main_reaped = false;
  int main_status = 0;
  unsigned left_behind = 0;

  void note(pid_t pid, int status) {
    if (pid == main) {
      main_reaped = true;
      main_status = status;
    } else {
      left_behind += 1;
    }
  }

  /// Takes in orphans that ended by themselves. True once the program itself has ended; it is left unreaped, so that
  /// its process group cannot yet be anybody else's.
  bool main_ended() {
    for (;;) {
      siginfo_t info{};
      if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return false;
      if (info.si_pid == main) return true;
      waitpid(info.si_pid, nullptr, 0);
    }
  }

  /// Kills every descendant and waits for its end. A child is killed before it is reaped, so its number is still its own, and with
  /// it its process group; what hangs below it becomes a child of ours when it is gone, and is found in the next round.
  void end() {
    if (!main_reaped) kill(-main, SIGKILL);
    for (;;) {
      std::vector<pid_t> alive = children();
      for (pid_t pid : alive) {
        pid_t group = getpgid(pid);
        if (group > 0 && group != getpgrp()) kill(-group, SIGKILL);
        kill(pid, SIGKILL);
      }
      int status = 0;
      pid_t pid = waitpid(-1, &status, alive.empty() ? WNOHANG : 0);
      if (pid < 0 && errno == ECHILD) return;
      if (pid == 0) sched_yield();
      while (pid > 0) {
        note(pid, status);
        pid = waitpid(-1, &status, WNOHANG);
      }
    }
  }
};

uint64_t milliseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1000 + static_cast<uint64_t>(time.tv_usec) / 1000;
}

int report(const std::string& outcome, unsigned left_behind) {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  std::string line = outcome + " rss " + std::to_string(static_cast<uint64_t>(usage.ru_maxrss) * 1024) + " user " +
                     std::to_string(milliseconds(usage.ru_utime)) + " system " + std::to_string(milliseconds(usage.ru_stime)) +
                     " left " + std::to_string(left_behind) + "\n";
  return write(kStatus, line.data(), line.size()) == static_cast<ssize_t>(line.size()) ? 0 : 1;
}

std::string outcome(int status) {
  if (WIFEXITED(status)) return "exited " + std::to_string(WEXITSTATUS(status));
  return "signaled " + std::to_string(WTERMSIG(status));
}

/// True when the worker wants an end, or is gone.
bool told_to_end() {
  char bytes[64];
  ssize_t size = read(kControl, bytes, sizeof bytes);
  if (size < 0) return errno != EAGAIN && errno != EINTR;
  return size == 0 || memchr(bytes, 'K', static_cast<size_t>(size)) != nullptr;
}

/// Waits until the program ends or somebody wants it to.
void watch(Family& family, int signals) {
  for (;;) {
    pollfd waiting[2] = {{kControl, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[0].revents != 0 && told_to_end()) return;
    if (waiting[1].revents == 0) continue;
    signalfd_siginfo signal{};
    while (read(signals, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
      if (signal.ssi_signo != SIGCHLD) return;
    }
    if (family.main_ended()) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  Request request = parse(argc, argv);
  if (fcntl(kStatus, F_SETFD, FD_CLOEXEC) != 0) die("fd 3, for the status line, is not open");
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) die("becoming the subreaper of the program");
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);

  sigset_t handled, before;
  sigemptyset(&handled);
  for (int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&handled, number);
  sigprocmask(SIG_BLOCK, &handled, &before);
  for (int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigdelset(&before, number);
  int signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) die("signalfd");

  Family family;
  int error = 0;
  family.main = start(request, before, &error);
  if (error != 0) {
    if (family.main > 0) waitpid(family.main, nullptr, 0);
    return report("failed-to-start " + std::to_string(error), 0);
  }
  watch(family, signals);
  family.end();
  return report(outcome(family.main_status), family.left_behind);
}
