// A server that answers simple calls, clients of it that behave and that do not, and a loop for both.
#pragma once

#include <capnp/rpc-twoparty.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/vector.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "rpc/transport.h"
#include "tests/rpc/echo.capnp.h"

namespace echo {

/// What the servers of all connections of a test saw.
struct Seen {
  std::vector<rpc::PeerIdentity> peers;
  int hanging = 0;
  int made = 0;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> staying;
};

class EchoServer final : public Echo::Server {
 public:
  EchoServer(Seen& seen, rpc::PeerIdentity peer, uint32_t depth = 0) : seen_(seen), peer_(std::move(peer)), depth_(depth) {}

  kj::Promise<void> say(SayContext context) override {
    context.getResults().setText(context.getParams().getText());
    context.getResults().setCalls(++calls_);
    return kj::READY_NOW;
  }
  kj::Promise<void> bytes(BytesContext context) override {
    context.getResults().setData(context.getParams().getData());
    return kj::READY_NOW;
  }
  kj::Promise<void> make(MakeContext context) override {
    ++seen_.made;
    context.getResults().initData(context.getParams().getSize());
    return kj::READY_NOW;
  }
  kj::Promise<void> me(MeContext context) override {
    auto results = context.getResults();
    const auto& local = std::get<rpc::LocalPeer>(peer_);
    results.setUid(local.uid);
    results.setGid(local.gid);
    results.setPid(local.pid);
    results.setName(local.account_name);
    return kj::READY_NOW;
  }
  kj::Promise<void> next(NextContext context) override {
    context.getResults().setEcho(kj::heap<EchoServer>(seen_, peer_, depth_ + 1));
    context.getResults().setDepth(depth_ + 1);
    return kj::READY_NOW;
  }
  kj::Promise<void> hang(HangContext context) override {
    ++seen_.hanging;
    context.allowCancellation();
    return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([this] { --seen_.hanging; }));
  }
  kj::Promise<void> stay(StayContext) override {
    auto pair = kj::newPromiseAndFulfiller<void>();
    seen_.staying.push_back(kj::mv(pair.fulfiller));
    return kj::mv(pair.promise);
  }
  kj::Promise<void> fail(FailContext) override { KJ_FAIL_REQUIRE("detector is off"); }

 private:
  Seen& seen_;
  rpc::PeerIdentity peer_;
  uint32_t depth_;
  uint32_t calls_ = 0;
};

/// A stream that reads nothing until it may.
class MuteStream final : public kj::AsyncIoStream {
 public:
  explicit MuteStream(kj::Own<kj::AsyncIoStream> inner) : inner_(kj::mv(inner)) {
    auto pair = kj::newPromiseAndFulfiller<void>();
    may_read_ = pair.promise.fork();
    allow_ = kj::mv(pair.fulfiller);
  }
  void allow_reading() { allow_->fulfill(); }

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override {
    return may_read_.addBranch().then([this, buffer, min, max] { return inner_->tryRead(buffer, min, max); });
  }
  kj::Promise<void> write(const void* buffer, size_t size) override { return inner_->write(buffer, size); }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override { return inner_->write(pieces); }
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override { inner_->shutdownWrite(); }

 private:
  kj::Own<kj::AsyncIoStream> inner_;
  kj::ForkedPromise<void> may_read_ = nullptr;
  kj::Own<kj::PromiseFulfiller<void>> allow_;
};

/// A client that asks for many answers of 1 MiB and takes none.
class GreedyClient {
 public:
  static constexpr int kAnswers = 200;

  explicit GreedyClient(kj::Own<kj::AsyncIoStream> stream) : stream_(kj::mv(stream)), rpc_(stream_) {
    auto echo = rpc_.bootstrap().castAs<Echo>();
    for (int i = 0; i < kAnswers; ++i) {
      auto request = echo.makeRequest();
      request.setSize(1 << 20);
      answers_.add(request.send().then([this](auto&& answer) { got_ += answer.getData().size(); }).eagerlyEvaluate(nullptr));
    }
  }
  kj::Promise<void> take_answers() {
    stream_.allow_reading();
    return kj::joinPromises(answers_.releaseAsArray());
  }
  size_t got() const { return got_; }

 private:
  MuteStream stream_;
  capnp::TwoPartyClient rpc_;
  kj::Vector<kj::Promise<void>> answers_;
  size_t got_ = 0;
};

class EchoTest : public testing::Test {
 protected:
  ~EchoTest() noexcept override { listener_ = nullptr; }

  rpc::BootstrapFactory factory() {
    return [this](const rpc::PeerIdentity& peer) -> capnp::Capability::Client {
      seen_.peers.push_back(peer);
      if (on_peer_) on_peer_(seen_.peers.size() - 1);
      return kj::heap<EchoServer>(seen_, peer);
    };
  }

  struct Client {
    rpc::Connection connection;
    Echo::Client echo;
  };
  Client client(const std::string& address, rpc::ConnectOptions options = {}) {
    auto connection = loop_.wait(rpc::connect(loop_, address, std::move(options)));
    auto echo = connection.bootstrap().castAs<Echo>();
    return {std::move(connection), std::move(echo)};
  }

  std::string say(Echo::Client& echo, const std::string& text) {
    auto request = echo.sayRequest();
    request.setText(text);
    return loop_.wait(request.send()).getText().cStr();
  }

  template <typename T>
  std::string failure(kj::Promise<T> promise) {
    try {
      loop_.wait(kj::mv(promise));
    } catch (const kj::Exception& exception) {
      return exception.getDescription().cStr();
    }
    return "";
  }

  template <typename Condition>
  void wait_until(Condition condition) {
    while (!condition()) loop_.wait(loop_.timer().afterDelay(1 * kj::MILLISECONDS));
  }

  rpc::Loop loop_;
  Seen seen_;
  std::function<void(size_t connection)> on_peer_;  // of those of `seen_`, the one that has come
  std::unique_ptr<rpc::Listener> listener_;
};

}  // namespace echo
