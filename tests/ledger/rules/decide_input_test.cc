#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gmock/gmock.h>

#include <random>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;

/// P9: whatever a sender puts into a command, it is answered.
class DecideInputTest : public ::testing::Test {
 protected:
  DecideInputTest() { story.configure(); }
  Story story;
};

TEST_F(DecideInputTest, TextThatIsNotUtf8IsRefusedByFieldName) {
  Told told = story.tell([](schema::Command::Builder command) {
    auto detected = command.getBody().initDetectRun();
    detected.initRun().setInstrument("MARI");
    detected.initMetadata().initTitle().setValue("caf\xE9");
  });
  EXPECT_TRUE(refused(told, Code::kInvalidArgument, "detectRun.metadata.title.value is not UTF-8"));
}

TEST_F(DecideInputTest, LongTextIsRefusedWithItsLimit) {
  EXPECT_TRUE(refused(story.detect(1, "raw", "/" + std::string(5000, 'x')), Code::kInvalidArgument,
                      "detectRun.files[0].path has 5001 bytes; at most 4096"));
}

TEST_F(DecideInputTest, OversizedBodyIsRefused) {
  Told told = story.tell([](schema::Command::Builder command) {
    auto problems = command.getBody().initDetectRun().initProblems(100);
    for (uint32_t i = 0; i < problems.size(); ++i) problems.set(i, std::string(1000, 'x'));
  });
  EXPECT_TRUE(refused(told, Code::kInvalidArgument, "at most 57344 are taken"));
}

TEST_F(DecideInputTest, HashOfAnotherLengthIsRefused) {
  Told told = story.tell([](schema::Command::Builder command) {
    auto file = command.getBody().initDetectRun().initFiles(1)[0];
    file.setSha256(ledger::data("short"));
  });
  EXPECT_TRUE(refused(told, Code::kInvalidArgument, "detectRun.files[0].sha256 has 5 bytes; a SHA-256 has 32"));
}

TEST_F(DecideInputTest, UnknownEnumerantIsOfANewerRelease) {
  EXPECT_TRUE(refused(story.configure("MARI", static_cast<schema::Contract>(77)), Code::kUnsupportedVersion,
                      "configureInstrument.contract"));
}

TEST_F(DecideInputTest, EmptyCommandAndUnknownCauseAreRefused) {
  EXPECT_TRUE(refused(story.tell([](schema::Command::Builder) {}), Code::kInvalidArgument, "asks for nothing"));
  EXPECT_TRUE(refused(story.skip_run(1, "a", "b", 99), Code::kInvalidArgument, "names event 99 as its cause"));
}

TEST_F(DecideInputTest, PathsThatLeaveTheirFolderAreRefused) {
  EXPECT_TRUE(refused(story.detect(1, "raw", "/archive/../etc/passwd"), Code::kInvalidArgument, "'..'"));
  EXPECT_TRUE(refused(story.detect(1, "raw", "relative.nxs"), Code::kInvalidArgument, "not an absolute path"));
}

TEST_F(DecideInputTest, SenderTextIsPrintableInSentences) {
  Told told = story.pause("MA\x1b[31m");
  EXPECT_EQ(told.status.message().find('\x1b'), std::string::npos);
}

TEST_F(DecideInputTest, DamagedCommandsAreAnsweredNotFatal) {
  capnp::MallocMessageBuilder message;
  auto command = message.initRoot<schema::Command>();
  auto detected = command.getBody().initDetectRun();
  detected.initRun().setInstrument("MARI");
  detected.getRun().setRunNumber(5);
  detected.initFiles(1)[0].setPath("/archive/MARI/5.nxs");
  detected.getFiles()[0].setSha256(ledger::data(hash_of("raw")));
  detected.initProblems(2).set(0, "odd");
  std::string bytes = ledger::canonical_bytes(command.asReader());
  capnp::MallocMessageBuilder actor;
  std::mt19937_64 random(20260101);
  size_t answered = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 1 + i % 4; ++flips) damaged[random() % damaged.size()] = static_cast<char>(random());
    ledger::Row<schema::Command> row(damaged);
    schema::Command::Reader reader;
    try {
      reader = row.get();
    } catch (const kj::Exception&) {
      continue;  // not even a root: the transport answers that
    }
    auto decided = ledger::decide(story.rows(), {0, story.head() + 1, actor.initRoot<schema::Actor>().asReader()}, reader);
    if (!decided.is_ok()) {
      EXPECT_FALSE(decided.status().message().empty());
    }
    ++answered;
  }
  EXPECT_GT(answered, 1000u);
}

}  // namespace
}  // namespace rules_test
