// What ledgerd does to its own process and with its site file before anybody comes.
#include "daemons/ledgerd/ledger_host.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>

#include "site/site.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace {

/// 0: a ledger of this site leaves no core dump.
int keeps_core_dumps(const support::TemporaryFolder& folder, const std::string& toml) {
  folder.write("site.toml", toml);
  auto site = site::load(folder.path());
  if (!site.is_ok()) return 3;
  support::FakeClock clock;
  rpc::Loop loop;
  auto host = daemons::LedgerHost::open(loop, *site, clock);
  if (!host.is_ok()) return 4;
  rlimit limit{1, 1};
  getrlimit(RLIMIT_CORE, &limit);
  return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && limit.rlim_cur == 0 ? 0 : 1;
}

TEST(LedgerHostDeathTest, WhereAccessIsEnforcedItLeavesNoCoreDump) {
  // Passwords come in by messages, whose memory is not overwritten at once.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  support::TemporaryFolder folder;
  const std::string plain = "[facility]\nname = \"Test\"\n", access = plain + "[access]\n";
  EXPECT_EXIT(std::_Exit(keeps_core_dumps(folder, plain)), testing::ExitedWithCode(1), "");
  EXPECT_EXIT(std::_Exit(keeps_core_dumps(folder, access)), testing::ExitedWithCode(0), "");
}

}  // namespace
