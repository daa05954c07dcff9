#include "daemons/worker/plan.h"

#include <gtest/gtest.h>

namespace {

using daemons::AttemptPlan;

TEST(PlanTest, NamesSayWhatKindOfJobItIs) {
  AttemptPlan plan;
  plan.job = 4711;
  plan.instrument = "MARI";
  plan.runs = {28001};
  plan.version = 2;
  plan.attempt = 1;
  EXPECT_EQ(plan.name(), "MARI 28001 v2, attempt 1");
  plan.kind = schema::JobKind::STAGE;
  plan.stage = "plots";
  EXPECT_EQ(plan.name(), "MARI 28001 plots v2, attempt 1");
  plan.runs = {28001, 28002, 28004};
  EXPECT_EQ(plan.name(), "MARI 28001-28004 plots v2, attempt 1");
  plan.kind = schema::JobKind::TRIAL;
  plan.runs = {28001};
  EXPECT_EQ(plan.name(), "MARI 28001 trial 4711");
}

}  // namespace
