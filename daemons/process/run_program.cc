#include <csignal>

#include "daemons/process/process.h"

namespace daemons {
namespace {

constexpr size_t kChunkBytes = 64u << 10;
/// What is left in the pipes of a program that ended is there at once; whoever still holds them is not waited for longer.
constexpr kj::Duration kAfterEnd = 200 * kj::MILLISECONDS;

/// Reads a stream to its end and keeps the beginning.
class Reader {
 public:
  Reader(kj::AsyncInputStream& stream, size_t limit) : stream_(stream), limit_(limit) {}

  kj::Promise<void> read_on() {
    return stream_.tryRead(chunk_.begin(), 1, chunk_.size()).then([this](size_t size) -> kj::Promise<void> {
      if (size == 0) return kj::READY_NOW;
      size_t room = std::min(size, limit_ - text.size());
      text.append(chunk_.asChars().begin(), room);
      cut = cut || room < size;
      return read_on();
    });
  }

  std::string text;
  bool cut = false;

 private:
  kj::AsyncInputStream& stream_;
  size_t limit_;
  kj::Array<kj::byte> chunk_ = kj::heapArray<kj::byte>(kChunkBytes);
};

struct Run {
  kj::Own<Process> process;
  Reader output;
  kj::Maybe<Reader> errors;
  ProgramOutput said;

  Run(kj::Own<Process> started, bool own_errors, size_t limit) : process(kj::mv(started)), output(process->output(1), limit) {
    if (own_errors) errors.emplace(process->output(2), limit);
  }

  kj::Promise<void> read_all() {
    kj::Promise<void> both = output.read_on();
    KJ_IF_MAYBE (reader, errors) both = kj::joinPromises(kj::arr(kj::mv(both), reader->read_on()));
    return both.catch_([](kj::Exception&&) {});  // what was read until then is kept
  }
};

}  // namespace

kj::Promise<base::Result<ProgramOutput>> run_program(ProcessLauncher& launcher, kj::Timer& timer, ProcessRequest request,
                                                     ProgramLimits limits) {
  request.output = ProcessRequest::Stream::kPipe;
  bool own_errors = request.error != ProcessRequest::Stream::kOutput;
  if (own_errors) request.error = ProcessRequest::Stream::kPipe;
  auto started = launcher.start(request);
  if (!started.is_ok()) return base::Result<ProgramOutput>(started.status());

  auto run = kj::heap<Run>(kj::mv(*started), own_errors, limits.output_bytes);
  Run& state = *run;
  auto reading = state.read_all().fork();
  auto too_late = timer.afterDelay(limits.time).then([&state] {
    state.said.timed_out = true;
    state.process->kill(SIGKILL);
    return state.process->exit();
  });
  auto ended = state.process->exit().exclusiveJoin(kj::mv(too_late));
  auto rest = [&timer](auto& promise) { return promise.addBranch().exclusiveJoin(timer.afterDelay(kAfterEnd)); };
  // The branch keeps the reading going while the end is awaited.
  auto whole = ended.then([&state, &timer, reading = kj::mv(reading), rest](ProcessExit exit) mutable {
    state.said.exit = exit;
    return rest(reading).attach(kj::mv(reading));
  });
  return whole
      .then([&state]() -> base::Result<ProgramOutput> {
        state.said.text = std::move(state.output.text);
        state.said.cut = state.output.cut;
        KJ_IF_MAYBE (errors, state.errors) {
          state.said.errors = std::move(errors->text);
          state.said.cut = state.said.cut || errors->cut;
        }
        return std::move(state.said);
      })
      .attach(kj::mv(run));
}

}  // namespace daemons
