#include "tools/client.h"

#include <fmt/format.h>

#include "rpc/loop.h"
#include "rpc/transport.h"

namespace tools {
namespace {

class RemoteClient final : public Client {
 public:
  using Client::Client;
  ~RemoteClient() override { leave(); }
  base::Status open(const rpc::TlsClientFiles& tls) {
    kj::Maybe<kj::Exception> failure =
        kj::runCatchingExceptions([&] { connection_.emplace(loop_.wait(rpc::connect(loop_, address(), {.tls = tls}))); });
    KJ_IF_MAYBE (exception, failure) return {base::Code::kUnavailable, exception->getDescription().cStr()};
    return {};
  }

  schema::Gateway::Client gateway() override { return connection_->bootstrap().castAs<schema::Gateway>(); }

 protected:
  void run(kj::Promise<void> promise) override { loop_.wait(kj::mv(promise)); }

 private:
  rpc::Loop loop_;
  std::optional<rpc::Connection> connection_;
};

}  // namespace

base::Result<std::unique_ptr<Client>> connect(const std::string& address, const rpc::TlsClientFiles& tls) {
  auto client = std::make_unique<RemoteClient>(address);
  if (base::Status status = client->open(tls); !status.is_ok()) return status;
  return std::unique_ptr<Client>(std::move(client));
}

base::Status Client::wait(kj::Promise<void> promise) {
  base::Status status;
  kj::Maybe<kj::Exception> failure = kj::runCatchingExceptions([&] {
    run(promise.catch_([&](kj::Exception&& exception) { status = status_of(exception); }));
  });
  KJ_IF_MAYBE (exception, failure) return status_of(*exception);
  return status;
}

base::Status status_of(const kj::Exception& exception) {
  constexpr std::string_view kRemote = "remote exception: ";
  std::string_view text(exception.getDescription().cStr(), exception.getDescription().size());
  if (text.starts_with(kRemote)) text.remove_prefix(kRemote.size());
  switch (exception.getType()) {
    case kj::Exception::Type::DISCONNECTED:
      return {base::Code::kUnavailable,
              fmt::format("the connection to ledgerd was lost ({}); look with 'runledger status' whether it was done", text)};
    case kj::Exception::Type::OVERLOADED:
      return {base::Code::kUnavailable, fmt::format("ledgerd is busy ({}); try again", text)};
    case kj::Exception::Type::UNIMPLEMENTED:
      return {base::Code::kUnsupportedVersion, fmt::format("ledgerd does not know this request ({}); it is of another release", text)};
    default:
      return {base::Code::kInternal, fmt::format("ledgerd failed: {}; its daemon log says more", text)};
  }
}

}  // namespace tools
