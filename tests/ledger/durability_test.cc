// Promise P1: what was answered is there, and a ledger that lost something says so.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <map>

#include "ledger/head_file.h"
#include "ledger/keys.h"
#include "ledger/store.h"
#include "tests/ledger/ledger_fixture.h"
#include "tests/ledger/log_syncs.h"

extern char** environ;

namespace {

using support::note_of;
using testing::HasSubstr;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// Every file below a folder with its bytes.
std::map<std::string, std::string> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[entry.path().string()] = read_file(entry.path());
  }
  return files;
}

std::filesystem::path largest(const std::filesystem::path& folder, const std::string& extension) {
  std::filesystem::path found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == extension && (found.empty() || entry.file_size() > std::filesystem::file_size(found)))
      found = entry.path();
  }
  return found;
}

class P1AckedMeansDurableTest : public support::LedgerFixture {
 protected:
  /// Lets a process append for `lines` answers, kills it, and returns what it was answered: seq -> text.
  std::map<uint64_t, std::string> append_until_killed(int round, int lines) {
    int pipe_ends[2];
    EXPECT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    std::string program = LEDGER_CHILD, where = folder().string(), name = std::to_string(round);
    std::string mode = "append";
    char* arguments[] = {program.data(), mode.data(), where.data(), name.data(), nullptr};
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe_ends[1]);
    std::string said;
    int seen = 0;
    bool killed = false;
    char buffer[4096];
    for (ssize_t got; (got = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;) {
      said.append(buffer, got);
      seen += static_cast<int>(std::count(buffer, buffer + got, '\n'));
      if (!killed && seen >= lines) {
        ::kill(child, SIGKILL);
        killed = true;
      }
    }
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(killed && WIFSIGNALED(status)) << "the process ended by itself: " << status;
    std::map<uint64_t, std::string> answered;
    std::istringstream stream(said);
    uint64_t seq;
    std::string text;
    while (stream >> seq >> text) answered[seq] = text;
    return answered;
  }
};

TEST_F(P1AckedMeansDurableTest, EveryAnsweredEventIsThereAfterKillNine) {
  std::map<uint64_t, std::string> answered;
  for (int round = 0; round < 12; ++round) {
    answered.merge(append_until_killed(round, 5 + round * 17));
    must_open();
    ASSERT_GE(ledger_->head(), answered.rbegin()->first) << "round " << round;
    const auto snapshot = ledger_->snapshot();
    for (const auto& [seq, text] : answered) {
      const auto words = snapshot->event(seq);
      ASSERT_TRUE(words.is_ok()) << "round " << round << ": " << words.status().message();
      ledger::StoredEvent stored(*words);
      EXPECT_EQ(stored.get().getSeq(), seq);
      EXPECT_EQ(support::text_of(stored.get().getBody().getRunAnnotated().getText()), text);
    }
    EXPECT_TRUE(ledger_->check_views().is_ok());
    // Sent again, each gets its first answer.
    const auto& [seq, text] = *answered.rbegin();
    const auto again = ledger_->apply(support::annotate_run(text, "MARI", 1, "again").reader(), support::person());
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.events, std::vector<uint64_t>{seq});
    close();
  }
}

TEST_F(P1AckedMeansDurableTest, TheLogIsReadOnceAfterKillNine) {
  const auto bytes_read = [] {
    std::ifstream counts("/proc/self/io");
    std::string name;
    uint64_t bytes = 0;
    counts >> name >> bytes;
    return name == "rchar:" ? bytes : 0;
  };
  must_open();
  const std::string text(8000, 't');
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(note(std::to_string(i), text).status.is_ok());
  std::filesystem::copy(folder(), root_ / "killed", std::filesystem::copy_options::recursive);
  close();
  std::filesystem::remove_all(folder());
  std::filesystem::rename(root_ / "killed", folder());
  uint64_t logs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder() / "db")) logs += entry.path().extension() == ".log" ? entry.file_size() : 0;
  ASSERT_GT(logs, 200 * text.size());
  const uint64_t before = bytes_read();
  if (before == 0) GTEST_SKIP() << "the kernel does not count what a process reads";
  must_open();
  EXPECT_EQ(ledger_->head(), 200u);
  EXPECT_LT(bytes_read() - before, logs * 3 / 2);
}

TEST_F(P1AckedMeansDurableTest, EveryAnswerComesAfterOneSyncOfTheLog) {
  // A kill keeps what the kernel holds: only looking at the syncs themselves shows that they happen.
  must_open();
  for (int i = 0; i < 20; ++i) {
    const auto command = support::annotate_run("sync" + std::to_string(i), "MARI", 1, "noted");
    const uint64_t before = support::log_syncs();
    uint64_t when_answered = 0;
    std::promise<ledger::Answer> answered;
    ledger_->submit(command.reader(), support::person(), [&](ledger::Answer answer) {
      when_answered = support::log_syncs();
      answered.set_value(std::move(answer));
    });
    ASSERT_TRUE(answered.get_future().get().status.is_ok());
    EXPECT_EQ(when_answered, before + 1) << "command " << i;
  }
}

TEST_F(P1AckedMeansDurableTest, CommandsThatCameTogetherShareOneSync) {
  must_open();
  capnp::MallocMessageBuilder message;
  auto commands = message.initRoot<capnp::List<schema::Command>>(50);
  for (uint32_t i = 0; i < commands.size(); ++i) {
    commands.setWithCaveats(i, support::annotate_run("shared" + std::to_string(i), "MARI", 1, "noted").reader());
  }
  const uint64_t before = support::log_syncs();
  std::promise<std::vector<ledger::Answer>> answered;
  ledger_->submit_all(commands.asReader(), support::person(), [&](std::vector<ledger::Answer> answers) { answered.set_value(std::move(answers)); });
  for (const ledger::Answer& answer : answered.get_future().get()) EXPECT_TRUE(answer.status.is_ok());
  EXPECT_EQ(support::log_syncs(), before + 1);
}

TEST_F(P1AckedMeansDurableTest, FailedSyncIsNeverAnswered) {
  must_open();
  note_many(3);
  {
    const support::FailingLogSyncs failing;
    const auto answer = ledger_->apply(support::annotate_run("lost", "MARI", 1, "noted").reader(), support::person());
    EXPECT_EQ(answer.status.code(), base::Code::kUnavailable) << answer.status.message();
  }
  EXPECT_EQ(ledger_->health().state, ledger::Health::State::kReadOnly);
  EXPECT_EQ(ledger_->head(), 3u);
  EXPECT_TRUE(ledger_->snapshot()->event(3).is_ok()) << "reads go on";
}

class P1ShorterLedgerTest : public support::LedgerFixture {
 protected:
  void SetUp() override {
    must_open();
    note_many(20);
    close();
    std::filesystem::copy(folder() / "db", root_ / "old", std::filesystem::copy_options::recursive);
    must_open();
    note_many(30, "later");
    close();
  }
  std::filesystem::path database() const { return folder() / "db"; }

  void expect_refused(const std::string& message) {
    for (const bool locked_before : {true, false}) {  // a backup that was put in place has no LOCK
      if (!locked_before) std::filesystem::remove(database() / "LOCK");
      const auto before = contents(folder());
      const base::Status status = open();
      EXPECT_EQ(status.code(), base::Code::kCorruption) << status.message();
      EXPECT_THAT(status.message(), HasSubstr(message));
      EXPECT_EQ(contents(folder()), before) << "a refused folder was written to";
    }
  }
};

TEST_F(P1ShorterLedgerTest, DeletedWriteAheadLogIsRefusedAndCounted) {
  for (const auto& entry : std::filesystem::directory_iterator(database())) {
    if (entry.path().extension() == ".log") std::filesystem::remove(entry.path());
  }
  expect_refused("events are missing, from event");
}

TEST_F(P1ShorterLedgerTest, OlderCopyOfTheDatabaseIsRefusedAndCounted) {
  std::filesystem::remove_all(database());
  std::filesystem::rename(root_ / "old", database());
  expect_refused("30 events are missing, from event 21 on: HEAD promises 50 events");
}

TEST_F(P1ShorterLedgerTest, MissingDatabaseIsRefused) {
  std::filesystem::remove_all(database());
  expect_refused("50 events are missing, from event 1 on");
  EXPECT_FALSE(std::filesystem::exists(database()));
}

TEST_F(P1ShorterLedgerTest, FlippedBitInTheWriteAheadLogIsRefused) {
  const auto log = largest(database(), ".log");
  std::string bytes = read_file(log);
  ASSERT_GT(bytes.size(), 1000u);
  bytes[bytes.size() / 2] ^= 0x10;
  write_file(log, bytes);
  expect_refused("missing, from event");
}

TEST_F(P1ShorterLedgerTest, CutWriteAheadLogIsRefused) {
  const auto log = largest(database(), ".log");
  std::filesystem::resize_file(log, std::filesystem::file_size(log) / 2);
  expect_refused("missing, from event");
}

TEST_F(P1ShorterLedgerTest, AnotherLedgersDatabaseIsRefused) {
  std::filesystem::rename(folder(), root_ / "first");
  must_open();
  note_many(60);
  close();
  std::filesystem::remove_all(database());
  std::filesystem::copy(root_ / "first" / "db", database(), std::filesystem::copy_options::recursive);
  expect_refused("HEAD is that of ledger");
}

TEST_F(P1ShorterLedgerTest, LedgerWithoutItsHeadIsRefused) {
  std::filesystem::remove(folder() / "HEAD");
  expect_refused("HEAD is missing");
}

TEST_F(P1ShorterLedgerTest, LedgerWithoutItsHeadStaysRefusedUntilTheLossIsOnRecord) {
  ledger::Rules refusing = support::toy_rules();
  refusing.decide = [](const ledger::RowReader&, const ledger::DecideContext&, schema::Command::Reader) -> base::Result<ledger::EventDrafts> {
    return base::Status(base::Code::kUnavailable, "not now");
  };
  const ledger::AcceptedLoss loss{support::person(), "the disk is gone"};
  for (const bool torn : {false, true}) {
    std::filesystem::remove(folder() / "HEAD");
    if (torn) write_file(folder() / "HEAD", "torn");
    options_.accept_loss = &loss;
    EXPECT_THAT(open(refusing).message(), HasSubstr("not now"));
    options_.accept_loss = nullptr;
    EXPECT_EQ(open().code(), base::Code::kCorruption) << "a start before the loss was recorded";
    options_.accept_loss = &loss;
    ASSERT_TRUE(open().is_ok());
    options_.accept_loss = nullptr;
    const auto words = ledger_->snapshot()->event(ledger_->head());
    ASSERT_TRUE(words.is_ok());
    EXPECT_TRUE(ledger::StoredEvent(*words).get().getBody().isLossAccepted());
    EXPECT_TRUE(open().is_ok());
    close();
  }
}

TEST_F(P1ShorterLedgerTest, EachHeadThatCouldNotBeReadIsKept) {
  const ledger::AcceptedLoss loss{support::person(), "the disk is gone"};
  for (const std::string torn : {"first", "second"}) {
    write_file(folder() / "HEAD", torn);
    options_.accept_loss = &loss;
    must_open();
    options_.accept_loss = nullptr;
    close();
  }
  for (const auto& [name, torn] : {std::pair{"HEAD.unreadable", "first"}, {"HEAD.unreadable.2", "second"}}) {
    EXPECT_EQ(read_file(folder() / name), torn);
  }
}

TEST_F(P1ShorterLedgerTest, HeadWithoutAWholeSlotIsRefused) {
  write_file(folder() / "HEAD", std::string(std::filesystem::file_size(folder() / "HEAD"), '\x5a'));
  expect_refused("none of its 64 slots is whole");
}

TEST_F(P1ShorterLedgerTest, OtherHistoryOfTheSameLengthIsRefused) {
  // The same ledger goes on twice from the same copy, with other events.
  std::filesystem::copy(folder() / "HEAD", root_ / "HEAD of the first");
  std::filesystem::remove_all(database());
  std::filesystem::copy(root_ / "old", database(), std::filesystem::copy_options::recursive);
  ledger::HeadSlot slot = *ledger::read_head_file(folder() / "HEAD");
  std::filesystem::remove(folder() / "HEAD");
  {
    slot.size = 0;
    slot.number = 0;
    auto head_file = ledger::HeadFile::open(folder() / "HEAD", slot, [](base::Status) {});
    ASSERT_TRUE(head_file.is_ok());
  }
  must_open();
  note_many(40, "other");
  close();
  std::filesystem::rename(root_ / "HEAD of the first", folder() / "HEAD");
  expect_refused("the first 50 events are not those HEAD promises");
}

class P1DamageTest : public support::LedgerFixture {
 protected:
  void SetUp() override { must_open(); }
  std::filesystem::path database() const { return folder() / "db"; }
};

TEST_F(P1DamageTest, TornTailThatWasNeverAnsweredIsDropped) {
  note_many(20);
  close();
  const auto log = largest(database(), ".log");
  // What a power cut leaves of a record that was being written.
  write_file(log, read_file(log) + std::string("\x12\x34\x56\x78\x40\x00\x01 half a record", 21));
  must_open();
  EXPECT_EQ(ledger_->head(), 20u);
  EXPECT_EQ(note("more", "text").events, std::vector<uint64_t>{21});
  EXPECT_TRUE(ledger_->check_views().is_ok());
}

TEST_F(P1DamageTest, FlippedBitInATableFileIsAReadErrorAndStopsWriting) {
  note_many(40);
  std::string long_text;
  for (int i = 0; i < 4000; ++i) long_text += std::to_string(i * 7919);  // does not compress away
  for (int i = 0; i < 40; ++i) note("long" + std::to_string(i), long_text);
  ASSERT_TRUE(ledger_->rebuild_views().is_ok());
  close();
  must_open();  // recovery moves the write-ahead log into table files
  close();
  const auto table = largest(database(), ".sst");
  ASSERT_FALSE(table.empty());
  std::string bytes = read_file(table);
  for (size_t at = 200; at < bytes.size() * 3 / 4; at += 4096) bytes[at] ^= 0x01;
  write_file(table, bytes);

  const base::Status status = open();
  if (!status.is_ok()) {
    EXPECT_EQ(status.code(), base::Code::kCorruption) << status.message();
    return;
  }
  base::Status worst;
  const auto snapshot = ledger_->snapshot();
  for (uint64_t seq = 1; seq <= ledger_->head(); ++seq) {
    const auto words = snapshot->event(seq);
    if (!words.is_ok()) worst = words.status();
  }
  EXPECT_EQ(worst.code(), base::Code::kCorruption);
  uint64_t read = 0;
  const base::Status scanned = ledger_->snapshot()->events(1, ledger_->head(), [&](uint64_t, kj::ArrayPtr<const capnp::word>) { return ++read; });
  EXPECT_EQ(scanned.code(), base::Code::kCorruption);
  EXPECT_THAT(scanned.message(), HasSubstr("event " + std::to_string(read + 1)));
  EXPECT_THAT(worst.message(), HasSubstr("event "));
  EXPECT_FALSE(snapshot->status().is_ok());
  EXPECT_EQ(ledger_->health().state, ledger::Health::State::kReadOnly);
  EXPECT_EQ(note("after", "text").status.code(), base::Code::kUnavailable);
}

TEST_F(P1DamageTest, NewerFormatIsRefusedAndNamed) {
  note_many(1);
  close();
  {
    auto store = ledger::Store::open(folder() / "db", {.views = {}}).value();
    ledger::Store::Batch batch;
    batch.put(*store->live(), ledger::Table::kMeta, "format", ledger::u64_key(2));
    ASSERT_TRUE(store->write(batch, true).is_ok());
  }
  const base::Status status = open();
  EXPECT_EQ(status.code(), base::Code::kUnsupportedVersion);
  EXPECT_THAT(status.message(), HasSubstr("is of format 2, this release reads up to 1; open it with the release that wrote it"));
}

TEST(HeadFileTest, NewestWholeSlotCounts) {
  const support::TemporaryFolder folder;
  const auto path = folder / "HEAD";
  const ledger::HeadSlot first{.number = 0, .id = std::string(32, 'a'), .size = 0, .root = ledger::TreeEdge().root(), .time_ns = 7};
  ledger::TreeEdge edge;
  for (int i = 1; i <= 3; ++i) {
    auto file = ledger::HeadFile::open(path, first, [](base::Status) {});
    ASSERT_TRUE(file.is_ok()) << file.status().message();
    edge.append(ledger::leaf_hash("event"), [](int, uint64_t, const base::Sha256&) {});
    (*file)->publish(edge, 100 + i);
  }
  auto slot = ledger::read_head_file(path);
  ASSERT_TRUE(slot.is_ok()) << slot.status().message();
  EXPECT_EQ(slot->number, 3u);
  EXPECT_EQ(slot->size, 3u);
  EXPECT_EQ(slot->root, edge.root());
  EXPECT_EQ(slot->time_ns, 103);
  EXPECT_EQ(slot->id, first.id);

  std::string bytes = read_file(path);
  EXPECT_EQ(bytes.size(), ledger::kHeadSlots * ledger::kHeadSlotBytes);
  bytes[3 * ledger::kHeadSlotBytes + 33] ^= 1;  // a torn write of the newest
  write_file(path, bytes);
  slot = ledger::read_head_file(path);
  ASSERT_TRUE(slot.is_ok());
  EXPECT_EQ(slot->size, 2u);
}

TEST(HeadFileTest, EveryFlippedBitOfASlotIsNoticed) {
  const auto bytes = ledger::encode_head_slot({.number = 1, .id = std::string(32, 'a'), .size = 5, .root = {}, .time_ns = 9});
  ASSERT_TRUE(ledger::decode_head_slot({bytes.data(), bytes.size()}));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto damaged = bytes;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(ledger::decode_head_slot({damaged.data(), damaged.size()})) << "bit " << bit;
  }
}

}  // namespace
