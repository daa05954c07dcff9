#include "tools/password.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

namespace tools {
namespace {

using base::Code;

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
volatile sig_atomic_t caught_signal = 0;

/// The terminal this program was started from.
class OwnTerminal {
 public:
  OwnTerminal() : descriptor_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}
  ~OwnTerminal() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  OwnTerminal(const OwnTerminal&) = delete;
  OwnTerminal& operator=(const OwnTerminal&) = delete;
  base::Status status() const {
    if (descriptor_ >= 0) return {};
    return {Code::kUnavailable, "there is no terminal to ask on; name the account and give the password with --password-fd"};
  }
  int descriptor() const { return descriptor_; }
  void write(std::string_view text) const {
    // What cannot be shown is not asked for: the read that follows fails too.
    if (::write(descriptor_, text.data(), text.size()) < 0) return;
  }

 private:
  const int descriptor_;
};

/// While it lives, signals that would end or stop the program are noted, and come only to who waits with waiting_mask().
class HeldSignals {
 public:
  HeldSignals() {
    caught_signal = 0;
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < kSignals.size(); ++i) {
      sigaddset(&held, kSignals[i]);
      struct sigaction note {};
      note.sa_handler = [](int signal) { caught_signal = signal; };
      sigaction(kSignals[i], &note, &before_[i]);
    }
    pthread_sigmask(SIG_BLOCK, &held, &mask_);
  }
  ~HeldSignals() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  const sigset_t* waiting_mask() const { return &mask_; }

 private:
  std::array<struct sigaction, kSignals.size()> before_{};
  sigset_t mask_{};
};

/// The terminal shows nothing of what is typed.
class NoEcho {
 public:
  explicit NoEcho(int terminal) : terminal_(terminal) {
    if (tcgetattr(terminal_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    is_set_ = tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
  }
  ~NoEcho() {
    if (is_set_) tcsetattr(terminal_, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  bool is_set() const { return is_set_; }

 private:
  const int terminal_;
  termios before_{};
  bool is_set_ = false;
};

/// Bytes up to the end of the line. nullopt: a signal came.
std::optional<base::Result<Secret>> read_line(int descriptor, const sigset_t* waiting_mask) {
  Secret line;
  while (true) {
    pollfd readable{descriptor, POLLIN, 0};
    if (ppoll(&readable, 1, nullptr, waiting_mask) < 0) {
      if (errno == EINTR && caught_signal != 0) return std::nullopt;
      if (errno == EINTR) continue;
    }
    char byte = 0;
    const ssize_t got = read(descriptor, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::Result<Secret>(base::Status(Code::kInvalidArgument, fmt::format("the password cannot be read: {}", strerror(errno))));
    if (got == 0 || byte == '\n') break;
    const bool taken = byte != '\0' && line.append(byte);
    if (!taken) {
      return base::Result<Secret>(base::Status(Code::kInvalidArgument, fmt::format("this is no password: it has a zero byte or more than {} bytes", Secret::kMaxBytes)));
    }
  }
  if (line.view().empty()) return base::Result<Secret>(base::Status(Code::kInvalidArgument, "no password was given"));
  return base::Result<Secret>(std::move(line));
}

/// nullopt: a signal came; the terminal is as it was.
std::optional<base::Result<Secret>> ask_once(const OwnTerminal& terminal, const std::string& prompt) {
  HeldSignals signals;
  NoEcho silence(terminal.descriptor());
  if (!silence.is_set()) return base::Result<Secret>(base::Status(Code::kUnavailable, "the terminal would show the password; give it with --password-fd"));
  terminal.write(prompt);
  auto line = read_line(terminal.descriptor(), signals.waiting_mask());
  terminal.write("\n");
  return line;
}

}  // namespace

base::Result<Secret> ask_password(const std::string& prompt) {
  const OwnTerminal terminal;
  if (!terminal.status().is_ok()) return terminal.status();
  while (true) {
    auto answer = ask_once(terminal, prompt);
    if (answer) return std::move(*answer);
    const int signal = caught_signal;
    raise(signal);  // now as without us: it ends the program, or stops it until it is continued
    if (signal != SIGTSTP) return base::Status(Code::kInvalidArgument, "interrupted; no password was given");
  }
}

base::Result<std::string> ask_line(const std::string& prompt, const std::string& otherwise) {
  const OwnTerminal terminal;
  if (!terminal.status().is_ok()) return terminal.status();
  terminal.write(prompt);
  std::string line;
  char byte = 0;
  while (read(terminal.descriptor(), &byte, 1) == 1 && byte != '\n') line += byte;
  return line.empty() ? otherwise : line;
}

base::Result<Secret> read_password(int descriptor) {
  auto line = read_line(descriptor, nullptr);
  if (!line) return base::Status(Code::kInvalidArgument, "interrupted; no password was given");
  if (line->is_ok()) return std::move(*line);
  return line->status().in(fmt::format("--password-fd {}", descriptor));
}

void keep_out_of_core_dumps() { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

}  // namespace tools
