#include "daemons/port.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"

namespace daemons {

Command::Command(std::string_view id, uint64_t cause)
    : message_(std::make_unique<capnp::MallocMessageBuilder>()), command_(message_->initRoot<schema::Command>()) {
  command_.setId(std::string(id));
  command_.setCause(cause);
}

void Command::attach(const std::vector<std::string_view>& blobs) {
  auto list = command_.initBlobs(blobs.size());
  for (size_t i = 0; i < blobs.size(); ++i) {
    list.set(i, {reinterpret_cast<const kj::byte*>(blobs[i].data()), blobs[i].size()});
  }
}

Submitter::Submitter(kj::Timer& timer, schema::DaemonPort::Client port, SubmitterSettings settings)
    : timer_(timer), port_(kj::mv(port)), settings_(settings), backoff_ms_(settings.first_backoff_ms), tasks_(*this) {}

Submitter::~Submitter() noexcept(false) = default;

void Submitter::taskFailed(kj::Exception&& exception) {
  spdlog::critical("sending commands: {}", base::printable(exception.getDescription().cStr()));
}

kj::Promise<CommandAnswer> Submitter::submit(Command command) {
  auto pair = kj::newPromiseAndFulfiller<CommandAnswer>();
  uint64_t bytes = command.reader().totalSize().wordCount * sizeof(capnp::word);
  waiting_.push_back(std::make_shared<Entry>(Entry{std::move(command), bytes, kj::mv(pair.fulfiller)}));
  send();
  return kj::mv(pair.promise);
}

void Submitter::send() {
  while (!resting_ && !waiting_.empty() && in_flight_ < settings_.calls_in_flight) {
    ++in_flight_;
    tasks_.add(call(take_batch()));
  }
}

Submitter::Batch Submitter::take_batch() {
  Batch batch;
  uint64_t bytes = 0;
  while (!waiting_.empty() && batch.size() < settings_.commands_per_call) {
    const Entry& next = *waiting_.front();
    bool alone = next.alone;
    bytes += next.bytes;
    if (!batch.empty() && (alone || bytes > settings_.bytes_per_call)) break;
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    if (alone) break;
  }
  return batch;
}

kj::Promise<void> Submitter::call(Batch batch) {
  auto request = port_.submitRequest();
  auto commands = request.initCommands(static_cast<unsigned>(batch.size()));
  for (unsigned i = 0; i < commands.size(); ++i) commands.setWithCaveats(i, batch[i]->command.reader());
  return request.send().then(
      [this, batch](capnp::Response<schema::DaemonPort::SubmitResults>&& response) {
        --in_flight_;
        answered(batch, response.getAnswers());
        send();
      },
      [this, batch](kj::Exception&& exception) {
        --in_flight_;
        failed(batch, kj::mv(exception));
        send();
      });
}

void Submitter::answered(const Batch& batch, capnp::List<schema::Answer>::Reader answers) {
  Batch refused_for_now;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (i >= answers.size()) {
      refused_for_now.push_back(batch[i]);
      continue;
    }
    auto answer = answers[static_cast<unsigned>(i)];
    auto code = static_cast<base::Code>(answer.getRefusal().getCode());
    if (code == base::Code::kUnavailable) {
      spdlog::warn("{}: {}; trying again", batch[i]->command.reader().getId().cStr(), base::printable(answer.getRefusal().getText().cStr()));
      refused_for_now.push_back(batch[i]);
      continue;
    }
    backoff_ms_ = settings_.first_backoff_ms;
    CommandAnswer said;
    if (code != base::Code::kOk) said.status = base::Status(code, answer.getRefusal().getText().cStr());
    for (uint64_t seq : answer.getEvents()) said.events.push_back(seq);
    batch[i]->fulfiller->fulfill(kj::mv(said));
  }
  if (!refused_for_now.empty()) again(refused_for_now);
}

void Submitter::failed(const Batch& batch, kj::Exception&& exception) {
  if (exception.getType() == kj::Exception::Type::DISCONNECTED) {
    for (const auto& entry : batch) entry->fulfiller->reject(kj::cp(exception));
    return;
  }
  if (exception.getType() == kj::Exception::Type::OVERLOADED) return again(batch);
  if (batch.size() == 1) {
    // Refused as it stands; nothing else is held up by it.
    std::string text = exception.getDescription().cStr();
    batch[0]->fulfiller->fulfill(CommandAnswer{base::Status(base::Code::kInternal, std::move(text)), {}});
    return;
  }
  spdlog::warn("a group of {} commands failed, sent one by one: {}", batch.size(), base::printable(exception.getDescription().cStr()));
  for (auto entry = batch.rbegin(); entry != batch.rend(); ++entry) {
    (*entry)->alone = true;
    waiting_.push_front(*entry);
  }
}

void Submitter::again(const Batch& batch) {
  waiting_.insert(waiting_.begin(), batch.begin(), batch.end());
  if (std::exchange(resting_, true)) return;
  tasks_.add(timer_.afterDelay(backoff_ms_ * kj::MILLISECONDS).then([this] {
    resting_ = false;
    send();
  }));
  backoff_ms_ = std::min(backoff_ms_ * 2, settings_.last_backoff_ms);
}

}  // namespace daemons
