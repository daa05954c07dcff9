// What an administrator asks of a served ledger: views folded again and compared, documents erased, records forgotten.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "tests/support/served_ledger.h"

namespace {

using testing::HasSubstr;

/// Remembers what it was told.
class Listener final : public schema::Progress::Server {
 public:
  explicit Listener(std::vector<std::string>& told) : told_(told) {}
  kj::Promise<void> report(ReportContext context) override {
    told_.push_back(context.getParams().getWhat().cStr());
    return kj::READY_NOW;
  }

 private:
  std::vector<std::string>& told_;
};

class AdministratorTest : public testing::Test {
 protected:
  AdministratorTest() {
    served.must(support::configure_instrument("configure", "MARI"));
    served.must(support::register_script("script", "MARI", script));
  }
  schema::Administrator::Client administrator() { return served.session().administratorRequest().send().getAdministrator(); }
  auto erase(const char* id, const base::Sha256& sha256) {
    auto request = administrator().eraseBlobsRequest();
    request.setCommandId(id);
    request.initBlobs(1).set(0, support::data(sha256));
    request.setReason("names a person");
    return served.loop.wait(kj::Promise<capnp::Response<schema::Administrator::EraseBlobsResults>>(request.send()));
  }
  const std::string script = "# written by Dr. Somebody\ndef main(input_file, output_dir):\n    pass\n";
  support::ServedLedger served;
};

TEST_F(AdministratorTest, CheckFindsNothingAndTellsItsProgress) {
  std::vector<std::string> told;
  auto request = administrator().rebuildRequest();
  request.setCheckOnly(true);
  request.setProgress(kj::heap<Listener>(told));
  auto answer = served.loop.wait(kj::Promise<capnp::Response<schema::Administrator::RebuildResults>>(request.send()));
  EXPECT_EQ(answer.getRefusal().getCode(), schema::Refusal::Code::OK);
  EXPECT_EQ(answer.getFindings().size(), 0u);
  served.loop.wait(administrator().rebuildRequest().send().ignoreResult());  // what was told before has arrived when this is answered
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.front(), "folding");
}

TEST_F(AdministratorTest, UnknownViewIsRefused) {
  auto request = administrator().rebuildRequest();
  request.initViews(1).set(0, "rnus");
  auto answer = served.loop.wait(kj::Promise<capnp::Response<schema::Administrator::RebuildResults>>(request.send()));
  EXPECT_EQ(answer.getRefusal().getCode(), schema::Refusal::Code::NOT_FOUND);
  EXPECT_THAT(answer.getRefusal().getText().cStr(), HasSubstr("rnus: there is no such view; there are runs, files"));
}

TEST_F(AdministratorTest, ErasedDocumentIsSaidToBeErased) {
  const base::Sha256 sha256 = base::sha256(script);
  auto answer = erase("erase", sha256);
  ASSERT_EQ(answer.getAnswer().getRefusal().getCode(), schema::Refusal::Code::OK) << answer.getAnswer().getRefusal().getText().cStr();
  auto request = served.session().runsRequest().send().getRuns().blobRequest();
  request.setSha256(support::data(sha256));
  auto blob = served.loop.wait(kj::Promise<capnp::Response<schema::Runs::BlobResults>>(request.send()));
  EXPECT_EQ(blob.getRefusal().getCode(), schema::Refusal::Code::NOT_FOUND);
  EXPECT_THAT(blob.getRefusal().getText().cStr(), HasSubstr("erased by event 3 (alice, "));
  EXPECT_THAT(blob.getRefusal().getText().cStr(), HasSubstr("names a person"));
  EXPECT_THAT(erase("again", sha256).getAnswer().getRefusal().getText().cStr(), HasSubstr("not in this ledger (any more)"));
  EXPECT_TRUE(served.ledger->check_views().is_ok());
}

TEST_F(AdministratorTest, ForgottenRecordsAreRecordedAsSuch) {
  auto request = administrator().forgetCommandsRequest();
  request.setCommandId("forget");
  request.setUpTo(1);
  request.setReason("older than 90 days");
  auto answer = served.loop.wait(kj::Promise<capnp::Response<schema::Administrator::ForgetCommandsResults>>(request.send()));
  ASSERT_EQ(answer.getAnswer().getEvents().size(), 1u) << answer.getAnswer().getRefusal().getText().cStr();
  auto again = served.ledger->apply(support::configure_instrument("configure", "MARI").reader(), support::person());
  EXPECT_FALSE(again.repeated) << "its record is forgotten";
}

}  // namespace
