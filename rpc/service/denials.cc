#include "rpc/service/denials.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <vector>

#include "rpc/service/source_key.h"

namespace rpc {
namespace {

constexpr const char* kVarious = "various";

std::string key_of(const Denial& denial) {
  std::string key;
  for (const std::string& part : {denial.who.name, denial.action, denial.subject, source_key(denial.source)}) key.append(part).append(1, '\0');
  return key.append(1, static_cast<char>(denial.who.kind));
}

/// Those of one account, or of everybody, counted as one.
Denial together(ledger::Identity who) {
  return {std::move(who), kVarious, {}, "many_denials", "more kinds of denials came at once than are told apart: different accounts, actions or sources", {}};
}

}  // namespace

void Denials::count(Kind& kind, Denial denial) {
  if (kind.count++ > 0) return;
  kind.first = std::move(denial);
  kind.first_at_ns = clock_.now_ns();
}

void Denials::write(Kind& kind) {
  if (left_ > 0) --left_;
  ++written_[kind.first.who.name];
  const uint64_t counted = std::exchange(kind.count, 0);
  kind.due = timer_.now() + kCounted;
  write_(kind.first, counted, kind.first_at_ns);
}

void Denials::add(Denial denial) {
  if (!std::exchange(ticking_, true)) {
    left_ = kASecond;
    written_.clear();
    ticks_ = tick().eagerlyEvaluate([](kj::Exception&& problem) { spdlog::critical("denials are counted no more: {}", problem.getDescription().cStr()); });
  }
  std::string key = key_of(denial);
  if (auto known = kinds_.find(key); known != kinds_.end()) return count(known->second, std::move(denial));
  const bool is_full = kinds_.size() == kMaxKinds;
  if (!is_full && left_ > 0 && !has_had_its_share(denial.who.name)) {
    Kind& kind = kinds_[key];
    count(kind, std::move(denial));
    return write(kind);
  }
  denial = together(std::move(denial.who));
  key = key_of(denial);
  const auto own = kinds_.find(key);
  // An account that did nothing like it before does not stand for itself when all come at once.
  if (own == kinds_.end() && (is_full || left_ == 0)) {
    if (others_.count == 0) others_.due = timer_.now() + kCounted;
    return count(others_, together({schema::Actor::Kind::DAEMON, "ledgerd", "this process"}));
  }
  Kind& kind = kinds_[key];
  if (kind.count == 0) kind.due = timer_.now() + kCounted;
  count(kind, std::move(denial));
}

bool Denials::has_had_its_share(const std::string& account) const {
  if (auto written = written_.find(account); written != written_.end() && written->second >= kASecondOfOne) return true;
  const std::string key = account + '\0';
  size_t kinds = 0;
  for (auto kind = kinds_.lower_bound(key); kind != kinds_.end() && kind->first.starts_with(key) && kinds < kMaxKindsOfOne; ++kind) ++kinds;
  return kinds == kMaxKindsOfOne;
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
    if (auto had = written_.find(kind->second.first.who.name); had != written_.end() && had->second >= kASecondOfOne) continue;
    write(kind->second);
  }
}

kj::Promise<void> Denials::tick() {
  return timer_.afterDelay(1 * kj::SECONDS).then([this]() -> kj::Promise<void> {
    left_ = kASecond;
    written_.clear();
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
