#include "rpc/service/catch_up.h"

#include <algorithm>
#include <optional>

#include "ledger/event_bytes.h"
#include "ledger/recorded_subjects.h"

namespace rpc {
namespace {

constexpr size_t kEventsARound = 256;
constexpr size_t kBytesARound = 256u << 10;
constexpr size_t kLookedAtARound = 16384;
constexpr size_t kSeqsAPage = 256;

/// Takes an event if it is of a kind that is asked for and may be seen. False: the round is full, or has failed.
class Taker {
 public:
  Taker(Round& round, const ledger::Snapshot& snapshot, const EventFilter& filter, const EventSight& sight)
      : round_(round), snapshot_(snapshot), filter_(filter), sight_(sight) {}
  bool take(uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
    round_.next = seq + 1;
    if (filter_.has_kinds() || !sight_.is_everything()) {
      ledger::StoredEvent event(words);
      if (!filter_.wants_kind(static_cast<uint16_t>(event.get().getBody().which()))) return true;
      if (!sight_.is_everything()) {
        const auto subjects = subjects_.of(snapshot_, event.get());
        round_.status = subjects.status();
        if (!subjects.is_ok()) return false;
        if (!sight_.sees(event.get().getBody().which(), *subjects)) return true;
      }
    }
    bytes_ += words.size() * sizeof(capnp::word);
    round_.events.push_back(kj::heapArray(words));
    return round_.events.size() < kEventsARound && bytes_ < kBytesARound;
  }

 private:
  Round& round_;
  const ledger::Snapshot& snapshot_;
  const EventFilter& filter_;
  const EventSight& sight_;
  ledger::RecordedSubjects subjects_;
  size_t bytes_ = 0;
};

/// The seqs of one subject.
class Seqs {
 public:
  Seqs(const ledger::Snapshot& snapshot, const std::string& subject) : snapshot_(snapshot), subject_(subject) {}
  /// The first that is not before `seq`; nullopt: there is none.
  std::optional<uint64_t> at_least(uint64_t seq, size_t& looked_at) {
    at_ = std::lower_bound(page_.begin() + at_, page_.end(), seq) - page_.begin();
    if (at_ == static_cast<ptrdiff_t>(page_.size())) {
      page_ = snapshot_.subject(subject_, seq, kSeqsAPage);
      at_ = 0;
      looked_at += page_.size();
    }
    return page_.empty() ? std::nullopt : std::optional(page_[at_]);
  }

 private:
  const ledger::Snapshot& snapshot_;
  const std::string& subject_;
  std::vector<uint64_t> page_;
  ptrdiff_t at_ = 0;
};

void read_by_subject(const ledger::Snapshot& snapshot, const EventFilter& filter, const EventSight& sight, uint64_t to, Round& round) {
  Taker taker(round, snapshot, filter, sight);
  std::vector<Seqs> subjects;
  for (const std::string& key : filter.subjects()) subjects.emplace_back(snapshot, key);
  size_t looked_at = 0;
  while (looked_at < kLookedAtARound) {
    uint64_t seq = round.next;
    for (size_t agreed = 0, i = 0; agreed < subjects.size(); i = (i + 1) % subjects.size()) {
      const auto found = subjects[i].at_least(seq, looked_at);
      if (!found || *found > to) {
        round.next = to + 1;
        return;
      }
      agreed = *found == seq ? agreed + 1 : 1;
      seq = *found;
      if (looked_at >= kLookedAtARound && agreed < subjects.size()) {
        round.next = seq;
        return;
      }
    }
    const auto words = snapshot.event(seq);
    if (!words.is_ok()) {
      round.status = words.status();
      return;
    }
    if (!taker.take(seq, *words)) return;
  }
}

}  // namespace

Round read_round(const ledger::Snapshot& snapshot, const EventFilter& filter, const EventSight& sight, uint64_t from, uint64_t to) {
  Round round;
  round.next = from;
  if (!filter.subjects().empty()) {
    read_by_subject(snapshot, filter, sight, to, round);
  } else {
    Taker taker(round, snapshot, filter, sight);
    size_t looked_at = 0;
    const base::Status scanned = snapshot.events(from, to, [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
      return taker.take(seq, words) && ++looked_at < kLookedAtARound;
    });
    if (round.status.is_ok()) round.status = scanned;
  }
  if (round.status.is_ok()) round.status = snapshot.status();
  return round;
}

}  // namespace rpc
