#include "rpc/strangers.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace rpc {

Strangers::Strangers(kj::Timer& timer, const ListenOptions& options, End end)
    : timer_(timer), login_ms_(options.login_ms), most_(options.max_strangers), end_(std::move(end)) {
  if (login_ms_ > 0) ending_late_ = end_late().eagerlyEvaluate(nullptr);
}

void Strangers::add(uint64_t connection, std::string source, std::shared_ptr<Admission> admission, PacedStream& stream) {
  if (login_ms_ <= 0 || admission->is_given()) return;
  if (strangers_.size() >= most_) end_one(fmt::format("{} others came while it had not logged in", most_));
  stream.hold_after(kMaxStrangerBytes);
  admission->on_given([this, connection, &stream] {
    stream.let_go();
    forget(connection);
  });
  strangers_.emplace(connection, Stranger{std::move(source), std::move(admission), timer_.now() + login_ms_ * kj::MILLISECONDS});
}

bool Strangers::end_one(const std::string& why) {
  if (strangers_.empty()) return false;
  // A login under way may be somebody's, and logins under way have bounds of their own.
  std::map<std::string_view, size_t> idle;
  for (const auto& [connection, stranger] : strangers_) {
    if (!stranger.admission->is_being_decided()) ++idle[stranger.source];
  }
  uint64_t chosen = strangers_.begin()->first;
  size_t most = 0;
  for (const auto& [connection, stranger] : strangers_) {
    if (stranger.admission->is_being_decided() || idle[stranger.source] <= most) continue;
    most = idle[stranger.source];
    chosen = connection;
  }
  end(chosen, why);
  return true;
}

void Strangers::forget(uint64_t connection) {
  auto found = strangers_.find(connection);
  if (found == strangers_.end()) return;
  auto admission = std::move(found->second.admission);
  strangers_.erase(found);
  admission->on_given(nullptr);
}

void Strangers::end(uint64_t connection, const std::string& why) {
  forget(connection);
  end_(connection, why);
}

kj::Promise<void> Strangers::end_late() {
  constexpr int kLooks = 8;  // within the time a stranger has
  return timer_.afterDelay(std::max(1, login_ms_ / kLooks) * kj::MILLISECONDS).then([this] {
    std::vector<uint64_t> late;
    for (auto& [connection, stranger] : strangers_) {
      if (stranger.admission->is_being_decided()) stranger.deadline = timer_.now() + login_ms_ * kj::MILLISECONDS;
      if (stranger.deadline <= timer_.now()) late.push_back(connection);
    }
    for (uint64_t connection : late) end(connection, fmt::format("it had not logged in after {} ms", login_ms_));
    return end_late();
  });
}

}  // namespace rpc
