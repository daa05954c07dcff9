#include "rpc/service/login_guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"
#include "rpc/service/source_key.h"

namespace rpc {
namespace {

/// To a directory upper and lower case are the same, and blanks count once, at the ends not at all.
std::string canonical(const std::string& name) {
  std::string text;
  for (const char byte : base::ascii_lower(name)) {
    if (byte != ' ' || (!text.empty() && text.back() != ' ')) text += byte;
  }
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

/// People type passwords into the wrong field: names are kept as hashes.
std::string name_key(const std::string& name) { return name.empty() ? "" : std::string(base::as_bytes(base::sha256(canonical(name)))); }

/// How many may wait of one source: the fuller it is, the fewer, so that a few sources do not have all the room.
size_t share(size_t waiting, size_t room) {
  size_t share = LoginGuard::kMaxWaitingOfASource;
  for (size_t left = room / 2; share > 1 && waiting + left >= room; left /= 2) share /= 2;
  return share;
}

kj::Duration wait_after(uint32_t failures) {
  if (failures < LoginGuard::kFailuresAtOnce) return 0 * kj::SECONDS;
  const uint32_t doublings = std::min(failures - LoginGuard::kFailuresAtOnce, 16u);
  return std::min((int64_t{1} << doublings) * kj::SECONDS, LoginGuard::kLongestWait);
}

void end_one(std::map<std::string, size_t>& under_way, const std::string& key) {
  auto found = under_way.find(key);
  if (--found->second == 0) under_way.erase(found);
}

}  // namespace

const LoginGuard::Failures::Count* LoginGuard::Failures::find(const std::string& key) const {
  for (const auto* counts : {&recent_, &older_}) {
    if (auto found = counts->find(key); found != counts->end()) return &found->second;
  }
  return nullptr;
}

uint32_t LoginGuard::Failures::of(const std::string& key, kj::TimePoint now) const {
  const Count* count = find(key);
  return count && now - count->last < kForgottenAfter ? count->failures : 0;
}

void LoginGuard::Failures::add(const std::string& key, kj::TimePoint now) {
  const Count count{of(key, now) + 1, now};
  if (recent_.size() >= kMaxRemembered / 2 && !recent_.contains(key)) older_ = std::exchange(recent_, {});
  recent_[key] = count;
}

void LoginGuard::Failures::clear(const std::string& key) {
  recent_.erase(key);
  older_.erase(key);
}

base::Result<std::shared_ptr<LoginGuard::Try>> LoginGuard::enter(const std::string& source, const std::string& name, Door door) {
  const std::string from = source_key(source);
  const size_t waiting = state_->waiting[door], room = door == kMachine ? kMaxWaitingOfMachine : kMaxWaiting;
  const auto found = state_->sources.find(from);
  const size_t of_source = found == state_->sources.end() ? 0 : found->second;
  if (waiting >= room) return base::Status(base::Code::kUnavailable, fmt::format("{} logins wait for their answers already; try again in a minute", waiting));
  if (of_source >= share(waiting, room)) {
    return base::Status(base::Code::kUnavailable, fmt::format("{} logins from here wait for their answers already; try again in a minute", of_source));
  }
  return std::make_shared<Try>(state_, door, from, name_key(name));
}

LoginGuard::Try::Try(std::shared_ptr<State> state, Door door, std::string source, std::string name)
    : state_(std::move(state)), door_(door), source_(std::move(source)), name_(std::move(name)), answer_at_(state_->timer.now()) {
  ++state_->waiting[door_];
  ++state_->sources[source_];
  // Tries for a name that are under way count as if they had failed: guessing at it from many sources at once gains nothing.
  const size_t beside = name_.empty() ? 0 : state_->names[name_]++;
  const uint32_t by_source = state_->by_source.of(source_, answer_at_);
  const uint32_t by_name = name_.empty() ? 0 : state_->by_name.of(name_, answer_at_) + static_cast<uint32_t>(beside);
  answer_at_ += wait_after(std::max(by_source, by_name));
}

LoginGuard::Try::~Try() {
  --state_->waiting[door_];
  end_one(state_->sources, source_);
  if (!name_.empty()) end_one(state_->names, name_);
  if (outcome_ == Outcome::kFailed) {
    const kj::TimePoint now = state_->timer.now();
    state_->by_source.add(source_, now);
    if (!name_.empty()) state_->by_name.add(name_, now);
  } else if (outcome_ == Outcome::kSucceeded && !name_.empty()) {
    state_->by_name.clear(name_);
  }
}

kj::Promise<void> LoginGuard::Try::wait() {
  if (answer_at_ <= state_->timer.now()) return kj::READY_NOW;
  return state_->timer.atTime(answer_at_);
}

}  // namespace rpc
