#include <capnp/serialize-async.h>
#include <capnp/serialize.h>
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <deque>

#include "base/text.h"
#include "daemons/monitor/raw_file_reader.h"
#include "daemons/process/process.h"
#include "rpc/loop.h"

namespace daemons {
namespace {

constexpr int kTries = 2;
constexpr uint64_t kReportWords = 4 << 20;  // 32 MiB: more is no report
constexpr auto kReapPatience = 2 * kj::SECONDS;

using Report = kj::Own<capnp::MessageReader>;

kj::Promise<Report> exchange(Process& child, const std::string& path, const std::string& root) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto request = message->initRoot<schema::RawFileRequest>();
  request.setPath(kj::arrayPtr(reinterpret_cast<const kj::byte*>(path.data()), path.size()));
  request.setRoot(kj::arrayPtr(reinterpret_cast<const kj::byte*>(root.data()), root.size()));
  auto written = capnp::writeMessage(child.input(), *message).attach(kj::mv(message));
  return written.then([&child] {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = kReportWords;
    return capnp::readMessage(child.output(STDOUT_FILENO), options);
  });
}

class ReaderPool final : public RawFileReader, private kj::TaskSet::ErrorHandler {
 public:
  ReaderPool(rpc::Loop& loop, ProcessLauncher& launcher, ReaderPoolSettings settings)
      : loop_(loop), launcher_(launcher), settings_(std::move(settings)), tasks_(*this) {
    for (size_t i = 0; i < settings_.children; ++i) tasks_.add(serve(settings_.first_restart_ms));
  }

  kj::Promise<Report> read(std::string path, std::string root, uint64_t size_bytes) override {
    auto pair = kj::newPromiseAndFulfiller<Report>();
    queue_.push_back(std::make_shared<Request>(Request{std::move(path), std::move(root), size_bytes, 0, kj::mv(pair.fulfiller)}));
    wake_one();
    return kj::mv(pair.promise);
  }
  size_t capacity() const override { return settings_.children; }
  std::string trouble() const override { return trouble_; }

 private:
  struct Request {
    std::string path, root;
    uint64_t size_bytes;
    int tries;
    kj::Own<kj::PromiseFulfiller<Report>> fulfiller;
  };

  void taskFailed(kj::Exception&& exception) override {
    spdlog::critical("monitor: raw-file reader pool: {}", base::printable(exception.getDescription().cStr()));
  }

  void wake_one() {
    if (idle_.empty()) return;
    auto fulfiller = kj::mv(idle_.front());
    idle_.pop_front();
    fulfiller->fulfill();
  }

  /// One child after another, for ever.
  kj::Promise<void> serve(int64_t restart_ms) {
    return kj::evalNow([this] { return start(); })
        .then([this](kj::Own<Process> child) { return work(kj::mv(child)).then([this] { return serve(settings_.first_restart_ms); }); },
              [this, restart_ms](kj::Exception&& exception) {
                trouble_ = fmt::format("the raw-file reader does not start: {}", exception.getDescription().cStr());
                spdlog::error("monitor: {}; tried again in {} ms", base::printable(trouble_), restart_ms);
                return loop_.timer().afterDelay(restart_ms * kj::MILLISECONDS).then([this, restart_ms] {
                  return serve(std::min(restart_ms * 2, settings_.last_restart_ms));
                });
              });
  }

  kj::Promise<kj::Own<Process>> start() {
    ProcessRequest request{.program = settings_.program, .arguments = settings_.arguments};
    for (char** variable = environ; *variable != nullptr; ++variable) request.environment.emplace_back(*variable);
    request.input = ProcessRequest::Stream::kPipe;
    auto started = launcher_.start(request);
    if (!started.is_ok()) {
      kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::heapString(started.status().message().c_str())));
    }
    auto child = kj::mv(*started);
    auto answer = ask(*child, "/dev/null", "", 0);
    return answer.then(
        [this, child = kj::mv(child)](Report&&) mutable {
          trouble_.clear();
          return kj::mv(child);
        });
  }

  kj::Promise<Report> ask(Process& child, const std::string& path, const std::string& root, uint64_t size_bytes) {
    int64_t limit_ms = settings_.time_limit_ms + static_cast<int64_t>(size_bytes / static_cast<uint64_t>(settings_.bytes_per_second)) * 1000;
    auto late = loop_.timer().afterDelay(limit_ms * kj::MILLISECONDS).then([limit_ms]() -> Report {
      auto text = fmt::format("took longer than {} s", limit_ms / 1000.0);
      kj::throwFatalException(kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__, kj::heapString(text.c_str(), text.size())));
    });
    return exchange(child, path, root).exclusiveJoin(kj::mv(late));
  }

  kj::Promise<std::shared_ptr<Request>> next_request() {
    if (!queue_.empty()) {
      auto request = std::move(queue_.front());
      queue_.pop_front();
      return request;
    }
    auto pair = kj::newPromiseAndFulfiller<void>();
    idle_.push_back(kj::mv(pair.fulfiller));
    return pair.promise.then([this] { return next_request(); });
  }

  /// Serves requests until the child fails one.
  kj::Promise<void> work(kj::Own<Process> child) {
    return next_request().then([this, child = kj::mv(child)](std::shared_ptr<Request> request) mutable -> kj::Promise<void> {
      if (!request->fulfiller->isWaiting()) return work(kj::mv(child));
      Process& asked = *child;
      auto answer = ask(asked, request->path, request->root, request->size_bytes);
      return answer.then([](Report&& report) -> kj::Promise<kj::Maybe<Report>> { return kj::Maybe<Report>(kj::mv(report)); },
                         [this, request, &asked](kj::Exception&& exception) { return failed(*request, asked, kj::mv(exception)); })
          .then([this, request, child = kj::mv(child)](kj::Maybe<Report>&& outcome) mutable -> kj::Promise<void> {
            KJ_IF_MAYBE (report, outcome) {
              request->fulfiller->fulfill(kj::mv(*report));
              return work(kj::mv(child));
            }
            if (request->tries < kTries) {
              queue_.push_front(request);
              wake_one();
            }
            return kj::READY_NOW;
          });
    });
  }

  kj::Promise<kj::Maybe<Report>> failed(Request& request, Process& child, kj::Exception exception) {
    ++request.tries;
    bool late = exception.getType() == kj::Exception::Type::OVERLOADED;
    std::string said = late ? std::string(exception.getDescription().cStr()) : std::string();
    child.kill(SIGKILL);
    // A process stuck on a dead file server does not die at once.
    auto patience = loop_.timer().afterDelay(kReapPatience).then([] { return ProcessExit{SIGKILL}; });
    return child.exit().exclusiveJoin(kj::mv(patience)).then([this, &request, said = std::move(said)](ProcessExit exit) -> kj::Maybe<Report> {
      std::string how = said.empty() ? exit.text() : said;
      spdlog::warn("monitor: raw-file reader {} while reading {}", how, base::printable(base::to_utf8(request.path)));
      if (request.tries >= kTries) request.fulfiller->fulfill(failure_report(request, how));
      return nullptr;
    });
  }

  static Report failure_report(const Request& request, const std::string& how) {
    capnp::MallocMessageBuilder message;
    auto report = message.initRoot<schema::RawFileReport>();
    report.getFile().setPath(base::to_utf8(request.path).c_str());
    report.getFile().setSizeBytes(request.size_bytes);
    auto reason = report.initOutcome().initRefused();
    reason.setCode("reader_failed");
    reason.setText(fmt::format("its reader {}, {} times; check the file, it is read again when it changes", how, kTries).c_str());
    auto words = capnp::messageToFlatArray(message);
    auto reader = kj::heap<capnp::FlatArrayMessageReader>(words.asPtr());
    return reader.attach(kj::mv(words));
  }

  rpc::Loop& loop_;
  ProcessLauncher& launcher_;
  const ReaderPoolSettings settings_;
  std::string trouble_;
  std::deque<std::shared_ptr<Request>> queue_;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> idle_;
  kj::TaskSet tasks_;  // last: its tasks use all of the above
};

}  // namespace

std::unique_ptr<RawFileReader> make_reader_pool(rpc::Loop& loop, ProcessLauncher& launcher, ReaderPoolSettings settings) {
  return std::make_unique<ReaderPool>(loop, launcher, std::move(settings));
}

}  // namespace daemons
