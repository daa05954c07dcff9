#include "rpc/checked_network.h"

#include <capnp/rpc.capnp.h>
#include <kj/exception.h>

#include <utility>

namespace rpc {
namespace {

using capnp::rpc::CapDescriptor;
using capnp::rpc::Message;

bool may_pass(Message::Reader message) {
  if (!message.isResolve() || !message.getResolve().isCap()) return true;
  const auto kind = message.getResolve().getCap().which();
  return kind == CapDescriptor::NONE || kind == CapDescriptor::SENDER_HOSTED;
}

}  // namespace

class CheckedNetwork::Checked final : public Connection {
 public:
  explicit Checked(kj::Own<Connection> inner) : inner_(kj::mv(inner)) {}

  kj::Own<capnp::RpcFlowController> newStream() override { return inner_->newStream(); }
  capnp::rpc::twoparty::VatId::Reader getPeerVatId() override { return inner_->getPeerVatId(); }
  kj::Own<capnp::OutgoingRpcMessage> newOutgoingMessage(kj::uint first_segment_words) override {
    return inner_->newOutgoingMessage(first_segment_words);
  }
  kj::Promise<kj::Maybe<kj::Own<capnp::IncomingRpcMessage>>> receiveIncomingMessage() override {
    using Incoming = kj::Maybe<kj::Own<capnp::IncomingRpcMessage>>;
    return inner_->receiveIncomingMessage().then([](Incoming&& incoming) -> kj::Promise<Incoming> {
      KJ_IF_MAYBE (message, incoming) {
        if (!may_pass((*message)->getBody().getAs<Message>())) {
          return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                               kj::str("a promise may become an object of its sender, or fail; nothing else is taken here"));
        }
      }
      return kj::mv(incoming);
    });
  }
  kj::Promise<void> shutdown() override { return inner_->shutdown(); }

 private:
  kj::Own<Connection> inner_;
};

kj::Maybe<kj::Own<CheckedNetwork::Connection>> CheckedNetwork::connect(capnp::rpc::twoparty::VatId::Reader peer) {
  return inner_.connect(peer).map(
      [](kj::Own<Connection>&& made) -> kj::Own<Connection> { return kj::heap<Checked>(kj::mv(made)); });
}

kj::Promise<kj::Own<CheckedNetwork::Connection>> CheckedNetwork::accept() {
  return inner_.accept().then(
      [](kj::Own<Connection>&& accepted) -> kj::Own<Connection> { return kj::heap<Checked>(kj::mv(accepted)); });
}

}  // namespace rpc
