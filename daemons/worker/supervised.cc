#include "daemons/worker/supervised.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace daemons {
namespace {

constexpr size_t kChunkBytes = 64u << 10;
constexpr size_t kStatusBytes = 4096;
constexpr int kStatusDescriptor = 3;
/// Once the supervisor has ended nobody of the tree can print; only a descriptor sent to a stranger keeps the pipe open.
constexpr kj::Duration kAfterEnd = 1 * kj::SECONDS;
/// For a tree to die after it was killed. A process stuck in the kernel (a dead file server) may take longer, and is left.
constexpr kj::Duration kDying = 30 * kj::SECONDS;

}  // namespace

int SupervisedEnd::wait_status() const {
  switch (how) {
    case How::kExited:
      return number << 8;
    case How::kSignaled:
      return number;
    default:
      return 0;
  }
}

std::optional<SupervisedEnd> SupervisedEnd::parse(const std::string& line) {
  char how[32];
  unsigned long long resident = 0, user = 0, system = 0;
  SupervisedEnd end;
  if (sscanf(line.c_str(), "%31s %d rss %llu user %llu system %llu left %u", how, &end.number, &resident, &user, &system,
             &end.left_behind) != 6) {
    return std::nullopt;
  }
  if (strcmp(how, "exited") == 0) {
    end.how = How::kExited;
  } else if (strcmp(how, "signaled") == 0) {
    end.how = How::kSignaled;
  } else if (strcmp(how, "failed-to-start") == 0) {
    end.how = How::kNotStarted;
  } else {
    return std::nullopt;
  }
  end.max_resident_bytes = resident;
  end.user_ms = user;
  end.system_ms = system;
  return end;
}

base::Result<kj::Own<Supervised>> Supervised::start(ProcessLauncher& launcher, kj::Timer& timer, const SupervisedProgram& program,
                                                    Printed& printed) {
  ProcessRequest request;
  request.program = program.supervisor;
  if (program.memory_limit_bytes > 0) request.arguments = {"--memory", std::to_string(program.memory_limit_bytes)};
  request.arguments.insert(request.arguments.end(), {"--", program.program});
  request.arguments.insert(request.arguments.end(), program.arguments.begin(), program.arguments.end());
  request.environment = program.environment;
  request.working_directory = program.working_directory;
  request.input = ProcessRequest::Stream::kPipe;
  request.output = ProcessRequest::Stream::kPipe;
  request.error = program.streams_apart ? ProcessRequest::Stream::kPipe : ProcessRequest::Stream::kOutput;
  request.extra_outputs = 1;
  request.kill_when_dropped = false;  // it must live to kill the others
  auto process = launcher.start(request);
  if (!process.is_ok()) return process.status();
  return kj::heap<Supervised>(kj::mv(*process), timer, printed, program.streams_apart);
}

Supervised::Supervised(kj::Own<Process> process, kj::Timer& timer, Printed& printed, bool streams_apart)
    : process_(kj::mv(process)),
      timer_(timer),
      printed_(printed),
      output_{STDOUT_FILENO, streams_apart ? &printed.output : nullptr, kj::heapArray<kj::byte>(kChunkBytes)},
      errors_{streams_apart ? STDERR_FILENO : -1, &printed.errors, kj::heapArray<kj::byte>(streams_apart ? kChunkBytes : 0)},
      reading_(read_all().fork()),
      end_(watch().fork()) {}

kj::Promise<void> Supervised::read_all() {
  auto reading = kj::heapArrayBuilder<kj::Promise<void>>(2);
  reading.add(read(output_).catch_([](kj::Exception&&) {}));
  reading.add(errors_.descriptor < 0 ? kj::Promise<void>(kj::READY_NOW) : read(errors_).catch_([](kj::Exception&&) {}));
  return kj::joinPromises(reading.finish());
}

kj::Promise<void> Supervised::read(Stream& stream) {
  auto& pipe = process_->output(stream.descriptor);
  return pipe.tryRead(stream.chunk.begin(), 1, stream.chunk.size()).then([this, &stream](size_t size) -> kj::Promise<void> {
    if (size == 0) return kj::READY_NOW;
    auto bytes = stream.chunk.slice(0, size).asChars();
    std::string_view text(bytes.begin(), bytes.size());
    printed_.all.add(text);
    if (stream.own != nullptr) stream.own->add(text);
    return read(stream);
  });
}

kj::Promise<SupervisedEnd> Supervised::watch() {
  auto status =
      process_->output(kStatusDescriptor).readAllText(kStatusBytes).then([this](kj::String text) { status_ = text.cStr(); });
  return status.catch_([](kj::Exception&&) {})
      .then([this] { return process_->exit().ignoreResult(); })
      .then([this] { return reading_.addBranch().exclusiveJoin(timer_.afterDelay(kAfterEnd)); })
      .then([this] { return SupervisedEnd::parse(status_).value_or(SupervisedEnd{}); });
}

void Supervised::kill_tree() {
  process_->close_input();
  last_resort_ = timer_.afterDelay(kDying).then([this] { process_->kill(SIGKILL); }).eagerlyEvaluate(nullptr);
}

}  // namespace daemons
