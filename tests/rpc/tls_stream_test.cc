#include "rpc/tls_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "rpc/loop.h"
#include "rpc/tls_context.h"
#include "tests/rpc/cut_bytes.h"
#include "tests/support/certificates.h"
#include "tests/support/temporary_folder.h"

namespace {

using testing::HasSubstr;

/// `here_` is the server, `there_` the client.
class TlsStreamTest : public testing::Test {
 protected:
  TlsStreamTest() {
    auto files = authority_.server("server");
    auto server = rpc::TlsServerContext::load({files.certificate, files.key, ""});
    auto client = rpc::TlsClientContext::load({authority_.certificate(), "", "", ""}, "localhost");
    KJ_ASSERT(server.is_ok() && client.is_ok());
    auto pipe = loop_.io().newTwoWayPipe();
    here_ = kj::heap<rpc::TlsStream>(kj::mv(pipe.ends[0]), server->new_connection(), "there");
    there_ = kj::heap<rpc::TlsStream>(kj::mv(pipe.ends[1]), client->new_connection(), "here");
  }
  ~TlsStreamTest() noexcept override = default;

  void shake_hands() {
    auto theirs = there_->handshake().eagerlyEvaluate(nullptr);
    loop_.wait(here_->handshake());
    loop_.wait(kj::mv(theirs));
  }

  template <typename T>
  std::string failure(kj::Promise<T> promise) {
    try {
      loop_.wait(kj::mv(promise));
    } catch (const kj::Exception& exception) {
      EXPECT_EQ(exception.getType(), kj::Exception::Type::DISCONNECTED);
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

  support::TemporaryFolder folder_;
  support::CertificateAuthority authority_{folder_.path()};
  rpc::Loop loop_;
  kj::Own<rpc::TlsStream> here_, there_;
  std::array<char, 16> buffer_{};
};

TEST_F(TlsStreamTest, EveryByteArrivesInOrderHoweverItIsCut) {
  shake_hands();
  echo::expect_every_byte_in_order(loop_, *there_, *here_);
  echo::expect_every_byte_in_order(loop_, *here_, *there_);
}

TEST_F(TlsStreamTest, BothMaySendMuchAtOnceBeforeEitherReads) {
  shake_hands();
  std::vector<char> much(4 << 20, 'x');
  auto ours = here_->write(much.data(), much.size());
  auto theirs = there_->write(much.data(), much.size());
  std::vector<char> got(much.size());
  settle();
  loop_.wait(there_->read(got.data(), got.size()));
  loop_.wait(here_->read(got.data(), got.size()));
  loop_.wait(kj::mv(ours));
  loop_.wait(kj::mv(theirs));
  EXPECT_TRUE(got == much);
}

TEST_F(TlsStreamTest, TheGoodbyeIsTheEndOfOneDirection) {
  shake_hands();
  loop_.wait(there_->write("abc", 3));
  there_->shutdownWrite();
  EXPECT_EQ(loop_.wait(here_->tryRead(buffer_.data(), 8, 16)), 3u);
  EXPECT_EQ(loop_.wait(here_->tryRead(buffer_.data(), 1, 16)), 0u);
  loop_.wait(here_->write("still there", 11));
  EXPECT_EQ(read_text(*there_, 11), "still there");
}

TEST_F(TlsStreamTest, AStreamThatGoesSaysGoodbye) {
  shake_hands();
  there_ = nullptr;
  EXPECT_EQ(loop_.wait(here_->tryRead(buffer_.data(), 1, 16)), 0u);
}

TEST_F(TlsStreamTest, BytesThatEndWithoutGoodbyeAreADisconnectionNotAnEnd) {
  shake_hands();
  loop_.wait(there_->write("abc", 3));
  KJ_IF_MAYBE (fd, there_->getFd()) ::shutdown(*fd, SHUT_WR);
  EXPECT_EQ(read_text(*here_, 3), "abc");
  EXPECT_THAT(failure(here_->tryRead(buffer_.data(), 1, 16)),
              HasSubstr("there: the other side closed the connection without a goodbye"));
  EXPECT_THAT(failure(here_->write("x", 1)), HasSubstr("without a goodbye"));
}

TEST_F(TlsStreamTest, ADroppedReadTakesNothing) {
  shake_hands();
  { auto dropped = here_->tryRead(buffer_.data(), 1, 16); }
  auto again = here_->tryRead(buffer_.data(), 3, 16);
  settle();
  again = nullptr;
  loop_.wait(there_->write("abc", 3));
  EXPECT_EQ(read_text(*here_, 3), "abc");
}

TEST_F(TlsStreamTest, ADroppedReadLeavesWhatArrivedMeanwhile) {
  shake_hands();
  auto dropped = here_->tryRead(buffer_.data(), 16, 16);
  settle();
  dropped = nullptr;
  loop_.wait(there_->write("abc", 3));
  settle();
  loop_.wait(there_->write("def", 3));
  EXPECT_EQ(read_text(*here_, 6), "abcdef");
}

TEST_F(TlsStreamTest, ADroppedWriteLeavesTheStreamUsable) {
  shake_hands();
  std::vector<char> much(1 << 20, 'x');
  {
    auto dropped = there_->write(much.data(), much.size());
    settle();
  }
  auto after = there_->write("!", 1).then([this] { there_->shutdownWrite(); }).eagerlyEvaluate(nullptr);
  std::string got = loop_.wait(here_->readAllText()).cStr();
  loop_.wait(kj::mv(after));
  ASSERT_LT(got.size(), much.size());
  EXPECT_EQ(got, std::string(got.size() - 1, 'x') + '!');
}

TEST_F(TlsStreamTest, AStreamMayGoWhileItIsReadAndWritten) {
  shake_hands();
  std::vector<char> much(1 << 20);
  auto read = here_->tryRead(buffer_.data(), 1, 16);
  auto write = here_->write(much.data(), much.size());
  settle();
  here_ = nullptr;
  EXPECT_THAT(failure(kj::mv(read)), HasSubstr("closed on this side"));
  EXPECT_THAT(failure(kj::mv(write)), HasSubstr("closed on this side"));
}

TEST_F(TlsStreamTest, AStreamMayGoInTheCallbackOfItsOwnRead) {
  shake_hands();
  auto read = here_->read(buffer_.data(), 1).then([this] { here_ = nullptr; });
  loop_.wait(there_->write("a", 1));
  loop_.wait(kj::mv(read));
  EXPECT_EQ(loop_.wait(there_->tryRead(buffer_.data(), 1, 1)), 0u);
}

TEST_F(TlsStreamTest, AStreamMayGoDuringItsHandshake) {
  auto ours = here_->handshake();
  auto theirs = there_->handshake();
  there_ = nullptr;
  EXPECT_THAT(failure(kj::mv(theirs)), HasSubstr("closed on this side"));
  EXPECT_THAT(failure(kj::mv(ours)), HasSubstr("without a goodbye"));
  here_ = nullptr;
}

TEST_F(TlsStreamTest, ADroppedHandshakeMayBeTakenUpAgain) {
  {
    auto dropped = here_->handshake();
    settle();
  }
  shake_hands();
  loop_.wait(there_->write("abc", 3));
  EXPECT_EQ(read_text(*here_, 3), "abc");
}

TEST_F(TlsStreamTest, AChangedByteEndsTheConnection) {
  shake_hands();
  // An application record of 32 bytes that no key of this connection has made (RFC 8446, 5.2).
  std::array<kj::byte, 37> forged{23, 3, 3, 0, 32};
  KJ_IF_MAYBE (fd, there_->getFd()) ASSERT_EQ(::send(*fd, forged.data(), forged.size(), 0), static_cast<ssize_t>(forged.size()));
  EXPECT_THAT(failure(here_->tryRead(buffer_.data(), 1, 16)), HasSubstr("there: "));
  EXPECT_THAT(failure(there_->tryRead(buffer_.data(), 1, 16)), HasSubstr("the other side ended the connection (bad record mac)"));
}

TEST_F(TlsStreamTest, NothingIsReadFromAPeerThatAsksForKeysAndTakesNone) {
  shake_hands();
  constexpr int kAsked = 8'000;
  int asked = 0;
  std::function<kj::Promise<void>()> ask_on = [&]() -> kj::Promise<void> {
    if (asked == kAsked) return kj::READY_NOW;
    SSL_key_update(&there_->connection(), SSL_KEY_UPDATE_REQUESTED);
    return there_->write("x", 1).then([&] {
      ++asked;
      return ask_on();
    });
  };
  auto asking = ask_on().eagerlyEvaluate(nullptr);
  std::vector<char> got(kAsked);
  auto reading = here_->read(got.data(), got.size()).eagerlyEvaluate(nullptr);
  for (int before = -1; before != asked;) {
    before = asked;
    settle();
  }
  EXPECT_LT(asked, kAsked);
  auto taking = there_->tryRead(buffer_.data(), 1, 1);
  loop_.wait(kj::mv(reading));
  EXPECT_EQ(asked, kAsked);
}

TEST_F(TlsStreamTest, TheSocketBelowIsWithinReach) {
  int size = 0;
  kj::uint length = sizeof(size);
  here_->getsockopt(SOL_SOCKET, SO_SNDBUF, &size, &length);
  EXPECT_GT(size, 0);
  EXPECT_TRUE(here_->getFd() != nullptr);
}

}  // namespace
