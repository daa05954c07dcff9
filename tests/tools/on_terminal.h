// Command lines that ask on the terminal.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

namespace fake {

/// A terminal, and a process that was started from it.
class OnTerminal {
 public:
  explicit OnTerminal(const std::function<int()>& work) {
    child_ = forkpty(&master_, nullptr, nullptr, nullptr);
    if (child_ == 0) _exit(work());
    slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY);  // so that it stays when the process goes
  }
  ~OnTerminal() {
    close(slave_);
    close(master_);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  /// What is shown up to and with `text`.
  std::string wait_for(const std::string& text) {
    while (unread_.find(text) == std::string::npos) {
      char byte = 0;
      if (read(master_, &byte, 1) != 1) {
        ADD_FAILURE() << "'" << text << "' is not shown, only: " << unread_;
        return unread_;
      }
      unread_ += byte;
    }
    shown_ += unread_;
    return std::exchange(unread_, {});
  }
  void type(const std::string& text) { EXPECT_EQ(write(master_, text.data(), text.size()), static_cast<ssize_t>(text.size())); }
  bool echoes() const {
    termios state{};
    EXPECT_EQ(tcgetattr(slave_, &state), 0);
    return (state.c_lflag & ECHO) != 0;
  }
  const std::string& shown() const { return shown_; }
  /// As waitpid says.
  int end() {
    int status = 0;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    return status;
  }

 private:
  pid_t child_ = -1;
  int master_ = -1, slave_ = -1;
  std::string unread_, shown_;
};

}  // namespace fake
