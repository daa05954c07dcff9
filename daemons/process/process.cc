// posix_spawn and a pidfd. libuv's own uv_spawn (1.44) copies the parent with fork(), page tables and all, and lets the child have
// every descriptor that is not close-on-exec; glibc's posix_spawn shares the parent's memory until exec and closes the rest.
#include "daemons/process/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <kj/debug.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <map>
#include <optional>
#include <set>

namespace daemons {

bool ProcessExit::exited() const { return WIFEXITED(wait_status); }
int ProcessExit::exit_code() const { return WEXITSTATUS(wait_status); }
int ProcessExit::signal() const { return WTERMSIG(wait_status); }

std::string ProcessExit::text() const {
  if (exited()) return fmt::format("ended with status {}", exit_code());
  return fmt::format("was killed by signal {} ({})", signal(), strsignal(signal()));
}

namespace {

using base::Code;
using base::Result;
using base::Status;
using Stream = ProcessRequest::Stream;

/// A descriptor, closed when dropped.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

Code code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Code::kNotFound;
    case EACCES:
    case EPERM:
      return Code::kPermissionDenied;
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Code::kUnavailable;
    case ENOEXEC:
    case E2BIG:
    case ELOOP:
    case ENAMETOOLONG:
      return Code::kInvalidArgument;
    default:
      return Code::kInternal;
  }
}

std::string_view advice(int error) {
  switch (error) {
    case ENOENT:
      return "; install it, or correct the path (a script also needs the interpreter of its first line)";
    case EACCES:
      return "; make it executable for the account this daemon runs as";
    case ENOEXEC:
      return "; it is no program of this machine";
    case EMFILE:
    case ENFILE:
      return "; raise the limit of open files";
    case EAGAIN:
    case ENOMEM:
      return "; the machine is short of memory or processes";
    default:
      return "";
  }
}

Status failure(const ProcessRequest& request, int error) {
  return {code_of(error), fmt::format("{}: could not be started: {}{}", request.program, strerror(error), advice(error))};
}

/// Where one of the child's descriptors comes from, and our end of it.
struct Connection {
  int child_fd;
  Descriptor theirs;
  Descriptor ours;
};

Status open_pipe(Connection& connection, bool child_writes) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {code_of(errno), fmt::format("making a pipe: {}", strerror(errno))};
  connection.ours = Descriptor(ends[child_writes ? 0 : 1]);
  connection.theirs = Descriptor(ends[child_writes ? 1 : 0]);
  fcntl(connection.ours.get(), F_SETFL, O_NONBLOCK);
  return {};
}

Result<Connection> connect(int child_fd, Stream stream) {
  Connection connection{child_fd, {}, {}};
  switch (stream) {
    case Stream::kInherit:
      connection.theirs = Descriptor(fcntl(child_fd, F_DUPFD_CLOEXEC, 3));
      break;
    case Stream::kNull:
      break;
    case Stream::kOutput:
      break;
    case Stream::kPipe: {
      Status made = open_pipe(connection, child_fd != STDIN_FILENO);
      if (!made.is_ok()) return made;
      break;
    }
  }
  if (!connection.theirs.is_open()) {  // also where there is nothing to inherit
    connection.theirs = Descriptor(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!connection.theirs.is_open()) return Status(code_of(errno), fmt::format("/dev/null: {}", strerror(errno)));
  }
  return connection;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// posix_spawn's attributes and actions, released when done.
class Spawn {
 public:
  Spawn() {
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_init(&actions_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Spawn() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  int run(const ProcessRequest& request, const std::vector<Connection>& connections, pid_t* child) {
    int highest = 2;
    for (const Connection& connection : connections) highest = std::max(highest, connection.child_fd);
    // The sources must survive being overwritten by one another: every one of them lies above the highest target.
    std::vector<Descriptor> sources;
    for (const Connection& connection : connections) {
      sources.emplace_back(fcntl(connection.theirs.get(), F_DUPFD_CLOEXEC, highest + 1));
      if (!sources.back().is_open()) return errno;
    }
    for (size_t i = 0; i < connections.size(); ++i) {
      posix_spawn_file_actions_adddup2(&actions_, sources[i].get(), connections[i].child_fd);
    }
    if (request.error == Stream::kOutput) posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, highest + 1);
    if (!request.working_directory.empty()) posix_spawn_file_actions_addchdir_np(&actions_, request.working_directory.c_str());

    std::vector<std::string> arguments{request.program};
    arguments.insert(arguments.end(), request.arguments.begin(), request.arguments.end());
    std::vector<std::string> environment = request.environment;
    return posix_spawnp(child, request.program.c_str(), &actions_, &attributes_, pointers(arguments).data(),
                        pointers(environment).data());
  }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
};

class Launcher;

/// A child until it is reaped. Outlives the Process that was handed out, so that nothing is left a zombie.
struct Child {
  Launcher* launcher;
  pid_t pid;
  int pidfd;
  std::shared_ptr<bool> running = std::make_shared<bool>(true);  // false from the moment its number may be anybody's
  uv_poll_t poll{};
  kj::Own<kj::PromiseFulfiller<ProcessExit>> fulfiller;
};

class Launcher final : public ProcessLauncher {
 public:
  explicit Launcher(rpc::Loop& loop) : loop_(loop) {}
  ~Launcher() override {
    while (!children_.empty()) forget(*children_.begin());
  }

  Result<kj::Own<Process>> start(const ProcessRequest& request) override;
  rpc::Loop& loop() { return loop_; }

 private:
  Result<Child*> watch(pid_t pid);
  static void on_readable(uv_poll_t* poll, int status, int events);
  void forget(Child* child);

  rpc::Loop& loop_;
  std::set<Child*> children_;
};

class RunningProcess final : public Process {
 public:
  RunningProcess(const Child& child, kj::Promise<ProcessExit> exit, bool kill_when_dropped)
      : pid_(child.pid), running_(child.running), exit_(exit.fork()), kill_when_dropped_(kill_when_dropped) {}
  ~RunningProcess() noexcept override {
    if (kill_when_dropped_) kill(SIGKILL);
  }

  void add_output(int descriptor, kj::Own<kj::AsyncInputStream> stream) { outputs_.emplace(descriptor, kj::mv(stream)); }
  void set_input(kj::Own<kj::AsyncOutputStream> stream) { input_ = kj::mv(stream); }

  int id() const override { return pid_; }
  kj::Promise<ProcessExit> exit() override { return exit_.addBranch(); }
  kj::AsyncInputStream& output(int descriptor) override {
    auto found = outputs_.find(descriptor);
    KJ_REQUIRE(found != outputs_.end(), "this descriptor of the child is no pipe of ours", descriptor);
    return *found->second;
  }
  kj::AsyncOutputStream& input() override {
    return *KJ_REQUIRE_NONNULL(input_, "the child's input is no pipe of ours, or is closed");
  }
  void close_input() override { input_ = nullptr; }
  void kill(int signal) override {
    if (*running_) ::kill(-pid_, signal);
  }

 private:
  pid_t pid_;
  std::shared_ptr<const bool> running_;
  kj::ForkedPromise<ProcessExit> exit_;
  bool kill_when_dropped_;
  std::map<int, kj::Own<kj::AsyncInputStream>> outputs_;
  kj::Maybe<kj::Own<kj::AsyncOutputStream>> input_;
};

Result<kj::Own<Process>> Launcher::start(const ProcessRequest& request) {
  std::vector<Connection> connections;
  auto add = [&](int descriptor, Stream stream) -> Status {
    auto connection = connect(descriptor, stream);
    if (!connection.is_ok()) return connection.status().in(request.program);
    connections.push_back(std::move(*connection));
    return {};
  };
  std::vector<std::pair<int, Stream>> wanted{{0, request.input}, {1, request.output}};
  if (request.error != Stream::kOutput) wanted.emplace_back(2, request.error);
  for (unsigned i = 0; i < request.extra_outputs; ++i) wanted.emplace_back(3 + static_cast<int>(i), Stream::kPipe);
  for (auto [descriptor, stream] : wanted) {
    if (Status added = add(descriptor, stream); !added.is_ok()) return added;
  }

  pid_t pid = 0;
  if (int error = Spawn().run(request, connections, &pid)) {
    struct stat folder {};
    if (!request.working_directory.empty() && (stat(request.working_directory.c_str(), &folder) != 0 || !S_ISDIR(folder.st_mode))) {
      return Status(Code::kNotFound, fmt::format("{}: could not be started: its working directory {} is not there", request.program,
                                                 request.working_directory));
    }
    return failure(request, error);
  }
  auto watched = watch(pid);
  if (!watched.is_ok()) {
    ::kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return watched.status().in(request.program);
  }
  Child* child = *watched;
  auto ended = kj::newPromiseAndFulfiller<ProcessExit>();
  child->fulfiller = kj::mv(ended.fulfiller);
  auto process = kj::heap<RunningProcess>(*child, kj::mv(ended.promise), request.kill_when_dropped);
  constexpr unsigned kFlags = kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP | kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                              kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK;
  for (Connection& connection : connections) {
    if (!connection.ours.is_open()) continue;
    if (connection.child_fd == STDIN_FILENO) {
      process->set_input(loop_.low_level_io().wrapOutputFd(connection.ours.release(), kFlags));
    } else {
      process->add_output(connection.child_fd, loop_.low_level_io().wrapInputFd(connection.ours.release(), kFlags));
    }
  }
  return kj::Own<Process>(kj::mv(process));
}

Result<Child*> Launcher::watch(pid_t pid) {
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));  // close-on-exec by nature
  if (pidfd < 0) return Status(code_of(errno), fmt::format("watching the new process: {}", strerror(errno)));
  auto* child = new Child{.launcher = this, .pid = pid, .pidfd = pidfd, .fulfiller = {}};
  int error = uv_poll_init(loop_.uv(), &child->poll, pidfd);
  if (error != 0) {
    ::close(pidfd);
    delete child;
    return Status(Code::kUnavailable, fmt::format("watching the new process: {}", uv_strerror(error)));
  }
  child->poll.data = child;
  uv_poll_start(&child->poll, UV_READABLE, on_readable);
  children_.insert(child);
  return child;
}

void Launcher::on_readable(uv_poll_t* poll, int, int) {
  auto* child = static_cast<Child*>(poll->data);
  int status = 0;
  pid_t reaped = waitpid(child->pid, &status, WNOHANG);
  if (reaped == 0) return;
  auto fulfiller = kj::mv(child->fulfiller);
  child->launcher->forget(child);
  // ECHILD: somebody else reaped it; how it ended is not known.
  ProcessExit how{reaped < 0 ? SIGKILL : status};
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&] { fulfiller->fulfill(kj::mv(how)); })) {
    KJ_LOG(ERROR, "telling of a child's end", *exception);
  }
}

void Launcher::forget(Child* child) {
  *child->running = false;
  children_.erase(child);
  uv_poll_stop(&child->poll);
  uv_close(reinterpret_cast<uv_handle_t*>(&child->poll), [](uv_handle_t* handle) {
    auto* done = static_cast<Child*>(handle->data);
    ::close(done->pidfd);
    delete done;
  });
}

}  // namespace

std::unique_ptr<ProcessLauncher> make_process_launcher(rpc::Loop& loop) { return std::make_unique<Launcher>(loop); }

}  // namespace daemons
