#include "rpc/service/denials.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <vector>

namespace rpc {
namespace {

std::string key_of(const Denial& denial) {
  std::string key;
  for (const std::string* part : {&denial.who.name, &denial.action, &denial.source}) key.append(*part).append(1, '\0');
  return key.append(1, static_cast<char>(denial.who.kind));
}

}  // namespace

void Denials::count(Kind& kind, Denial denial) {
  if (kind.count++ > 0) return;
  kind.first = std::move(denial);
  kind.first_at_ns = clock_.now_ns();
}

void Denials::write(Kind& kind) {
  if (left_ > 0) --left_;
  const uint64_t counted = std::exchange(kind.count, 0);
  kind.due = timer_.now() + kCounted;
  write_(kind.first, counted, kind.first_at_ns);
}

void Denials::add(Denial denial) {
  if (!std::exchange(ticking_, true)) {
    left_ = kASecond;
    ticks_ = tick().eagerlyEvaluate([](kj::Exception&& problem) { spdlog::critical("denials are counted no more: {}", problem.getDescription().cStr()); });
  }
  const std::string key = key_of(denial);
  if (auto known = kinds_.find(key); known != kinds_.end()) return count(known->second, std::move(denial));
  if (left_ == 0 || kinds_.size() == kMaxKinds) {
    if (others_.count == 0) others_.due = timer_.now() + kCounted;
    Denial together{{schema::Actor::Kind::DAEMON, "ledgerd", "this process"}, "various", {}, "many_denials", {}, {}};
    together.reason = "more kinds of denials came at once than are told apart: different accounts, actions or sources";
    return count(others_, std::move(together));
  }
  Kind& kind = kinds_[key];
  count(kind, std::move(denial));
  write(kind);
}

void Denials::write_due() {
  const kj::TimePoint now = timer_.now();
  if (others_.count > 0 && others_.due <= now) write(others_);
  std::vector<std::map<std::string, Kind>::iterator> due;
  for (auto kind = kinds_.begin(); kind != kinds_.end();) {
    if (kind->second.due > now) {
      ++kind;
    } else if (kind->second.count == 0) {
      kind = kinds_.erase(kind);
    } else {
      due.push_back(kind++);
    }
  }
  std::stable_sort(due.begin(), due.end(), [](auto one, auto other) { return one->second.due < other->second.due; });
  for (auto kind : due) {
    if (left_ == 0) break;  // the oldest first; the others wait for the next second
    write(kind->second);
  }
}

kj::Promise<void> Denials::tick() {
  return timer_.afterDelay(1 * kj::SECONDS).then([this]() -> kj::Promise<void> {
    left_ = kASecond;
    write_due();
    ticking_ = !kinds_.empty() || others_.count > 0;
    if (!ticking_) return kj::READY_NOW;
    return tick();
  });
}

void Denials::flush() {
  for (auto& [key, kind] : kinds_) {
    if (kind.count > 0) write(kind);
  }
  if (others_.count > 0) write(others_);
}

}  // namespace rpc
