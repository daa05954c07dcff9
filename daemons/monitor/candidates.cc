#include "daemons/monitor/candidates.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/text.h"

namespace daemons {
namespace {

constexpr int64_t kRacyNs = 50'000'000;        // file times are kept in ticks of a few milliseconds, on some servers coarser
constexpr int kTriesBeforeGivingUp = 3;
constexpr int64_t kNoNumber = 1'000'000'000'000'000'000;  // above every run number: those files come last

bool is_done_writing(Notice notice) { return notice == Notice::kClosed || notice == Notice::kMovedIn; }

}  // namespace

const char* source_name(Source source) {
  switch (source) {
    case Source::kInotify: return "inotify";
    case Source::kScan: return "scan";
    case Source::kLastRun: return "lastrun";
  }
  return "scan";
}

void Candidates::settled(const std::string& path, const FileStamp& stamp, bool refused) {
  settled_[base::to_utf8(path)] = Settled{.stamp = stamp, .refused = refused, .racy = false};
}

void Candidates::noticed(const std::string& path, uint64_t run_number, Notice notice, const std::optional<FileStamp>& stamp, Moment now) {
  auto at = entries_.find(path);
  if (at == entries_.end()) {
    if (notice == Notice::kScanned && stamp && on_record(path, *stamp, false)) return;
    at = entries_.emplace(path, Entry{}).first;
    Entry& entry = at->second;
    entry.run_number = run_number;
    entry.source = notice == Notice::kScanned ? Source::kScan : Source::kInotify;
    entry.still_since_ns = now.steady_ns;
    entry.backoff_ns = policy_.first_backoff_ns;
    if (stamp) {
      entry.stamp = *stamp;
      entry.known_stamp = true;
    }
    if (notice == Notice::kScanned) {
      settle(at, now);
    } else if (notice == Notice::kCreated) {
      entry.awaits_close = true;
      look_at_time(at, State::kSettling, now.steady_ns + policy_.settle_ns);
    } else {
      announce(at, notice, now);
    }
    return;
  }

  Entry& entry = at->second;
  bool differs = stamp && entry.known_stamp && !stamp->same_bytes(entry.stamp);
  switch (entry.state) {
    case State::kSettling:
    case State::kDueLook:
    case State::kBackoff:
      if (notice == Notice::kScanned) {
        if (differs && entry.state == State::kBackoff) look_at_time(at, State::kDueLook, now.steady_ns);
      } else if (notice == Notice::kCreated) {
        entry.awaits_close = true;
        entry.live = false;
      } else {
        announce(at, notice, now);
      }
      break;
    case State::kReady:
      if (is_done_writing(notice) && !held(entry)) make_ready(at, Turn::kLive);
      break;
    case State::kLooking:
    case State::kExamining:
    case State::kGivenUp:
    case State::kSubmitting:
      if (notice == Notice::kScanned && !differs) break;
      if (!entry.meanwhile || is_done_writing(notice) || notice == Notice::kCreated) entry.meanwhile = notice;
      break;
  }
}

void Candidates::gone(const std::string& path) {
  auto at = entries_.find(path);
  if (at == entries_.end()) return;
  switch (at->second.state) {
    case State::kSettling:
    case State::kDueLook:
    case State::kBackoff:
    case State::kReady: forget(at); break;
    default: break;  // whoever has it in hand will find out
  }
}

void Candidates::set_last_ended(std::optional<uint64_t> run_number, Moment now) {
  if (run_number == last_ended_) return;
  last_ended_ = run_number;
  if (!run_number) return;
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    Entry& entry = at->second;
    if (entry.state != State::kSettling || entry.run_number == 0 || entry.run_number > *run_number) continue;
    entry.source = Source::kLastRun;
    entry.live = true;
    look_at_time(at, State::kDueLook, now.steady_ns);
  }
}

std::optional<std::string> Candidates::take_look(Moment now) {
  if (looks_.empty() || looks_.begin()->first > now.steady_ns) return std::nullopt;
  auto at = entries_.find(looks_.begin()->second);
  leave(at);
  at->second.state = State::kLooking;
  return at->first;
}

void Candidates::looked(const std::string& path, const Look& look, Moment now) {
  auto at = entries_.find(path);
  if (at == entries_.end() || at->second.state != State::kLooking) return;
  Entry& entry = at->second;
  if (auto notice = std::exchange(entry.meanwhile, std::nullopt)) {
    if (*notice == Notice::kCreated) {
      entry.awaits_close = true;
      entry.live = false;
    } else if (is_done_writing(*notice)) {
      entry.live = true;
      entry.awaits_close = false;
      entry.always |= *notice == Notice::kMovedIn;
    }
  }
  if (!look.stamp) {
    if (look.failure.empty()) return forget(at);
    entry.code = "unreadable";
    entry.text = look.failure;
    return not_yet(at, now);
  }

  bool first = !entry.known_stamp;
  bool other = !first && !look.stamp->same_bytes(entry.stamp);
  entry.stamp = *look.stamp;
  entry.known_stamp = true;
  if (!entry.always && on_record(path, entry.stamp, entry.live)) return forget(at);
  if (first) entry.still_since_ns = now.steady_ns;
  if (other) changed(entry, now);
  if (entry.live && !held(entry)) return make_ready(at, Turn::kLive);
  if (!entry.incomplete) return settle(at, now);
  if (now.steady_ns - entry.still_since_ns >= policy_.give_up_after_ns && entry.tries >= kTriesBeforeGivingUp) {
    entry.state = State::kGivenUp;
    given_up_.push_back(path);
  } else {
    make_ready(at, Turn::kRetry);
  }
}

bool Candidates::has_examination(bool retries) const { return next_ready(retries) != ready_.end(); }

Candidates::Ready::const_iterator Candidates::next_ready(bool retries) const {
  auto first_of = [&](Turn turn) {
    auto at = ready_.lower_bound({turn, std::numeric_limits<int64_t>::min(), 0});
    return at != ready_.end() && std::get<Turn>(at->first) == turn ? at : ready_.end();
  };
  if (auto live = first_of(Turn::kLive); live != ready_.end()) return live;
  auto listed = list_open_ ? first_of(Turn::kListed) : ready_.end(), retry = retries ? first_of(Turn::kRetry) : ready_.end();
  if (retry == ready_.end()) return listed;
  return listed == ready_.end() || retry_turn_ ? retry : listed;
}

std::optional<Examination> Candidates::take_examination(bool retries, Moment now) {
  auto next = next_ready(retries);
  if (next == ready_.end()) return std::nullopt;
  bool retry = std::get<Turn>(next->first) == Turn::kRetry;
  if (std::get<Turn>(next->first) != Turn::kLive) retry_turn_ = std::get<Turn>(next->first) == Turn::kListed;
  auto at = entries_.find(next->second);
  leave(at);
  Entry& entry = at->second;
  entry.state = State::kExamining;
  entry.taken_wall_ns = now.wall_ns;
  entry.announced = entry.live;
  entry.live = entry.always = false;
  return Examination{.path = at->first, .run_number = entry.run_number, .stamp = entry.stamp, .source = entry.source, .retry = retry};
}

bool Candidates::examined(const std::string& path, const Verdict& verdict, const Look& after, Moment now) {
  auto at = entries_.find(path);
  if (at == entries_.end() || at->second.state != State::kExamining) return false;
  Entry& entry = at->second;
  auto meanwhile = std::exchange(entry.meanwhile, std::nullopt);
  if (!after.stamp && after.failure.empty()) {
    forget(at);
    return false;
  }
  bool grew_before = after.stamp && !after.stamp->same_bytes(entry.stamp);
  bool grew_inside = after.stamp && verdict.read.inode != 0 && !after.stamp->same_bytes(verdict.read);
  if (after.stamp) entry.stamp = *after.stamp;
  if (grew_before || grew_inside) changed(entry, now);
  // A file that changed since its last look was not still, however whole it reads; unless its writer had said that it is done.
  bool moved_on = grew_inside || (grew_before && !entry.announced);
  bool concluded = after.stamp && !moved_on && verdict.kind != Verdict::Kind::kNotYet;
  if (concluded) {
    entry.state = State::kSubmitting;
    entry.meanwhile = meanwhile;
    return true;
  }

  entry.state = State::kSettling;
  if (!after.stamp) {
    entry.code = "unreadable";
    entry.text = after.failure;
  } else if (!moved_on) {
    entry.code = verdict.code;
    entry.text = verdict.text;
  }
  if (meanwhile && *meanwhile != Notice::kScanned && *meanwhile != Notice::kCreated) {
    entry.incomplete = true;
    announce(at, *meanwhile, now);
  } else if (moved_on) {
    settle(at, now);
  } else {
    not_yet(at, now);
  }
  return false;
}

std::optional<GivenUp> Candidates::take_given_up() {
  if (given_up_.empty()) return std::nullopt;
  auto at = entries_.find(given_up_.back());
  given_up_.pop_back();
  Entry& entry = at->second;
  entry.state = State::kSubmitting;
  return GivenUp{.path = at->first,
                 .run_number = entry.run_number,
                 .stamp = entry.stamp,
                 .code = entry.code,
                 .text = entry.text,
                 .unchanged_ns = policy_.give_up_after_ns};
}

void Candidates::concluded(const std::string& path, bool refused, Moment now) {
  auto at = entries_.find(path);
  if (at == entries_.end() || at->second.state != State::kSubmitting) return;
  Entry& entry = at->second;
  settled_[base::to_utf8(path)] = Settled{.stamp = entry.stamp,
                                          .refused = refused,
                                          .racy = entry.taken_wall_ns - entry.stamp.modified_ns < kRacyNs};
  auto meanwhile = entry.meanwhile;
  uint64_t run_number = entry.run_number;
  std::string name = path;
  forget(at);
  if (meanwhile) noticed(name, run_number, *meanwhile == Notice::kScanned ? Notice::kAttributes : *meanwhile, std::nullopt, now);
}

std::optional<int64_t> Candidates::next_look_ns() const {
  if (looks_.empty()) return std::nullopt;
  return looks_.begin()->first;
}

/// `announced`: its writer has just closed it. Then equal times prove nothing when the last read came right after the last write.
bool Candidates::on_record(const std::string& path, const FileStamp& stamp, bool announced) const {
  auto at = settled_.find(base::to_utf8(path));
  if (at == settled_.end()) return false;
  const Settled& record = at->second;
  if (record.stamp.size_bytes != stamp.size_bytes || record.stamp.modified_ns != stamp.modified_ns) return false;
  // What was refused may have been let in since; what was read needs no second reading because of a new link or permission.
  if (record.refused && record.stamp.changed_ns != 0 && record.stamp.changed_ns != stamp.changed_ns) return false;
  return !(announced && record.racy);
}

bool Candidates::held(const Entry& entry) const { return last_ended_ && entry.run_number > *last_ended_; }

void Candidates::leave(Entries::iterator at) {
  Entry& entry = at->second;
  switch (entry.state) {
    case State::kSettling:
    case State::kDueLook:
    case State::kBackoff: looks_.erase({entry.due_ns, at->first}); break;
    case State::kReady: ready_.erase(entry.place); break;
    case State::kGivenUp: std::erase(given_up_, at->first); break;
    default: break;
  }
}

void Candidates::look_at_time(Entries::iterator at, State state, int64_t due_ns) {
  leave(at);
  at->second.state = state;
  at->second.due_ns = due_ns;
  looks_.emplace(due_ns, at->first);
}

void Candidates::make_ready(Entries::iterator at, Turn turn) {
  leave(at);
  Entry& entry = at->second;
  int64_t key = static_cast<int64_t>(++arrivals_);
  if (turn == Turn::kListed) {
    // Run numbers are the order of measuring; without them the oldest file comes first.
    key = entry.run_number != 0 ? static_cast<int64_t>(entry.run_number) : std::max(entry.stamp.modified_ns, kNoNumber);
  }
  entry.state = State::kReady;
  entry.turn = turn;
  entry.place = {turn, key, arrivals_};
  ready_.emplace(entry.place, at->first);
}

int64_t Candidates::stillness(const Entry& entry, Moment now) const {
  bool writer_known = entry.awaits_close && !entry.stamp.linked;
  if (writer_known || held(entry)) return policy_.give_up_after_ns;
  bool old = now.wall_ns - entry.stamp.modified_ns >= policy_.old_ns;  // never true of a time in the future
  return old ? 0 : policy_.settle_ns;
}

void Candidates::settle(Entries::iterator at, Moment now) {
  Entry& entry = at->second;
  entry.incomplete = false;
  bool ended = last_ended_ && entry.run_number != 0 && !held(entry);
  if (ended) entry.source = Source::kLastRun;
  int64_t due = entry.still_since_ns + stillness(entry, now);
  if (ended || due <= now.steady_ns) {
    make_ready(at, entry.tries > 0 ? Turn::kRetry : Turn::kListed);
  } else {
    look_at_time(at, State::kSettling, due);
  }
}

void Candidates::changed(Entry& entry, Moment now) const {
  entry.still_since_ns = now.steady_ns;
  entry.backoff_ns = policy_.first_backoff_ns;
  entry.incomplete = false;
}

void Candidates::announce(Entries::iterator at, Notice notice, Moment now) {
  Entry& entry = at->second;
  if (is_done_writing(notice)) {
    entry.live = true;
    entry.awaits_close = false;
    entry.always |= notice == Notice::kMovedIn;
    entry.source = Source::kInotify;
  } else if (entry.incomplete) {
    entry.live = true;  // new permissions may be what it waited for
  } else if (entry.state == State::kSettling && looks_.contains({entry.due_ns, at->first})) {
    return;
  }
  if (entry.incomplete) changed(entry, now);
  look_at_time(at, State::kDueLook, now.steady_ns);
}

void Candidates::not_yet(Entries::iterator at, Moment now) {
  Entry& entry = at->second;
  entry.incomplete = true;
  ++entry.tries;
  if (now.steady_ns - entry.still_since_ns >= policy_.give_up_after_ns && entry.tries >= kTriesBeforeGivingUp) {
    entry.state = State::kGivenUp;
    given_up_.push_back(at->first);
    return;
  }
  look_at_time(at, State::kBackoff, now.steady_ns + entry.backoff_ns);
  entry.backoff_ns = std::min(entry.backoff_ns * 2, policy_.last_backoff_ns);
}

void Candidates::forget(Entries::iterator at) {
  leave(at);
  entries_.erase(at);
}

}  // namespace daemons
