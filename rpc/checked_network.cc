#include "rpc/checked_network.h"

#include <capnp/rpc.capnp.h>
#include <kj/exception.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "rpc/transport.h"

namespace rpc {
namespace {

using capnp::rpc::CapDescriptor;
using capnp::rpc::Message;

/// The peer's calls that are not over: it has not finished them, or has and they still run.
class OpenCalls {
 public:
  void asked(uint32_t id) { calls_.try_emplace(id); }
  void finished(uint32_t id) { now(id, &Call::is_finished); }
  void answered(uint32_t id) { now(id, &Call::is_answered); }
  size_t size() const { return calls_.size(); }

 private:
  struct Call {
    bool is_finished = false, is_answered = false;
  };
  void now(uint32_t id, bool Call::*what) {
    auto found = calls_.find(id);
    if (found == calls_.end()) return;
    found->second.*what = true;
    if (found->second.is_finished && found->second.is_answered) calls_.erase(found);
  }
  std::unordered_map<uint32_t, Call> calls_;
};

size_t capabilities_of(Message::Reader message) {
  if (message.isCall()) return message.getCall().getParams().getCapTable().size();
  if (message.isReturn() && message.getReturn().isResults()) return message.getReturn().getResults().getCapTable().size();
  return 0;
}

/// Why the message is refused. Counts it.
std::optional<kj::String> refusal(Message::Reader message, OpenCalls& calls) {
  switch (message.which()) {
    case Message::BOOTSTRAP: calls.asked(message.getBootstrap().getQuestionId()); break;
    case Message::CALL: calls.asked(message.getCall().getQuestionId()); break;
    case Message::FINISH: calls.finished(message.getFinish().getQuestionId()); break;
    case Message::RESOLVE: {
      if (!message.getResolve().isCap()) break;
      const auto kind = message.getResolve().getCap().which();
      if (kind == CapDescriptor::NONE || kind == CapDescriptor::SENDER_HOSTED) break;
      return kj::str("a promise may become an object of its sender, or fail; nothing else is taken here");
    }
    default: break;
  }
  if (calls.size() > kMaxOpenCalls) return kj::str("a connection may have ", kMaxOpenCalls, " calls at a time that are not over");
  if (capabilities_of(message) > kMaxCapabilitiesOfMessage) return kj::str("a message may pass ", kMaxCapabilitiesOfMessage, " capabilities");
  return {};
}

/// A message that tells when a call of the peer's is answered.
class Outgoing final : public capnp::OutgoingRpcMessage {
 public:
  Outgoing(kj::Own<capnp::OutgoingRpcMessage> inner, std::weak_ptr<OpenCalls> calls) : inner_(kj::mv(inner)), calls_(std::move(calls)) {}

  capnp::AnyPointer::Builder getBody() override { return inner_->getBody(); }
  void setFds(kj::Array<int> fds) override { inner_->setFds(kj::mv(fds)); }
  void send() override {
    auto message = inner_->getBody().getAs<Message>().asReader();
    if (auto calls = calls_.lock(); calls && message.isReturn()) calls->answered(message.getReturn().getAnswerId());
    inner_->send();
  }
  size_t sizeInWords() override { return inner_->sizeInWords(); }

 private:
  kj::Own<capnp::OutgoingRpcMessage> inner_;
  const std::weak_ptr<OpenCalls> calls_;  // a message may outlive its connection
};

}  // namespace

class CheckedNetwork::Checked final : public Connection {
 public:
  Checked(kj::Own<Connection> inner, const Ended& ended) : inner_(kj::mv(inner)), ended_(ended) {}

  kj::Own<capnp::RpcFlowController> newStream() override { return inner_->newStream(); }
  capnp::rpc::twoparty::VatId::Reader getPeerVatId() override { return inner_->getPeerVatId(); }
  kj::Own<capnp::OutgoingRpcMessage> newOutgoingMessage(kj::uint first_segment_words) override {
    return kj::heap<Outgoing>(inner_->newOutgoingMessage(first_segment_words), calls_);
  }
  kj::Promise<kj::Maybe<kj::Own<capnp::IncomingRpcMessage>>> receiveIncomingMessage() override {
    using Incoming = kj::Maybe<kj::Own<capnp::IncomingRpcMessage>>;
    return inner_->receiveIncomingMessage()
        .then([this](Incoming&& incoming) -> kj::Promise<Incoming> {
          KJ_IF_MAYBE (message, incoming) {
            if (auto why = refusal((*message)->getBody().getAs<Message>(), *calls_)) {
              return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(*why));
            }
          }
          return kj::mv(incoming);
        })
        .catch_([this](kj::Exception&& why) -> kj::Promise<Incoming> {
          ended_(&why);
          return kj::mv(why);
        });
  }
  kj::Promise<void> shutdown() override {
    ended_(nullptr);
    return inner_->shutdown();
  }

 private:
  kj::Own<Connection> inner_;
  const Ended ended_;
  const std::shared_ptr<OpenCalls> calls_ = std::make_shared<OpenCalls>();
};

kj::Maybe<kj::Own<CheckedNetwork::Connection>> CheckedNetwork::connect(capnp::rpc::twoparty::VatId::Reader peer) {
  return inner_.connect(peer).map(
      [this](kj::Own<Connection>&& made) -> kj::Own<Connection> { return kj::heap<Checked>(kj::mv(made), ended_); });
}

kj::Promise<kj::Own<CheckedNetwork::Connection>> CheckedNetwork::accept() {
  return inner_.accept().then(
      [this](kj::Own<Connection>&& accepted) -> kj::Own<Connection> { return kj::heap<Checked>(kj::mv(accepted), ended_); });
}

}  // namespace rpc
