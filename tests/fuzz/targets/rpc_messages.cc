#include "rpc_messages.h"

#include <capnp/capability.h>
#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cstring>

#include "service.capnp.h"

namespace fuzz {
namespace {

using capnp::rpc::CapDescriptor;
using capnp::rpc::Message;

constexpr size_t kMostSegments = 16;  // of a message that is told apart from noise

uint32_t number_at(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

/// Bytes of the segment table at the front; 0: that is none, or it is cut short.
size_t table_size(std::string_view bytes) {
  if (bytes.size() < 8 || number_at(bytes, 0) >= kMostSegments) return 0;
  const size_t size = ((number_at(bytes, 0) + 1) / 2 + 1) * 8;  // two 32-bit words to a word: the number and the sizes
  return size <= bytes.size() ? size : 0;
}

/// Bytes of the message at the front; all where it is cut short.
size_t message_size(std::string_view bytes) {
  const size_t table = table_size(bytes);
  if (table == 0) return bytes.size();
  uint64_t size = table;
  for (uint32_t i = 0; i <= number_at(bytes, 0); ++i) size += uint64_t{number_at(bytes, 4 + 4 * i)} * 8;
  return std::min<uint64_t>(size, bytes.size());
}

class Maker {
 public:
  explicit Maker(Random& random) : random_(random) {}

  std::string message() {
    capnp::MallocMessageBuilder builder;
    fill(builder.initRoot<Message>());
    const auto words = capnp::messageToFlatArray(builder);
    const auto bytes = words.asBytes();
    return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
  }

 private:
  uint32_t below(uint32_t end) { return static_cast<uint32_t>(random_() % end); }
  uint32_t id() { return below(16) == 0 ? 0xFFFFFFFFu - below(2) : below(5); }

  /// Becomes number 0 of the table in a message; fill_caps() says what that is.
  static Service::Client nobody() { return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__); }

  void fill(Message::Builder message) {
    switch (below(10)) {
      case 0:
        message.initBootstrap().setQuestionId(id());
        break;
      case 1:
      case 2:
      case 3:
        fill_call(message.initCall());
        break;
      case 4:
        fill_return(message.initReturn());
        break;
      case 5: {
        auto finish = message.initFinish();
        finish.setQuestionId(id());
        finish.setReleaseResultCaps(below(2) == 0);
        break;
      }
      case 6: {
        auto resolve = message.initResolve();
        resolve.setPromiseId(id());
        if (below(4) == 0) {
          resolve.initException().setReason("no");
        } else {
          fill_cap(resolve.initCap());
        }
        break;
      }
      case 7: {
        auto release = message.initRelease();
        release.setId(id());
        release.setReferenceCount(below(3));
        break;
      }
      case 8: {
        auto disembargo = message.initDisembargo();
        fill_target(disembargo.initTarget());
        auto context = disembargo.initContext();
        switch (below(4)) {
          case 0:
            context.setSenderLoopback(id());
            break;
          case 1:
            context.setReceiverLoopback(id());
            break;
          case 2:
            context.setAccept();
            break;
          default:
            context.setProvide(id());
            break;
        }
        break;
      }
      default:
        fill_rare(message);
        break;
    }
  }
  void fill_rare(Message::Builder message) {
    switch (below(6)) {
      case 0:
        message.initUnimplemented().initRelease().setId(id());
        break;
      case 1:
        message.initAbort().setReason("enough");
        break;
      case 2:
        message.initProvide().setQuestionId(id());
        break;
      case 3:
        message.initAccept().setQuestionId(id());
        break;
      case 4:
        message.initJoin().setQuestionId(id());
        break;
      default:
        fill_call(message.initUnimplemented().initCall());
        break;
    }
  }
  void fill_target(capnp::rpc::MessageTarget::Builder target) {
    if (below(2) == 0) {
      target.setImportedCap(id());
    } else {
      fill_answer(target.initPromisedAnswer());
    }
  }
  void fill_answer(capnp::rpc::PromisedAnswer::Builder answer) {
    answer.setQuestionId(id());
    auto transform = answer.initTransform(below(3));
    for (auto step : transform) {
      if (below(4) == 0) {
        step.setNoop();
      } else {
        step.setGetPointerField(static_cast<uint16_t>(below(3)));
      }
    }
  }
  void fill_cap(CapDescriptor::Builder cap) {
    switch (below(7)) {
      case 0:
        cap.setNone();
        break;
      case 1:
        cap.setSenderHosted(id());
        break;
      case 2:
        cap.setSenderPromise(id());
        break;
      case 3:
        cap.setReceiverHosted(id());
        break;
      case 4:
        fill_answer(cap.initReceiverAnswer());
        break;
      case 5:
        cap.initThirdPartyHosted().setVineId(id());
        break;
      default:
        cap.setSenderHosted(id());
        break;
    }
  }
  void fill_caps(capnp::rpc::Payload::Builder payload) {
    auto caps = payload.initCapTable(below(4));
    for (auto cap : caps) fill_cap(cap);
  }
  void fill_call(capnp::rpc::Call::Builder call) {
    call.setQuestionId(id());
    fill_target(call.initTarget());
    call.setInterfaceId(capnp::typeId<Service>());
    call.setMethodId(static_cast<uint16_t>(below(9)));
    call.setAllowThirdPartyTailCall(below(4) == 0);
    if (below(8) == 0) {
      call.getSendResultsTo().setYourself();
    } else if (below(8) == 0) {
      call.getSendResultsTo().initThirdParty();
    }
    // Of all parameters those of relay() have the most: an object and a text.
    auto params = call.initParams();
    fill_caps(params);
    capnp::BuilderCapabilityTable table;
    auto relay = table.imbue(params.getContent()).initAs<Service::RelayParams>();
    if (below(4) != 0) relay.setOther(nobody());
    if (below(2) == 0) relay.setText("MARI");
  }
  void fill_return(capnp::rpc::Return::Builder answer) {
    answer.setAnswerId(id());
    answer.setReleaseParamCaps(below(2) == 0);
    switch (below(7)) {
      case 0:
        answer.initException().setReason("no");
        break;
      case 1:
        answer.setCanceled();
        break;
      case 2:
        answer.setResultsSentElsewhere();
        break;
      case 3:
        answer.setTakeFromOtherQuestion(id());
        break;
      case 4:
        answer.initAcceptFromThirdParty();
        break;
      default: {
        auto results = answer.initResults();
        fill_caps(results);
        if (below(2) == 0) {
          results.getContent().initAs<Service::SayResults>().setText("MARI");
        } else {
          capnp::BuilderCapabilityTable table;
          table.imbue(results.getContent()).initAs<Service::NextResults>().setService(nobody());
        }
        break;
      }
    }
  }

  Random& random_;
};

}  // namespace

Arrival Arrival::parse(std::string_view input) {
  Arrival arrival;
  if (input.empty()) return arrival;
  arrival.pauses = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  while (!input.empty()) {
    const size_t size = message_size(input);
    arrival.messages.emplace_back(input.substr(0, size));
    input.remove_prefix(size);
  }
  return arrival;
}

std::string Arrival::bytes() const {
  std::string bytes(1, static_cast<char>(pauses));
  for (const std::string& message : messages) bytes += message;
  return bytes;
}

std::string made_up_message(Random& random) { return Maker(random).message(); }

std::string framed(std::string_view body) {
  const uint32_t table[2] = {0, static_cast<uint32_t>((body.size() + 7) / 8)};
  std::string message(reinterpret_cast<const char*>(table), sizeof(table));
  message += body;
  message.resize((message.size() + 7) / 8 * 8);
  return message;
}

std::string_view body_of(std::string_view message) {
  const size_t table = table_size(message);
  return table == 0 ? std::string_view() : message.substr(table);
}

}  // namespace fuzz
