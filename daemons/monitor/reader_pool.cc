#include <capnp/serialize-async.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <kj/debug.h>
#include <signal.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <deque>

#include "base/text.h"
#include "daemons/monitor/raw_file_reader.h"
#include "rpc/loop.h"

namespace daemons {
namespace {

constexpr int kTries = 2;
constexpr uint64_t kReportWords = 4 << 20;  // 32 MiB: more is no report
constexpr auto kReapPatience = 2 * kj::SECONDS;

using Report = kj::Own<capnp::MessageReader>;

struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
  int release() { return std::exchange(number, -1); }
};

/// posix_spawn's attributes: signals as a fresh process has them, and a group of its own, so that Ctrl-C at the terminal reaches us first.
struct SpawnAttributes {
  posix_spawnattr_t value;
  SpawnAttributes() {
    posix_spawnattr_init(&value);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&value, &none);
    posix_spawnattr_setsigdefault(&value, &all);
    posix_spawnattr_setpgroup(&value, 0);
    posix_spawnattr_setflags(&value, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnAttributes() { posix_spawnattr_destroy(&value); }
};

struct SpawnActions {
  posix_spawn_file_actions_t value;
  SpawnActions() { posix_spawn_file_actions_init(&value); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&value); }
};

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

/// One running reader. Dropped, it is killed and reaped.
class Child {
 public:
  static kj::Own<Child> start(rpc::Loop& loop, const ReaderPoolSettings& settings) {
    Descriptor request[2], report[2];
    make_pipe(request);
    make_pipe(report);
    SpawnActions actions;
    posix_spawn_file_actions_adddup2(&actions.value, request[0].number, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions.value, report[1].number, STDOUT_FILENO);
    SpawnAttributes attributes;
    std::string program = settings.program.native();
    std::vector<char*> argv{program.data()};
    std::vector<std::string> arguments = settings.arguments;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    int error = posix_spawn(&pid, program.c_str(), &actions.value, &attributes.value, argv.data(), environ);
    if (error != 0) throw_failed(fmt::format("{} cannot be started: {}", program, strerror(error)));
    auto child = kj::heap<Child>(loop, pid);
    constexpr auto kFlags = kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP | kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC;
    child->requests_ = loop.low_level_io().wrapOutputFd(request[1].release(), kFlags);
    child->reports_ = loop.low_level_io().wrapInputFd(report[0].release(), kFlags);
    return child;
  }

  Child(rpc::Loop& loop, pid_t pid) : loop_(loop), pid_(pid) {}
  ~Child() noexcept(false) {
    if (pid_ > 0) auto forgotten = end();
  }

  kj::Promise<Report> ask(const std::string& path, const std::string& root) {
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    auto request = message->initRoot<schema::RawFileRequest>();
    request.setPath(kj::arrayPtr(reinterpret_cast<const kj::byte*>(path.data()), path.size()));
    request.setRoot(kj::arrayPtr(reinterpret_cast<const kj::byte*>(root.data()), root.size()));
    auto written = capnp::writeMessage(*requests_, *message).attach(kj::mv(message));
    return written.then([this] {
      capnp::ReaderOptions options;
      options.traversalLimitInWords = kReportWords;
      return capnp::readMessage(*reports_, options);
    });
  }

  /// Kills it; the promise is its wait status. Waited for on the pool: a process stuck on a dead file server does not die at once.
  kj::Promise<int> end() {
    pid_t pid = std::exchange(pid_, 0);
    kill(-pid, SIGKILL);
    return loop_.on_pool([pid] {
      int status = 0;
      waitpid(pid, &status, 0);
      return status;
    });
  }

 private:
  [[noreturn]] static void throw_failed(const std::string& text) {
    kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::heapString(text.c_str(), text.size())));
  }
  static void make_pipe(Descriptor (&ends)[2]) {
    std::array<int, 2> numbers{};
    if (pipe2(numbers.data(), O_CLOEXEC) != 0) throw_failed(fmt::format("no pipe for the raw-file reader: {}", strerror(errno)));
    ends[0].number = numbers[0];
    ends[1].number = numbers[1];
  }

  rpc::Loop& loop_;
  pid_t pid_;
  kj::Own<kj::AsyncOutputStream> requests_;
  kj::Own<kj::AsyncInputStream> reports_;
};

class ReaderPool final : public RawFileReader, private kj::TaskSet::ErrorHandler {
 public:
  ReaderPool(rpc::Loop& loop, ReaderPoolSettings settings) : loop_(loop), settings_(std::move(settings)), tasks_(*this) {
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
        .then([this](kj::Own<Child> child) { return work(kj::mv(child)).then([this] { return serve(settings_.first_restart_ms); }); },
              [this, restart_ms](kj::Exception&& exception) {
                trouble_ = fmt::format("the raw-file reader does not start: {}", exception.getDescription().cStr());
                spdlog::error("monitor: {}; tried again in {} ms", base::printable(trouble_), restart_ms);
                return loop_.timer().afterDelay(restart_ms * kj::MILLISECONDS).then([this, restart_ms] {
                  return serve(std::min(restart_ms * 2, settings_.last_restart_ms));
                });
              });
  }

  kj::Promise<kj::Own<Child>> start() {
    auto child = Child::start(loop_, settings_);
    auto answer = ask(*child, "/dev/null", "", 0);
    return answer.then(
        [this, child = kj::mv(child)](Report&&) mutable {
          trouble_.clear();
          return kj::mv(child);
        });
  }

  kj::Promise<Report> ask(Child& child, const std::string& path, const std::string& root, uint64_t size_bytes) {
    int64_t limit_ms = settings_.time_limit_ms + static_cast<int64_t>(size_bytes / static_cast<uint64_t>(settings_.bytes_per_second)) * 1000;
    auto late = loop_.timer().afterDelay(limit_ms * kj::MILLISECONDS).then([limit_ms]() -> Report {
      auto text = fmt::format("took longer than {} s", limit_ms / 1000.0);
      kj::throwFatalException(kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__, kj::heapString(text.c_str(), text.size())));
    });
    return child.ask(path, root).exclusiveJoin(kj::mv(late));
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
  kj::Promise<void> work(kj::Own<Child> child) {
    return next_request().then([this, child = kj::mv(child)](std::shared_ptr<Request> request) mutable -> kj::Promise<void> {
      if (!request->fulfiller->isWaiting()) return work(kj::mv(child));
      Child& asked = *child;
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

  kj::Promise<kj::Maybe<Report>> failed(Request& request, Child& child, kj::Exception exception) {
    ++request.tries;
    bool late = exception.getType() == kj::Exception::Type::OVERLOADED;
    std::string said = late ? std::string(exception.getDescription().cStr()) : std::string();
    auto patience = loop_.timer().afterDelay(kReapPatience).then([] { return 0; });
    return child.end().exclusiveJoin(kj::mv(patience)).then([this, &request, said = std::move(said)](int status) -> kj::Maybe<Report> {
      std::string how = said.empty() ? how_it_ended(status) : said;
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
  const ReaderPoolSettings settings_;
  std::string trouble_;
  std::deque<std::shared_ptr<Request>> queue_;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> idle_;
  kj::TaskSet tasks_;  // last: its tasks use all of the above
};

}  // namespace

std::unique_ptr<RawFileReader> make_reader_pool(rpc::Loop& loop, ReaderPoolSettings settings) {
  return std::make_unique<ReaderPool>(loop, std::move(settings));
}

}  // namespace daemons
