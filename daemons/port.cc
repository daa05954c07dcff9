#include "daemons/port.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace daemons {
namespace {

constexpr auto kFirstPause = 50 * kj::MILLISECONDS;
constexpr auto kLongestPause = 5 * kj::SECONDS;

kj::Promise<CommandAnswer> submit_again(rpc::Loop& loop, schema::DaemonPort::Client port, Command command, kj::Duration pause) {
  auto request = port.submitRequest();
  request.initCommands(1).setWithCaveats(0, command.reader());
  return request.send().then([&loop, port, command = kj::mv(command), pause](auto&& response) mutable -> kj::Promise<CommandAnswer> {
    auto answer = response.getAnswers()[0];
    CommandAnswer result;
    result.status = {static_cast<base::Code>(answer.getRefusal().getCode()), answer.getRefusal().getText().cStr()};
    for (uint64_t seq : answer.getEvents()) result.events.push_back(seq);
    if (result.status.code() != base::Code::kUnavailable) return kj::mv(result);
    spdlog::warn("{}: {}; trying again", command.reader().getId().cStr(), result.status.message());
    return loop.timer().afterDelay(pause).then([&loop, port, command = kj::mv(command), pause]() mutable {
      return submit_again(loop, port, kj::mv(command), std::min(pause * 2, kLongestPause));
    });
  });
}

}  // namespace

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

kj::Promise<CommandAnswer> submit(rpc::Loop& loop, schema::DaemonPort::Client port, Command command) {
  return submit_again(loop, kj::mv(port), kj::mv(command), kFirstPause);
}

}  // namespace daemons
