#include "daemons/worker/run_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

namespace {

using daemons::SupervisedEnd;
using daemons::AttemptVerdict;
using schema::FailureKind;
using testing::HasSubstr;
using How = SupervisedEnd::How;
using Outcome = AttemptVerdict::Outcome;

class RunResultTest : public testing::Test {
 protected:
  AttemptVerdict judge(How how, int number, std::optional<std::string> result = std::nullopt, bool timed_out = false) {
    SupervisedEnd end;
    end.how = how;
    end.number = number;
    end.max_resident_bytes = resident_bytes;
    return daemons::judge(plan, end, timed_out, result, log);
  }
  daemons::AttemptPlan plan;
  daemons::LogCapture log;
  uint64_t resident_bytes = 0;
};

TEST_F(RunResultTest, SuccessKeepsWhatMainReturned) {
  AttemptVerdict verdict = judge(How::kExited, 0, R"({"outcome":"succeeded","returned":["a","b"],"message":"odd"})");
  EXPECT_EQ(verdict.outcome, Outcome::kSucceeded);
  EXPECT_EQ(verdict.message, "a, b; odd");
}

TEST_F(RunResultTest, SuccessOfAProcessThatThenCrashedIsNone) {
  AttemptVerdict verdict = judge(How::kSignaled, SIGSEGV, R"({"outcome":"succeeded"})");
  EXPECT_EQ(verdict.kind, FailureKind::SCRIPT_SIGNAL);
  EXPECT_EQ(verdict.wait_status, SIGSEGV);
}

TEST_F(RunResultTest, KindsAreThoseOfTheRunner) {
  auto kind = [&](const std::string& word) {
    return judge(How::kExited, 1, R"({"outcome":"failed","message":"m","kind":")" + word + "\"}").kind;
  };
  EXPECT_EQ(kind("script_syntax"), FailureKind::SCRIPT_SYNTAX);
  EXPECT_EQ(kind("script_exception"), FailureKind::SCRIPT_EXCEPTION);
  EXPECT_EQ(kind("script_exit"), FailureKind::SCRIPT_EXIT);
  EXPECT_EQ(kind("contract"), FailureKind::CONTRACT);
  EXPECT_EQ(kind("memory_limit"), FailureKind::MEMORY_LIMIT);
}

TEST_F(RunResultTest, ForgedOrBrokenResultIsNotBelieved) {
  for (const char* text : {"", "{", "[]", R"({"outcome":7})", R"({"outcome":"splendid"})", "\xff"}) {
    AttemptVerdict verdict = judge(How::kExited, 4, text);
    EXPECT_EQ(verdict.kind, FailureKind::SCRIPT_EXIT) << text;
    EXPECT_THAT(verdict.message, HasSubstr("status 4"));
  }
}

TEST_F(RunResultTest, EndWithoutResultIsNoSuccess) {
  log.add("almost there\n");
  AttemptVerdict verdict = judge(How::kExited, 0);
  EXPECT_EQ(verdict.kind, FailureKind::SCRIPT_EXIT);
  EXPECT_THAT(verdict.message, HasSubstr("without finishing"));
  EXPECT_THAT(verdict.message, HasSubstr("almost there"));
}

TEST_F(RunResultTest, TimeLimitWinsOverTheSignalThatEnforcedIt) {
  plan.time_limit_ms = 90'000;
  AttemptVerdict verdict = judge(How::kSignaled, SIGKILL, std::nullopt, true);
  EXPECT_EQ(verdict.kind, FailureKind::TIME_LIMIT);
  EXPECT_THAT(verdict.message, HasSubstr("time limit of 90 s"));
}

TEST_F(RunResultTest, WantOfMemoryIsRecognised) {
  plan.memory_limit_bytes = 1000u << 20;
  resident_bytes = 900u << 20;
  EXPECT_EQ(judge(How::kSignaled, SIGKILL).kind, FailureKind::MEMORY_LIMIT);
  resident_bytes = 100u << 20;
  EXPECT_EQ(judge(How::kSignaled, SIGKILL).kind, FailureKind::SCRIPT_SIGNAL);
  log.add("terminate called after throwing an instance of 'std::bad_alloc'\n");
  EXPECT_EQ(judge(How::kSignaled, SIGABRT).kind, FailureKind::MEMORY_LIMIT);
}

TEST_F(RunResultTest, MissingInterpreterIsNamed) {
  plan.interpreter = "/opt/conda/bin/python";
  AttemptVerdict verdict = judge(How::kNotStarted, ENOENT);
  EXPECT_EQ(verdict.kind, FailureKind::INTERPRETER);
  EXPECT_THAT(verdict.message, HasSubstr("/opt/conda/bin/python could not be started: No such file"));
}

}  // namespace
