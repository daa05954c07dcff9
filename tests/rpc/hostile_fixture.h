// A listener in the network with a client that works all the time, which nobody else may disturb.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "rpc/tls_context.h"
#include "rpc/tls_stream.h"
#include "tests/rpc/tls_fixture.h"

namespace echo {

class HostileClientsTest : public echo::TlsFixture {
 protected:
  ~HostileClientsTest() noexcept override { working_ = nullptr; }

  /// Listens, and lets a client call one call after the other from now on.
  void listen_and_work(rpc::ListenOptions options = {}) {
    listen(options);
    on_peer_ = [this](size_t) { admission(0).give(); };
    worker_.emplace(client());
    working_ = work().eagerlyEvaluate([this](kj::Exception&& exception) { trouble_ = exception.getDescription().cStr(); });
    wait_until([this] { return answers_ > 0; });
    on_peer_ = nullptr;
  }
  /// Of the connection that came as the nth.
  rpc::Admission& admission(size_t connection) { return *std::get<rpc::TlsPeer>(seen_.peers.at(connection)).admission; }
  kj::Promise<void> work() {
    auto request = worker_->echo.sayRequest();
    request.setText("at work");
    return request.send().then([this](auto&&) {
      ++answers_;
      return kj::evalLater([this] { return work(); });
    });
  }
  void expect_unharmed() {
    const auto before = answers_;
    wait_until([&] { return answers_ > before + 10 || !trouble_.empty(); });
    EXPECT_EQ(trouble_, "");
  }

  /// Done when the server has ended this connection; how it did so does not matter.
  void wait_for_end(kj::AsyncIoStream& stream) { failure(stream.readAllBytes(1 << 20)); }

  /// A connection whose handshake is done.
  kj::Own<rpc::TlsStream> shaken(kj::Own<kj::AsyncIoStream> stream) {
    auto context = rpc::TlsClientContext::load(trusting(), "127.0.0.1");
    KJ_ASSERT(context.is_ok());
    auto tls = kj::heap<rpc::TlsStream>(kj::mv(stream), context->new_connection(), "the ledger");
    loop_.wait(tls->handshake());
    return tls;
  }

  std::optional<Client> worker_;
  kj::Promise<void> working_ = nullptr;
  uint64_t answers_ = 0;
  std::string trouble_;
};

}  // namespace echo
