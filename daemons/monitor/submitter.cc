#include "daemons/monitor/submitter.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"

namespace daemons {

Submitter::Submitter(kj::Timer& timer, schema::DaemonPort::Client port, SubmitterSettings settings)
    : timer_(timer),
      port_(kj::mv(port)),
      settings_(settings),
      backoff_ms_(settings.first_backoff_ms),
      broken_(kj::Promise<void>(kj::NEVER_DONE).fork()),
      tasks_(*this) {
  auto pair = kj::newPromiseAndFulfiller<void>();
  break_ = kj::mv(pair.fulfiller);
  broken_ = pair.promise.fork();
}

Submitter::~Submitter() noexcept(false) = default;

kj::Promise<void> Submitter::broken() { return broken_.addBranch(); }

void Submitter::taskFailed(kj::Exception&& exception) { break_->reject(kj::mv(exception)); }

kj::Promise<Submission> Submitter::submit(kj::Own<capnp::MallocMessageBuilder> command) {
  auto pair = kj::newPromiseAndFulfiller<Submission>();
  waiting_.push_back(std::make_shared<Entry>(Entry{kj::mv(command), kj::mv(pair.fulfiller)}));
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
  while (!waiting_.empty() && batch.size() < settings_.commands_per_call) {
    bool alone = waiting_.front()->alone;
    if (alone && !batch.empty()) break;
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    if (alone) break;
  }
  return batch;
}

kj::Promise<void> Submitter::call(Batch batch) {
  auto request = port_.submitRequest();
  auto commands = request.initCommands(static_cast<unsigned>(batch.size()));
  for (unsigned i = 0; i < commands.size(); ++i) commands.setWithCaveats(i, batch[i]->command->getRoot<schema::Command>().asReader());
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
      refused_for_now.push_back(batch[i]);
      continue;
    }
    backoff_ms_ = settings_.first_backoff_ms;
    Submission submission;
    if (code != base::Code::kOk) submission.status = base::Status(code, answer.getRefusal().getText().cStr());
    auto events = answer.getEvents();
    if (events.size() > 0) submission.last_event = events[events.size() - 1];
    batch[i]->fulfiller->fulfill(kj::mv(submission));
  }
  if (!refused_for_now.empty()) again(refused_for_now);
}

void Submitter::failed(const Batch& batch, kj::Exception&& exception) {
  if (exception.getType() == kj::Exception::Type::DISCONNECTED) {
    break_->reject(kj::mv(exception));
    return;
  }
  if (exception.getType() == kj::Exception::Type::OVERLOADED) return again(batch);
  if (batch.size() == 1) {
    // Refused as it stands; nothing else is held up by it.
    std::string text = exception.getDescription().cStr();
    batch[0]->fulfiller->fulfill(Submission{base::Status(base::Code::kInternal, std::move(text)), 0});
    return;
  }
  spdlog::warn("monitor: a group of {} commands failed, sent one by one: {}", batch.size(),
               base::printable(exception.getDescription().cStr()));
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
