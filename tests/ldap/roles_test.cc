#include "ldap/roles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using ldap::Grant;
using ldap::grants_of;
using ldap::parse_role_pattern;
using ldap::Role;
using ldap::RolePattern;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using std::string_literals::operator""s;

namespace facility {

std::vector<RolePattern> sns() {
  return {parse_role_pattern(Role::kMember, "IPTS-{experiment}", "IPTS-{experiment}").value(),
          parse_role_pattern(Role::kScientist, "sns_{instrument}_team").value(), parse_role_pattern(Role::kOperator, "sns_operators").value(),
          parse_role_pattern(Role::kAuditor, "sns_auditors").value(), parse_role_pattern(Role::kAdministrator, "snsadmin").value()};
}

}  // namespace facility

TEST(RolesTest, EachGroupGivesWhatItsPatternSays) {
  EXPECT_THAT(grants_of(facility::sns(), {"IPTS-1234", "sns_mari_team", "sns_operators", "sns_auditors", "snsadmin", "staff"}),
              ElementsAre(Grant{Role::kMember, "", "IPTS-1234", "IPTS-1234"}, Grant{Role::kScientist, "MARI", "", "sns_mari_team"},
                          Grant{Role::kOperator, "", "", "sns_operators"}, Grant{Role::kAuditor, "", "", "sns_auditors"},
                          Grant{Role::kAdministrator, "", "", "snsadmin"}));
}

TEST(RolesTest, TheExperimentReadsAsInTheMetadataOfRuns) {
  auto isis = parse_role_pattern(Role::kMember, "rb_{experiment}_users").value();
  EXPECT_THAT(grants_of({isis}, {"rb_2010001_users"}), ElementsAre(Grant{Role::kMember, "", "2010001", "rb_2010001_users"}));
  auto both = parse_role_pattern(Role::kMember, "{instrument}-exp-{experiment}", "RB{experiment}").value();
  EXPECT_THAT(grants_of({both}, {"mari-exp-2010001"}), ElementsAre(Grant{Role::kMember, "MARI", "RB2010001", "mari-exp-2010001"}));
  EXPECT_THAT(grants_of({both}, {"a-exp-exp-exp-1"}), IsEmpty());
}

TEST(RolesTest, AGroupOfNoInstrumentGivesNothing) {
  for (const std::string& instrument : {""s, "ma ri"s, ".."s, "mari/../let"s, "märi"s, "*"s, "a.b"s, std::string(33, 'a')}) {
    EXPECT_THAT(grants_of(facility::sns(), {"sns_" + instrument + "_team"}), IsEmpty()) << instrument;
  }
  EXPECT_EQ(grants_of(facility::sns(), {"sns_let-2_b_team"}).at(0).instrument, "LET-2_B");
}

TEST(RolesTest, AGroupOfNoExperimentGivesNothing) {
  // A run without a proposal is written 0 or -1 in its file: a group of that name must not open it.
  for (const std::string& experiment : {""s, "0"s, "000"s, "-1"s, ".."s, "1/2"s, "1 2"s, "ü"s, std::string(65, '1')}) {
    EXPECT_THAT(grants_of(facility::sns(), {"IPTS-" + experiment}), IsEmpty()) << experiment;
  }
}

TEST(RolesTest, GrantsAreSortedAndEachThereOnce) {
  auto twice = facility::sns();
  twice.push_back(twice.front());
  EXPECT_THAT(grants_of(twice, {"IPTS-2", "IPTS-1", "IPTS-2"}),
              ElementsAre(Grant{Role::kMember, "", "IPTS-1", "IPTS-1"}, Grant{Role::kMember, "", "IPTS-2", "IPTS-2"}));
}

TEST(RolesTest, APatternThatGivesTooMuchIsRefused) {
  auto refusal = [](Role role, std::string_view pattern, std::string_view experiment = "{experiment}") {
    return parse_role_pattern(role, pattern, experiment).status().message();
  };
  EXPECT_THAT(refusal(Role::kScientist, "scientists"), HasSubstr("groups of scientists, pattern \"scientists\": it must say which instrument"));
  EXPECT_THAT(refusal(Role::kMember, "users"), HasSubstr("it must say which experiment"));
  EXPECT_THAT(refusal(Role::kMember, "sns_{instrument}"), HasSubstr("it must say which experiment"));
  EXPECT_THAT(refusal(Role::kMember, "IPTS-{experiment}", "IPTS-"), HasSubstr("must have {experiment} in it, once"));
  EXPECT_THAT(refusal(Role::kScientist, "{instrument}-{experiment}"), HasSubstr("{experiment} is for members only"));
  EXPECT_THAT(refusal(Role::kOperator, "{instrument}_operators"), HasSubstr("this role is for all instruments"));
  EXPECT_THAT(refusal(Role::kAuditor, "a{experiment}"), HasSubstr("{experiment} is for members only"));
  EXPECT_THAT(refusal(Role::kAdministrator, "{anything}s"), HasSubstr("only {instrument} and {experiment} may vary"));
  EXPECT_THAT(refusal(Role::kScientist, "{instrument}_{instrument}"), HasSubstr("stands there twice"));
  EXPECT_THAT(refusal(Role::kScientist, "{instrument}"), HasSubstr("every name would match"));
}

}  // namespace
