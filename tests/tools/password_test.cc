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
#include "tests/tools/on_terminal.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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
