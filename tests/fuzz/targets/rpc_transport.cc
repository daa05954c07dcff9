// Any bytes arrive on a connection as rpc::Listener serves it. That connection may end; the process, its memory and another client
// of the same loop must not notice.
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <kj/debug.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "rpc_messages.h"
#include "service.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using fuzz::Arrival;

/// What the answers were like. The RPC system itself is a library that does not report what an input reaches in it; its answers do.
constexpr size_t kKindsOfAnswers = 4096;
__attribute__((section("__libfuzzer_extra_counters"))) uint8_t answers_seen[kKindsOfAnswers];

constexpr size_t kMostAnswerBytes = 1 << 20;  // looked at; the others are only taken
constexpr int kPatience = 100'000;            // calls of the honest client until a connection must have ended

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "rpc_transport: %s\n", what);
  std::abort();
}

/// Logs go nowhere, but they are written: with what a peer sent in them.
void log_nowhere() {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("fuzz", std::make_shared<spdlog::sinks::null_sink_mt>()));
}

void note_answer(capnp::rpc::Message::Reader answer) {
  size_t kind = answer.which();
  const auto note_text = [&](capnp::Text::Reader text) {
    for (const char c : text) {
      if (c < '0' || c > '9') kind = kind * 31 + static_cast<unsigned char>(c);  // the same but for a number in it
    }
  };
  if (answer.isReturn()) {
    auto given = answer.getReturn();
    kind = kind * 31 + given.which();
    if (given.isException()) note_text(given.getException().getReason());
    if (given.isResults()) kind = kind * 31 + std::min<size_t>(given.getResults().getCapTable().size(), 4);
  } else if (answer.isAbort()) {
    note_text(answer.getAbort().getReason());
  } else if (answer.isResolve()) {
    kind = kind * 31 + answer.getResolve().which();
  } else if (answer.isDisembargo()) {
    kind = kind * 31 + answer.getDisembargo().getContext().which();
  } else if (answer.isUnimplemented()) {
    kind = kind * 31 + answer.getUnimplemented().which();
  }
  uint8_t& seen = answers_seen[kind % kKindsOfAnswers];
  if (seen < 255) ++seen;
}

class World {
 public:
  World()
      : server_(loop_),
        honest_(loop_.wait(rpc::connect(loop_, server_.address()))),
        service_(honest_.bootstrap().castAs<fuzz::Service>()) {
    ask_honestly();
  }

  void arrive(const Arrival& arrival) {
    KJ_IF_MAYBE (ignored, kj::runCatchingExceptions([&] { send(arrival); })) {
      static_cast<void>(ignored);  // the connection was cut off before all was sent
    }
    for (int i = 0; server_.connections() > 1; ++i) {
      if (i == kPatience) broken("a connection does not end, though its client has gone");
      ask_honestly();
    }
    server_.forget_kept();
    ask_honestly();
    note_answers();
  }

 private:
  void send(const Arrival& arrival) {
    answers_.clear();
    auto target = loop_.wait(loop_.io().getNetwork().parseAddress(server_.address()));
    auto stream = loop_.wait(target->connect());
    auto taken = take_answers(*stream).eagerlyEvaluate(nullptr);
    size_t number = 0;
    std::string together;
    for (const std::string& message : arrival.messages) {
      together += message;
      if (!(arrival.pauses >> number++ % 8 & 1)) continue;
      loop_.wait(stream->write(together.data(), together.size()));
      together.clear();
      ask_honestly();
    }
    if (!together.empty()) loop_.wait(stream->write(together.data(), together.size()));
    stream->shutdownWrite();
    loop_.wait(kj::mv(taken));
  }

  kj::Promise<void> take_answers(kj::AsyncIoStream& stream) {
    return stream.tryRead(buffer_, 1, sizeof(buffer_)).then([this, &stream](size_t got) -> kj::Promise<void> {
      if (got == 0) return kj::READY_NOW;
      if (answers_.size() < kMostAnswerBytes) answers_.append(buffer_, got);
      return take_answers(stream);
    });
  }

  void note_answers() {
    for (const std::string& bytes : Arrival::parse(" " + answers_).messages) {
      auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
      std::memcpy(words.begin(), bytes.data(), words.size() * sizeof(capnp::word));
      KJ_IF_MAYBE (ignored, kj::runCatchingExceptions([&] {
                     capnp::FlatArrayMessageReader message(words);
                     note_answer(message.getRoot<capnp::rpc::Message>());
                   })) {
        static_cast<void>(ignored);  // cut short, or more than is looked at
      }
    }
  }

  void ask_honestly() {
    auto request = service_.sayRequest();
    request.setText("unharmed");
    bool answered = false;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&] { answered = loop_.wait(request.send()).getText() == "unharmed"; })) {
      broken(exception->getDescription().cStr());
    }
    if (!answered) broken("another client got an answer that is not its own");
  }

  rpc::Loop loop_;
  fuzz::Server server_;
  rpc::Connection honest_;
  fuzz::Service::Client service_;
  std::string answers_;
  char buffer_[16 * 1024];
};

// ---- making inputs from inputs

/// One message's body, with numbers in it changed or bytes put in and taken out.
std::string changed(std::string_view body, fuzz::Random& random) {
  std::string bytes(body);
  if (random() % 2 == 0 && bytes.size() >= 8) {
    // A small number where one of 2 or 4 bytes may stand.
    const uint32_t small = random() % 8;
    const size_t width = random() % 2 == 0 ? 2 : 4;
    std::memcpy(bytes.data() + random() % (bytes.size() / width) * width, &small, width);
    return bytes;
  }
  bytes.resize(body.size() + 64);
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), body.size(), bytes.size()));
  return bytes;
}

size_t give(const std::string& input, uint8_t* data, size_t max_size) {
  const size_t size = std::min(input.size(), max_size);
  std::memcpy(data, input.data(), size);
  return size;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  log_nowhere();
  kj::_::Debug::setLogLevel(kj::LogSeverity::FATAL);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World world;
  world.arrive(Arrival::parse({reinterpret_cast<const char*>(data), size}));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  fuzz::Random random(seed);
  Arrival arrival = Arrival::parse({reinterpret_cast<const char*>(data), size});
  auto& messages = arrival.messages;
  const size_t one = messages.empty() ? 0 : random() % messages.size();
  const auto at = messages.begin() + static_cast<std::ptrdiff_t>(one);
  switch (messages.empty() ? 0 : random() % 10) {
    case 0:
    case 1:
    case 2:
      messages.insert(messages.begin() + static_cast<std::ptrdiff_t>(random() % (messages.size() + 1)),
                      fuzz::made_up_message(random));
      break;
    case 3:
      messages.erase(at);
      break;
    case 4:
      messages.insert(at, std::string(*at));
      break;
    case 5:
      std::swap(*at, messages[random() % messages.size()]);
      break;
    case 6:
      arrival.pauses = static_cast<uint8_t>(random());
      break;
    case 7:
      return LLVMFuzzerMutate(data, size, max_size);
    default:
      *at = fuzz::framed(changed(fuzz::body_of(*at), random));
      break;
  }
  return give(arrival.bytes(), data, max_size);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* first, size_t first_size, const uint8_t* second, size_t second_size,
                                            uint8_t* out, size_t max_size, unsigned seed) {
  fuzz::Random random(seed);
  Arrival one = Arrival::parse({reinterpret_cast<const char*>(first), first_size});
  const Arrival other = Arrival::parse({reinterpret_cast<const char*>(second), second_size});
  one.messages.resize(random() % (one.messages.size() + 1));
  const size_t from = random() % (other.messages.size() + 1);
  one.messages.insert(one.messages.end(), other.messages.begin() + static_cast<std::ptrdiff_t>(from), other.messages.end());
  return give(one.bytes(), out, max_size);
}
