// What is said to whoever types a command line that is none.
#include "tools/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/fake_session.h"

namespace fake {
namespace {

std::string message(std::vector<std::string> arguments) {
  Ledger ledger;
  Ran ran = run(ledger, std::move(arguments));
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  return ran.err;
}

TEST(ProgramTest, UnknownCommandIsNamed) {
  // "A subcommand is required".
  EXPECT_EQ(message({"frobnicate"}), "runledger: 'frobnicate' is no command; runledger --help lists those there are\n");
  EXPECT_EQ(message({"frobnicate", "MARI", "--json"}),
            "runledger: 'frobnicate' is no command; runledger --help lists those there are\n");
  EXPECT_EQ(message({"--json", "sattus"}),
            "runledger: 'sattus' is no command; runledger --help lists those there are; did you mean status?\n");
}

TEST(ProgramTest, UnknownCommandOfAFamilyIsNamed) {
  EXPECT_EQ(message({"vars", "shwo", "MARI"}),
            "runledger: 'shwo' is no command; runledger vars --help lists those there are; did you mean show?\n");
  EXPECT_EQ(message({"script", "frobnicate"}),
            "runledger: 'frobnicate' is no command; runledger script --help lists those there are\n");
}

TEST(ProgramTest, CommandThatIsMissingIsAskedFor) {
  EXPECT_EQ(message({}), "runledger: which command? runledger --help lists them\n");
  EXPECT_EQ(message({"--json"}), "runledger: which command? runledger --help lists them\n");
  EXPECT_EQ(message({"vars"}), "runledger: which command? runledger vars --help lists them\n");
}

TEST(ProgramTest, UnknownOptionIsNamed) {
  EXPECT_EQ(message({"runs", "--sate", "failed"}),
            "runledger: '--sate' is no option of runledger runs; runledger runs --help lists those there are; did you mean --site "
            "or --state or --at?\n");
  EXPECT_EQ(message({"--frobnicate"}),
            "runledger: '--frobnicate' is no option of runledger; runledger --help lists those there are\n");
}

TEST(ProgramTest, WordTooManyIsNamed) {
  EXPECT_EQ(message({"status", "MARI"}), "runledger: 'MARI' is one word too many; see runledger status --help\n");
  EXPECT_EQ(message({"pause", "MARI", "SANS2D"}), "runledger: 'SANS2D' is one word too many; see runledger pause --help\n");
}

TEST(ProgramTest, OptionWithoutItsValueIsNamed) { EXPECT_THAT(message({"runs", "--limit"}), testing::HasSubstr("--limit")); }

}  // namespace
}  // namespace fake
