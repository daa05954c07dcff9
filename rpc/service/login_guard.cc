#include "rpc/service/login_guard.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/sha256.h"
#include "base/text.h"

namespace rpc {
namespace {

/// Who has one IPv6 address has the 2^64 beside it.
std::string source_key(const std::string& source) {
  in6_addr address{};
  if (inet_pton(AF_INET6, source.c_str(), &address) != 1) return source;
  std::memset(address.s6_addr + 8, 0, 8);
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &address, text, sizeof text);
  return std::string(text) + "/64";
}

/// People type passwords into the wrong field: names are kept as hashes. To a directory upper and lower case are the same.
std::string name_key(const std::string& name) { return name.empty() ? "" : std::string(base::as_bytes(base::sha256(base::ascii_lower(name)))); }

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

base::Result<std::shared_ptr<LoginGuard::Try>> LoginGuard::enter(const std::string& source, const std::string& name) {
  const std::string from = source_key(source);
  const auto under_way = state_->sources.find(from);
  if (state_->waiting >= kMaxWaiting || (under_way != state_->sources.end() && under_way->second >= kMaxWaitingOfASource)) {
    const bool of_source = state_->waiting < kMaxWaiting;
    return base::Status(base::Code::kUnavailable, fmt::format("{} logins {}wait for their answers already; try again in a minute",
                                                              of_source ? kMaxWaitingOfASource : kMaxWaiting, of_source ? "from here " : ""));
  }
  return std::make_shared<Try>(state_, from, name_key(name));
}

LoginGuard::Try::Try(std::shared_ptr<State> state, std::string source, std::string name)
    : state_(std::move(state)), source_(std::move(source)), name_(std::move(name)), answer_at_(state_->timer.now()) {
  ++state_->waiting;
  ++state_->sources[source_];
  // Tries for a name that are under way count as if they had failed: guessing at it from many sources at once gains nothing.
  const size_t beside = name_.empty() ? 0 : state_->names[name_]++;
  const uint32_t by_source = state_->by_source.of(source_, answer_at_);
  const uint32_t by_name = name_.empty() ? 0 : state_->by_name.of(name_, answer_at_) + static_cast<uint32_t>(beside);
  answer_at_ += wait_after(std::max(by_source, by_name));
}

LoginGuard::Try::~Try() {
  --state_->waiting;
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
