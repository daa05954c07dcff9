#include <fcntl.h>
#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "rpc/loop.h"
#include "tests/rpc/cut_bytes.h"

namespace {

class AsyncIoTest : public testing::Test {
 protected:
  AsyncIoTest() : pipe_(loop_.io().newTwoWayPipe()), here_(pipe_.ends[0]), there_(pipe_.ends[1]) {}
  ~AsyncIoTest() noexcept override = default;

  template <typename T>
  std::string failure(kj::Promise<T> promise) {
    try {
      loop_.wait(kj::mv(promise));
    } catch (const kj::Exception& exception) {
      return exception.getDescription().cStr();
    }
    return "";
  }

  /// So many passes that whatever is ready has been handled.
  void settle() {
    for (int pass = 0; pass < 5; ++pass) loop_.wait(loop_.timer().afterDelay(1 * kj::MILLISECONDS));
  }

  std::string read_text(kj::AsyncIoStream& stream, size_t size) {
    std::string text(size, '\0');
    loop_.wait(stream.read(text.data(), size));
    return text;
  }

  rpc::Loop loop_;
  kj::TwoWayPipe pipe_;
  kj::Own<kj::AsyncIoStream>& here_;
  kj::Own<kj::AsyncIoStream>& there_;
  std::array<char, 16> buffer_{};
};

TEST_F(AsyncIoTest, EveryByteArrivesInOrderHoweverItIsCut) { echo::expect_every_byte_in_order(loop_, *there_, *here_); }

TEST_F(AsyncIoTest, TheEndOfAStreamIsAShortRead) {
  loop_.wait(there_->write("abc", 3));
  there_->shutdownWrite();
  EXPECT_EQ(loop_.wait(here_->tryRead(buffer_.data(), 8, 16)), 3u);
  EXPECT_EQ(loop_.wait(here_->tryRead(buffer_.data(), 1, 16)), 0u);
  loop_.wait(here_->write("still there", 11));
  EXPECT_EQ(read_text(*there_, 11), "still there");
}

TEST_F(AsyncIoTest, ADroppedReadTakesNothing) {
  { auto dropped = here_->tryRead(buffer_.data(), 1, 16); }
  auto again = here_->tryRead(buffer_.data(), 3, 16);
  settle();
  again = nullptr;
  loop_.wait(there_->write("abc", 3));
  EXPECT_EQ(read_text(*here_, 3), "abc");
}

TEST_F(AsyncIoTest, ADroppedWriteLeavesTheStreamUsable) {
  std::vector<char> much(1 << 20, 'x');
  {
    auto dropped = there_->write(much.data(), much.size());
    settle();
  }
  there_->shutdownWrite();
  auto got = loop_.wait(here_->readAllBytes());
  EXPECT_LT(got.size(), much.size());
  EXPECT_TRUE(std::all_of(got.begin(), got.end(), [](char c) { return c == 'x'; }));
}

TEST_F(AsyncIoTest, AStreamMayGoWhileItIsReadAndWritten) {
  std::vector<char> much(1 << 20);
  auto read = here_->tryRead(buffer_.data(), 1, 16);
  auto write = here_->write(much.data(), much.size());
  settle();
  here_ = nullptr;
  EXPECT_NE(failure(kj::mv(read)).find("closed on this side"), std::string::npos);
  EXPECT_NE(failure(kj::mv(write)).find("closed on this side"), std::string::npos);
}

TEST_F(AsyncIoTest, AStreamMayGoWhenItsReadIsFulfilledButNotYetSeen) {
  auto read = here_->tryRead(buffer_.data(), 4, 16);
  settle();
  loop_.wait(there_->write("ab", 2));
  // Posts run in libuv's callbacks, like readiness: the read may have been woken in this very pass.
  auto pair = kj::newPromiseAndFulfiller<void>();
  loop_.post([&] {
    here_ = nullptr;
    pair.fulfiller->fulfill();
  });
  loop_.wait(kj::mv(pair.promise));
  EXPECT_NE(failure(kj::mv(read)), "");
}

TEST_F(AsyncIoTest, AStreamMayGoInTheCallbackOfItsOwnRead) {
  auto read = here_->read(buffer_.data(), 1).then([this] { here_ = nullptr; });
  loop_.wait(there_->write("a", 1));
  loop_.wait(kj::mv(read));
  EXPECT_EQ(loop_.wait(there_->tryRead(buffer_.data(), 1, 1)), 0u);
}

TEST_F(AsyncIoTest, ASecondReadAtOnceIsRefused) {
  auto first = here_->read(buffer_.data(), 1);
  EXPECT_NE(failure(kj::evalNow([&] { return here_->read(buffer_.data() + 1, 1); })).find("one read"), std::string::npos);
  loop_.wait(there_->write("a", 1));
  loop_.wait(kj::mv(first));
}

TEST_F(AsyncIoTest, DisconnectionIsSeenByEveryWaiter) {
  auto first = here_->whenWriteDisconnected();
  settle();
  auto second = here_->whenWriteDisconnected();
  there_ = nullptr;
  loop_.wait(kj::mv(first));
  loop_.wait(kj::mv(second));
  loop_.wait(here_->whenWriteDisconnected());
}

TEST_F(AsyncIoTest, APeerThatOnlyEndsItsSendingIsNotDisconnected) {
  bool gone = false;
  auto watch = here_->whenWriteDisconnected().then([&] { gone = true; }).eagerlyEvaluate(nullptr);
  there_->shutdownWrite();
  settle();
  EXPECT_FALSE(gone);
  there_ = nullptr;
  EXPECT_NE(failure(here_->write("x", 1)), "");
  loop_.wait(kj::mv(watch));
  EXPECT_TRUE(gone);
}

TEST_F(AsyncIoTest, DataThatIsUnreadDoesNotHideADisconnection) {
  loop_.wait(there_->write("unread", 6));
  auto gone = here_->whenWriteDisconnected();
  there_ = nullptr;
  loop_.wait(kj::mv(gone));
  EXPECT_EQ(read_text(*here_, 6), "unread");
}

TEST_F(AsyncIoTest, ARegularFileIsReadLikeAStream) {
  char name[] = "/tmp/runledger-async-io-XXXXXX";
  int fd = mkostemp(name, O_CLOEXEC);
  ASSERT_GE(fd, 0);
  unlink(name);
  ASSERT_EQ(pwrite(fd, "stored", 6, 0), 6);
  auto file = loop_.low_level_io().wrapInputFd(fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP);
  EXPECT_EQ(std::string(loop_.wait(file->readAllText()).cStr()), "stored");
}

TEST_F(AsyncIoTest, ADescriptorThatIsNotOwnedStaysOpen) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  {
    auto in = loop_.low_level_io().wrapInputFd(ends[0]);
    auto dropped = in->tryRead(buffer_.data(), 1, 1);
  }
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  auto again = loop_.low_level_io().wrapInputFd(ends[0], kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP);
  EXPECT_EQ(loop_.wait(again->tryRead(buffer_.data(), 1, 1)), 1u);
  close(ends[1]);
}

TEST_F(AsyncIoTest, TcpConnectsAndAcceptsThroughTheProvider) {
  auto address = loop_.wait(loop_.io().getNetwork().parseAddress("127.0.0.1"));
  auto receiver = address->listen();
  auto target = loop_.wait(loop_.io().getNetwork().parseAddress("127.0.0.1", receiver->getPort()));
  auto accepted = receiver->accept();
  auto client = loop_.wait(target->connect());
  auto server = loop_.wait(kj::mv(accepted));
  loop_.wait(client->write("over tcp", 8));
  EXPECT_EQ(read_text(*server, 8), "over tcp");
  auto pending = receiver->accept();
  receiver = nullptr;
  EXPECT_NE(failure(kj::mv(pending)), "");
  EXPECT_NE(failure(target->connect()).find("Connection refused"), std::string::npos);
}

/// No descriptor of this process beyond those it has, as long as this lives.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    int next = dup(0);
    close(next);
    rlimit lowered{static_cast<rlim_t>(next), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &lowered);
  }
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class NoDescriptorTest : public AsyncIoTest {
 protected:
  NoDescriptorTest() {
    address_ = loop_.wait(loop_.io().getNetwork().parseAddress("127.0.0.1"));
    receiver_ = address_->listen();
    target_ = loop_.wait(loop_.io().getNetwork().parseAddress("127.0.0.1", receiver_->getPort()));
    client_ = loop_.wait(target_->connect());
  }
  ~NoDescriptorTest() noexcept override = default;

  kj::Own<kj::NetworkAddress> address_, target_;
  kj::Own<kj::ConnectionReceiver> receiver_;
  kj::Own<kj::AsyncIoStream> client_;
};

TEST_F(NoDescriptorTest, AConnectionWaitsUntilADescriptorIsFree) {
  kj::Promise<kj::Own<kj::AsyncIoStream>> accepted = nullptr;
  {
    NoMoreDescriptors limit;
    accepted = receiver_->accept().eagerlyEvaluate(nullptr);
    settle();
  }
  auto server = loop_.wait(kj::mv(accepted));
  loop_.wait(server->write("late", 4));
  EXPECT_EQ(read_text(*client_, 4), "late");
}

TEST_F(NoDescriptorTest, AClientIsTurnedAwayWhenNoneBecomesFree) {
  kj::Promise<kj::Own<kj::AsyncIoStream>> accepted = nullptr;
  {
    NoMoreDescriptors limit;
    accepted = receiver_->accept().eagerlyEvaluate(nullptr);
    EXPECT_EQ(loop_.wait(client_->tryRead(buffer_.data(), 1, 1)), 0u);
  }
  auto another = loop_.wait(target_->connect());
  auto server = loop_.wait(kj::mv(accepted));
  loop_.wait(server->write("again", 5));
  EXPECT_EQ(read_text(*another, 5), "again");
}

}  // namespace
