// One client of ledgerd over TLS, honest or not: peer_of_ledgerd HOST:PORT CA_FILE TOKEN_FILE WHAT. Says on stdout what became of it.
#include <capnp/any.h>
#include <capnp/rpc-twoparty.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/secret_file.h"
#include "rpc/address.h"
#include "rpc/loop.h"
#include "rpc/tcp_socket.h"
#include "rpc/tls_context.h"
#include "rpc/tls_stream.h"
#include "rpc/transport.h"
#include "schema/api.capnp.h"

namespace {

/// A stream that can be told to read no more.
class Deafened final : public kj::AsyncIoStream {
 public:
  explicit Deafened(kj::Own<kj::AsyncIoStream> inner) : inner_(kj::mv(inner)) {}
  void read_no_more() { deaf_ = true; }

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override {
    if (deaf_) return kj::NEVER_DONE;
    return inner_->tryRead(buffer, min, max);
  }
  kj::Promise<void> write(const void* buffer, size_t size) override { return inner_->write(buffer, size); }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override { return inner_->write(pieces); }
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override { inner_->shutdownWrite(); }

 private:
  kj::Own<kj::AsyncIoStream> inner_;
  bool deaf_ = false;
};

template <typename T>
T must(base::Result<T> result) {
  if (!result.is_ok()) throw std::runtime_error(result.status().message());
  return std::move(result).value();
}

class Peer {
 public:
  Peer(const std::string& where, const std::string& ca_file, const std::string& token_file) : token_(must(base::read_secret_file(token_file))) {
    const auto place = std::get<rpc::TlsPlace>(must(rpc::place_of("tls:" + where)));
    const auto end = must(rpc::look_up_host(place, rpc::Purpose::kConnect)).front();
    const int fd = ::socket(end.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    KJ_SYSCALL(::connect(fd, end.get(), end.size));
    const int on = 1;
    KJ_SYSCALL(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
    auto context = must(rpc::TlsClientContext::load({.ca_file = ca_file}, place.host));
    auto tls = kj::heap<rpc::TlsStream>(loop_.low_level_io().wrapSocketFd(fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP), context.new_connection(), where);
    loop_.wait(tls->handshake());
    stream_ = kj::heap<Deafened>(kj::mv(tls));
    client_ = kj::heap<capnp::TwoPartyClient>(*stream_);
    session_ = log_in();
  }

  // ---- what it may do: each says in a line what came of it

  /// Asks one thing after the other and checks the answers. For each line of stdin: another 20 of them, then a line.
  std::string work() {
    fmt::print("{}\n", text_of(loop_.wait(session_.whoamiRequest().send()).getActor().getName()));
    std::fflush(stdout);
    auto runs = session_.runsRequest().send().getRuns();
    size_t first = 0;
    for (uint64_t answers = 0, owed = 0;;) {
      auto listed = loop_.wait(runs.listRequest().send());
      auto status = loop_.wait(runs.statusRequest().send());
      if (answers == 0) first = listed.getRuns().size();
      if (listed.getRuns().size() != first || status.getStatus().getLedger() != "ok") return "an answer that is not right";
      ++answers;
      pollfd in{STDIN_FILENO, POLLIN, 0};
      if (owed == 0 && poll(&in, 1, 0) > 0) {
        std::string line;
        if (!std::getline(std::cin, line)) return fmt::format("{} right answers", answers);
        owed = answers + 20;
      }
      if (owed == answers) {
        fmt::print("{}\n", answers);
        std::fflush(stdout);
        owed = 0;
      }
      loop_.wait(loop_.timer().afterDelay(2 * kj::MILLISECONDS));
    }
  }

  /// Asks for far more than it takes, and takes nothing.
  std::string ask_and_not_read() {
    auto instrument = session_.instrumentRequest();
    instrument.setName("MARI");
    auto scripts = loop_.wait(instrument.send().getInstrument().scriptsRequest().send());
    auto runs = session_.runsRequest().send().getRuns();
    stream_->read_no_more();
    for (int i = 0; i < 1000; ++i) {
      auto blob = runs.blobRequest();
      blob.setSha256(scripts.getScripts()[0].getScript().getSha256());
      keep(blob.send().ignoreResult());
    }
    loop_.wait(stream_->whenWriteDisconnected());
    return "cut off";
  }

  /// Structures in structures, where the ledger copies what it is given; and a list that says it has a half billion members.
  std::string nest_deeply() {
    auto instrument = session_.instrumentRequest();
    instrument.setName("MARI");
    auto mari = instrument.send().getInstrument();
    auto deep = mari.typelessRequest(capnp::typeId<schema::Instrument>(), 5, nullptr);  // setVariables
    auto inner = deep.initAsAnyStruct(0, 2).getPointerSection()[1];
    for (int depth = 0; depth < 10'000; ++depth) inner = inner.initAsAnyStruct(0, 1).getPointerSection()[0];
    std::string said = outcome(deep.send().ignoreResult());

    auto wide = session_.runsRequest().send().getRuns().typelessRequest(capnp::typeId<schema::Runs>(), 4, nullptr);  // watch
    auto filter = wide.initAsAnyStruct(1, 2).getPointerSection()[0].initAsAnyStruct(0, 3);
    filter.getPointerSection()[2].initAsAnyList(capnp::ElementSize::VOID, (1u << 29) - 1);
    return said + "\n" + outcome(wide.send().ignoreResult());
  }

  std::string keep_capabilities() {
    std::vector<schema::Runs::Client> kept;
    for (;;) {
      std::string said = outcome(session_.runsRequest().send().then([&](auto&& answer) { kept.push_back(answer.getRuns()); }));
      if (said != "answered") return fmt::format("{} kept; {}", kept.size(), said);
    }
  }

  std::string keep_sessions() {
    std::vector<schema::Session::Client> kept;
    for (;;) {
      std::string refusal;
      std::string said = outcome(login_request().send().then([&](auto&& answer) {
        refusal = text_of(answer.getRefusal().getText());
        kept.push_back(answer.getSession());
      }));
      if (said != "answered" || !refusal.empty()) return fmt::format("{} kept; {}{}", kept.size(), said, refusal);
    }
  }

  std::string keep_answers() {
    std::vector<capnp::Response<schema::Session::RunsResults>> kept;
    for (;;) {
      std::string said = outcome(session_.runsRequest().send().then([&](auto&& answer) { kept.push_back(kj::mv(answer)); }));
      if (said != "answered") return said;
    }
  }

  /// Ends its own token, then goes on as if it had not.
  std::string go_on_after_logout() {
    auto runs = loop_.wait(session_.runsRequest().send()).getRuns();
    auto revoke = session_.revokeTokenRequest();
    revoke.setCommandId("log out");
    revoke.setToken(loop_.wait(session_.whoamiRequest().send()).getRights().getToken());
    std::string said = outcome(revoke.send().ignoreResult());
    said += "\n" + outcome(session_.whoamiRequest().send().ignoreResult());
    said += "\n" + outcome(runs.listRequest().send().ignoreResult());
    auto again = loop_.wait(login_request().send());
    return fmt::format("{}\n{}", said, text_of(again.getRefusal().getText()));
  }

 private:
  static std::string text_of(capnp::Text::Reader text) { return text.cStr(); }
  schema::Gateway::Client gateway() { return client_->bootstrap().castAs<schema::Gateway>(); }
  capnp::Request<schema::Gateway::LoginParams, schema::Gateway::LoginResults> login_request() {
    auto request = gateway().loginRequest();
    request.initCredentials().setToken(token_);
    return request;
  }
  schema::Session::Client log_in() {
    auto answer = loop_.wait(login_request().send());
    if (!answer.hasSession()) throw std::runtime_error(answer.getRefusal().getText().cStr());
    return answer.getSession();
  }
  void keep(kj::Promise<void> promise) { kept_.push_back(promise.eagerlyEvaluate([](kj::Exception&&) {})); }
  /// "answered", or why not.
  std::string outcome(kj::Promise<void> promise) {
    return loop_.wait(promise.then([] { return std::string("answered"); }, [](kj::Exception&& why) { return std::string(why.getDescription().cStr()); }));
  }

  rpc::Loop loop_;
  const std::string token_;
  kj::Own<Deafened> stream_;
  kj::Own<capnp::TwoPartyClient> client_;
  schema::Session::Client session_ = nullptr;
  std::vector<kj::Promise<void>> kept_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, std::string (Peer::*)()> ways{
      {"work", &Peer::work},
      {"ask-and-not-read", &Peer::ask_and_not_read},
      {"nest-deeply", &Peer::nest_deeply},
      {"keep-capabilities", &Peer::keep_capabilities},
      {"keep-sessions", &Peer::keep_sessions},
      {"keep-answers", &Peer::keep_answers},
      {"go-on-after-logout", &Peer::go_on_after_logout},
  };
  try {
    if (argc != 5 || !ways.contains(argv[4])) throw std::runtime_error("HOST:PORT CA_FILE TOKEN_FILE WHAT");
    Peer peer(argv[1], argv[2], argv[3]);
    fmt::print("{}\n", (peer.*ways.at(argv[4]))());
    return 0;
  } catch (const kj::Exception& problem) {
    fmt::print(stderr, "peer_of_ledgerd: {}\n", problem.getDescription().cStr());
  } catch (const std::exception& problem) {
    fmt::print(stderr, "peer_of_ledgerd: {}\n", problem.what());
  }
  return 2;
}
