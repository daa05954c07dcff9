// What is seen on the terminal while a password is asked for.
#include "tools/password.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <functional>

#include "tests/tools/access_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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

class PasswordTest : public AccessTest {
 protected:
  /// `runledger login WORDS`, typed on a terminal; it says how it ended.
  std::function<int()> login(std::vector<std::string> words) {
    return [this, words = std::move(words)]() mutable {
      words.insert(words.begin(), "login");
      const Ran ran = command(words);
      const std::string text = ran.out + ran.err + "ended\n";
      return write(STDOUT_FILENO, text.data(), text.size()) < 0 ? 99 : ran.exit_code;
    };
  }
};

TEST_F(PasswordTest, IsAskedForWithoutEcho) {
  OnTerminal terminal(login({"alice"}));
  terminal.wait_for("password of alice: ");
  EXPECT_FALSE(terminal.echoes());
  terminal.type(std::string(kPassword) + "\n");
  EXPECT_THAT(terminal.wait_for("ended"), HasSubstr("logged in as alice"));
  EXPECT_TRUE(terminal.echoes());
  EXPECT_THAT(terminal.shown(), Not(HasSubstr(kPassword)));
  EXPECT_EQ(terminal.end(), 0);
}

TEST_F(PasswordTest, TheAccountIsAskedForToo) {
  OnTerminal terminal(login({}));
  terminal.wait_for("]: ");
  terminal.type("alice\n");
  terminal.wait_for("password of alice: ");
  terminal.type(std::string(kPassword) + "\n");
  EXPECT_THAT(terminal.wait_for("ended"), HasSubstr("logged in as alice"));
  EXPECT_EQ(terminal.end(), 0);
}

TEST_F(PasswordTest, AnInterruptLeavesTheTerminalAsItWas) {
  OnTerminal terminal(login({"alice"}));
  terminal.wait_for("password of alice: ");
  terminal.type("half of it");
  terminal.type("\x03");
  const int status = terminal.end();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
  EXPECT_TRUE(terminal.echoes());
}

TEST_F(PasswordTest, AfterAStopItIsAskedForAgain) {
  OnTerminal terminal(login({"alice"}));
  terminal.wait_for("password of alice: ");
  terminal.type("forgotten");
  terminal.type("\x1a");
  terminal.wait_for("password of alice: ");
  EXPECT_FALSE(terminal.echoes());
  terminal.type(std::string(kPassword) + "\n");
  EXPECT_THAT(terminal.wait_for("ended"), HasSubstr("logged in as alice"));
  EXPECT_THAT(terminal.shown(), AllOf(Not(HasSubstr(kPassword)), Not(HasSubstr("forgotten"))));
  EXPECT_EQ(terminal.end(), 0);
}

TEST_F(PasswordTest, WithoutATerminalTheOtherWayIsNamed) {
  const pid_t child = fork();
  if (child == 0) {
    setsid();  // no terminal
    const Ran ran = command({"login", "alice"});
    _exit(ran.exit_code == 2 && ran.err.find("--password-fd") != std::string::npos && ledger.access.asked.empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(SecretTest, IsOverwrittenWhenItGoesOrMoves) {
  alignas(tools::Secret) char room[sizeof(tools::Secret)];
  auto* secret = new (room) tools::Secret;
  for (char c : std::string("correct horse")) secret->append(c);
  tools::Secret moved = std::move(*secret);
  EXPECT_EQ(moved.view(), "correct horse");
  secret->~Secret();
  EXPECT_EQ(std::string(room, sizeof room).find("horse"), std::string::npos);
}

}  // namespace
}  // namespace fake
