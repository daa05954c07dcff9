#include <gmock/gmock.h>

#include "base/sha256.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

class DecideLedgerTest : public ::testing::Test {
 protected:
  DecideLedgerTest() { story.configure(); }
  Told erase(const std::vector<std::string>& names, std::string_view why = "holds a name") {
    return story.tell([&](auto command) {
      auto erased = command.getBody().initEraseBlobs();
      auto blobs = erased.initBlobs(names.size());
      for (uint32_t i = 0; i < names.size(); ++i) blobs[i].setSha256(ledger::data(names[i]));
      erased.initReason().setCode("personal_data");
      erased.getReason().setText(std::string(why));
    });
  }
  Told accept_loss(uint64_t promised, uint64_t kept) {
    return story.tell([&](auto command) {
      auto loss = command.getBody().initAcceptLoss();
      loss.setPromisedEvents(promised);
      loss.setKeptEvents(kept);
      loss.initReason().setCode("loss_accepted");
      loss.getReason().setText("the disk is gone, there is no backup");
    });
  }
  std::string store(std::string_view bytes) {
    return hash_of(story.store_variables({{"mon", std::string(bytes)}}));
  }
  Story story;
};

TEST_F(DecideLedgerTest, ErasedDocumentsAreNamedWithTheirSize) {
  const std::string sha256 = store("2");
  const Told told = erase({sha256});
  ASSERT_TRUE(told.ok()) << told.status.message();
  const auto erased = story.event(told.first()).getBody().getBlobsErased();
  ASSERT_EQ(erased.getBlobs().size(), 1u);
  EXPECT_EQ(erased.getBlobs()[0].getSizeBytes(), story.rows().blob(sha256)->size());
}

TEST_F(DecideLedgerTest, UnknownDoubledOrNamelessDocumentsAreNotErased) {
  const std::string sha256 = store("2");
  EXPECT_TRUE(refused(erase({std::string(32, 'x')}), base::Code::kNotFound, "not in this ledger"));
  EXPECT_TRUE(refused(erase({sha256, sha256}), base::Code::kInvalidArgument, "named twice"));
  EXPECT_TRUE(refused(erase({}), base::Code::kInvalidArgument, "erase 1 to"));
  EXPECT_TRUE(refused(erase({sha256}, ""), base::Code::kInvalidArgument, "reason"));
}

TEST_F(DecideLedgerTest, DocumentOfAWaitingJobIsNotErased) {
  const std::string script(base::as_bytes(base::sha256(kScript)));
  story.detect(1);
  const uint64_t job = story.queue(1).first();
  ASSERT_NE(job, 0u);
  EXPECT_TRUE(refused(erase({script}), base::Code::kConflict, "not over"));
  story.cancel(job);
  EXPECT_TRUE(erase({script}).ok());
}

TEST_F(DecideLedgerTest, PlanOfACampaignThatIsNotOverIsNotErased) {
  story.detect(1);
  const uint64_t campaign = story.start_campaign({1}).first();
  const std::string plan(ledger::view(story.campaign(campaign).get().getStarted().getPlan()));
  EXPECT_TRUE(refused(erase({plan}), base::Code::kConflict, "a campaign that is not over"));
  story.stop_campaign(campaign);
  story.finish_campaign(campaign);
  EXPECT_TRUE(erase({plan}).ok());
}

TEST_F(DecideLedgerTest, LossIsAcceptedOnlyWhereThereIsOne) {
  const uint64_t head = story.head();
  EXPECT_TRUE(refused(accept_loss(head, head), base::Code::kInvalidArgument, "nothing is lost"));
  EXPECT_TRUE(refused(accept_loss(head + 5, head - 1), base::Code::kConflict, "the log holds"));
  EXPECT_TRUE(accept_loss(head + 5, head).ok());
}

TEST_F(DecideLedgerTest, OnlyWhatWasRecordedIsForgotten) {
  const auto forget = [&](uint64_t up_to) {
    return story.tell([&](auto command) {
      auto forgotten = command.getBody().initForgetCommands();
      forgotten.setUpTo(up_to);
      forgotten.initReason().setCode("retention");
      forgotten.getReason().setText("older than 90 days");
    });
  };
  EXPECT_TRUE(refused(forget(0), base::Code::kInvalidArgument, "the log holds"));
  EXPECT_TRUE(refused(forget(story.head() + 1), base::Code::kInvalidArgument, "the log holds"));
  EXPECT_TRUE(forget(story.head()).ok());
}

}  // namespace
}  // namespace rules_test
