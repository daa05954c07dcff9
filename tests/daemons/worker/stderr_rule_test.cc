#include "daemons/worker/stderr_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using daemons::AttemptVerdict;
using Outcome = AttemptVerdict::Outcome;

AttemptVerdict judge(const std::string& errors, const std::vector<std::string>& allowed = {}, const std::string& message = "") {
  AttemptVerdict verdict;
  verdict.outcome = Outcome::kSucceeded;
  verdict.message = message;
  daemons::apply_stderr_rule(verdict, errors, allowed);
  return verdict;
}

TEST(StderrRuleTest, BlankTextIsNoComplaint) {
  EXPECT_EQ(judge("").outcome, Outcome::kSucceeded);
  EXPECT_EQ(judge(" \n\r\n\t\n").outcome, Outcome::kSucceeded);
}

TEST(StderrRuleTest, LastErrorIsTheSentence) {
  AttemptVerdict verdict = judge("Error: first\nRuntimeError: no beam in run 7\nand more talk\n");
  EXPECT_EQ(verdict.outcome, Outcome::kFailed);
  EXPECT_EQ(verdict.kind, schema::FailureKind::SCRIPT_EXIT);
  EXPECT_EQ(verdict.message, "no beam in run 7");
}

TEST(StderrRuleTest, WithoutAnErrorTheLastLineIs) { EXPECT_EQ(judge("one\n  a warning \n\n").message, "a warning"); }

TEST(StderrRuleTest, ErrorThatSaysNothingIsPassedOver) { EXPECT_EQ(judge("Error: full\nError: \n").message, "full"); }

TEST(StderrRuleTest, AllowedLineMakesItASuccessAndIsKept) {
  AttemptVerdict verdict = judge("Error: file busy\nFigure has no [0-9] axes\n", {"^nothing$", "no \\[0-9\\] axes"}, "done");
  EXPECT_EQ(verdict.outcome, Outcome::kSucceeded);
  EXPECT_EQ(verdict.message, "done; Figure has no [0-9] axes");
}

TEST(StderrRuleTest, PatternThatIsNoneAllowsNothing) { EXPECT_EQ(judge("oh\n", {"["}).outcome, Outcome::kFailed); }

TEST(StderrRuleTest, OtherVerdictsStay) {
  AttemptVerdict verdict = AttemptVerdict::failed(schema::FailureKind::SCRIPT_EXCEPTION, "ValueError: x");
  daemons::apply_stderr_rule(verdict, "Error: something\n", {});
  EXPECT_EQ(verdict.kind, schema::FailureKind::SCRIPT_EXCEPTION);
  EXPECT_EQ(verdict.message, "ValueError: x");
}

TEST(StderrRuleTest, OneLineOfAMegabyteIsJudged) {
  // The library's matcher takes stack for each character it matches.
  EXPECT_EQ(judge(std::string(1u << 20, 'x'), {"(x|y)*z"}).outcome, Outcome::kFailed);
}

TEST(StderrRuleTest, BytesThatAreNoTextAreShownAsSuch) { EXPECT_EQ(judge("Error: caf\xe9\n").message, "caf\\xe9"); }

}  // namespace
