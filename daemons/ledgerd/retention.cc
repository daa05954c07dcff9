#include "daemons/ledgerd/retention.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/age.h"
#include "base/counted.h"
#include "ledger/canonical.h"
#include "ledger/decide/limits.h"
#include "ledger/event_bytes.h"
#include "ledger/past.h"
#include "ledger/proof/named_blobs.h"
#include "ledger/subjects.h"
#include "rpc/service/presence.h"

namespace daemons {
namespace {

constexpr const char* kName = "ledgerd/retention";  // in `status`, and of its position
constexpr const char* kReasonCode = "retention";
constexpr uint64_t kMsADay = 86'400'000, kMsAMinute = 60'000;

using Snapshot = std::shared_ptr<const ledger::Snapshot>;

ledger::Identity self() { return {schema::Actor::Kind::DAEMON, "ledgerd", "[retention] of the site file"}; }

std::string days(uint64_t age_ms) { return base::counted(age_ms / kMsADay, "day"); }

/// The last event that is older than `age_ms`; 0 = none.
base::Result<uint64_t> last_due(const ledger::Snapshot& snapshot, int64_t now_ns, uint64_t age_ms) {
  return ledger::seq_at(snapshot, base::time_before(now_ns, age_ms));
}

/// Calls `visit` for events from..to.
template <typename Visit>
base::Status read_events(const ledger::Snapshot& snapshot, uint64_t from, uint64_t to, Visit&& visit) {
  if (from > to) return {};
  try {
    return snapshot.events(from, to, [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
      ledger::StoredEvent event(words);
      return visit(seq, event.get());
    });
  } catch (const kj::Exception& problem) {
    return {base::Code::kCorruption, fmt::format("one of events {} to {} cannot be read ({}); run 'runledger verify'", from, to, problem.getDescription().cStr())};
  }
}

/// What the log says of forgetting so far.
struct OnRecord {
  base::Status status;
  uint64_t forgotten = 0;  // records of commands up to this event, by whomever
  std::string last;        // of this class
};

std::string words_of(schema::Event::Reader event) {
  const auto body = event.getBody();
  const std::string what = body.isBlobsErased() ? base::counted(body.getBlobsErased().getBlobs().size(), "log") + " erased"
                                                : fmt::format("commands up to event {} forgotten", body.getCommandsForgotten().getUpTo());
  return fmt::format("{} {} (event {})", base::iso_time(event.getTime()), what, event.getSeq());
}

OnRecord read_record(const ledger::Snapshot& snapshot) {
  constexpr size_t kPage = 1000;
  OnRecord record;
  for (uint64_t from = 0;;) {
    const auto seqs = snapshot.subject(ledger::ledger_subject(), from, kPage);
    for (const uint64_t seq : seqs) {
      record.status = read_events(snapshot, seq, seq, [&](uint64_t, schema::Event::Reader event) {
        const auto body = event.getBody();
        if (body.isCommandsForgotten()) record.forgotten = std::max(record.forgotten, body.getCommandsForgotten().getUpTo());
        const bool own = (body.isCommandsForgotten() && ledger::view(body.getCommandsForgotten().getReason().getCode()) == kReasonCode) ||
                         (body.isBlobsErased() && ledger::view(body.getBlobsErased().getReason().getCode()) == kReasonCode);
        if (own) record.last = words_of(event);
        return true;
      });
      if (!record.status.is_ok()) return record;
    }
    if (seqs.size() < kPage) break;
    from = seqs.back() + 1;
  }
  record.status = snapshot.status();
  return record;
}

/// What is to be forgotten of commands; 0 = nothing.
struct DueCommands {
  OnRecord record;
  base::Result<uint64_t> up_to = uint64_t{0};
};

DueCommands due_commands(const ledger::Snapshot& snapshot, int64_t now_ns, uint64_t age_ms) {
  DueCommands due{read_record(snapshot)};
  if (age_ms == 0 || !due.record.status.is_ok()) return due;
  const auto last = last_due(snapshot, now_ns, age_ms);
  if (!last.is_ok()) return due.up_to = last.status(), due;
  // Forgetting is itself on record: it is no reason to forget again.
  bool worth_it = false;
  const base::Status read = read_events(snapshot, due.record.forgotten + 1, *last, [&](uint64_t, schema::Event::Reader event) {
    const auto body = event.getBody();
    worth_it = !body.isCommandsForgotten() && !body.isBlobsErased();
    return !worth_it;
  });
  if (!read.is_ok()) {
    due.up_to = read;
  } else if (worth_it) {
    due.up_to = *last;
  }
  return due;
}

}  // namespace

/// One reading of the log for logs that are due.
struct Retention::Pass {
  uint64_t due = 0;     // the last event that is old enough
  uint64_t next = 0;    // to be read
  uint64_t until = 0;   // logs of events up to here are in `logs`
  std::map<std::string, uint64_t> logs;  // SHA-256 -> the last event up to `until` that names it
  std::vector<std::pair<uint64_t, std::string>> erased;  // the same by event, once it is known which
  size_t done = 0;      // of these
};

Retention::Retention(rpc::LedgerService& service, const base::Clock& clock, const site::Retention& policy, size_t names_at_once)
    : service_(service), clock_(clock), policy_(policy), names_at_once_(names_at_once) {
  if (!has_policy()) return;
  service_.presence()->connected(kName);
  show();
}

void Retention::show() {
  std::string policy;
  if (policy_.commands_ms > 0) policy = fmt::format("records of commands after {}", days(policy_.commands_ms));
  if (policy_.logs_ms > 0) policy += fmt::format("{}logs after {}", policy.empty() ? "" : ", ", days(policy_.logs_ms));
  service_.presence()->alive(kName, fmt::format("forgets {}; last: {}{}", policy, last_.empty() ? "nothing yet" : last_,
                                                problem_.is_ok() ? "" : "; not possible now: " + problem_.message()));
}

kj::Promise<void> Retention::act() {
  if (!has_policy() || service_.ledger().health().state != ledger::Health::State::kOk) return kj::READY_NOW;
  return forget_commands()
      .then([this](base::Status status) -> kj::Promise<base::Status> {
        if (!status.is_ok() || policy_.logs_ms == 0) return status;
        return erase_logs();
      })
      .then([this](base::Status status) {
        problem_ = status;
        if (!status.is_ok()) spdlog::warn("retention: {}", status.message());
        show();
      });
}

kj::Promise<void> Retention::run() {
  uint64_t shortest = kMsADay * 10;
  for (const uint64_t age : {policy_.commands_ms, policy_.logs_ms}) {
    if (age > 0) shortest = std::min(shortest, age);
  }
  const uint64_t every = std::max(shortest / 10, kMsAMinute);
  return act().then([this, every] { return service_.loop().timer().afterDelay(every * kj::MILLISECONDS); }).then([this] { return run(); });
}

kj::Promise<base::Status> Retention::submit(rpc::CommandMessage& command) {
  return service_.submit(command.reader(), self()).then([this](ledger::Answer answer) -> kj::Promise<base::Status> {
    if (!answer.status.is_ok()) return answer.status;
    if (answer.events.empty()) return base::Status();
    return service_.loop().on_pool([snapshot = Snapshot(service_.snapshot()), seq = answer.events.back()] {
      std::string words;
      base::Status read = read_events(*snapshot, seq, seq, [&](uint64_t, schema::Event::Reader event) { return words = words_of(event), true; });
      return std::make_pair(read, words);
    }).then([this](std::pair<base::Status, std::string> read) {
      if (!read.first.is_ok()) return read.first;
      last_ = read.second;
      spdlog::info("retention: {}", last_);
      return base::Status();
    });
  });
}

kj::Promise<base::Status> Retention::forget_commands() {
  auto look = [snapshot = Snapshot(service_.snapshot()), now_ns = clock_.now_ns(), age_ms = policy_.commands_ms] {
    return due_commands(*snapshot, now_ns, age_ms);
  };
  return service_.loop().on_pool(std::move(look)).then([this](DueCommands due) -> kj::Promise<base::Status> {
    if (!due.record.status.is_ok()) return due.record.status;
    last_ = due.record.last;
    if (!due.up_to.is_ok()) return due.up_to.status();
    if (*due.up_to == 0) return base::Status();
    rpc::CommandMessage command(fmt::format("retention/commands/{}", *due.up_to));
    command.get().setCause(*due.up_to);
    auto forget = command.get().getBody().initForgetCommands();
    forget.setUpTo(*due.up_to);
    forget.getReason().setCode(kReasonCode);
    forget.getReason().setText(fmt::format("[retention] commands: records of commands are kept for {}", days(policy_.commands_ms)));
    return submit(command);
  });
}

kj::Promise<base::Status> Retention::erase_logs() {
  auto pass = std::make_shared<Pass>();
  const Snapshot snapshot = service_.snapshot();
  const auto due = last_due(*snapshot, clock_.now_ns(), policy_.logs_ms);
  if (!due.is_ok()) return due.status();
  pass->due = *due;
  pass->next = std::max(considered_, snapshot->position(kName)) + 1;
  pass->until = pass->next - 1;
  if (pass->next > pass->due) return base::Status();
  return collect(pass)
      .then([this, pass](base::Status status) -> kj::Promise<base::Status> {
        if (!status.is_ok() || pass->logs.empty()) return status;
        pass->next = 1;
        return keep_needed(pass);
      })
      .then([this, pass](base::Status status) -> kj::Promise<base::Status> {
        if (!status.is_ok()) return status;
        for (auto& [sha256, seq] : pass->logs) pass->erased.emplace_back(seq, sha256);
        std::sort(pass->erased.begin(), pass->erased.end());
        return erase(pass);
      })
      .then([this, pass](base::Status status) -> kj::Promise<base::Status> {
        if (!status.is_ok()) return status;
        considered_ = pass->until;
        if (considered_ < pass->due) return erase_logs();  // there were more than one reading takes
        return base::Status();
      });
}

/// The logs that events name which are old enough.
kj::Promise<base::Status> Retention::collect(std::shared_ptr<Pass> pass) {
  auto read = [pass, snapshot = Snapshot(service_.snapshot()), most = names_at_once_] {
    const uint64_t end = std::min(pass->next + kSliceEvents - 1, pass->due);
    return read_events(*snapshot, pass->next, end, [&](uint64_t seq, schema::Event::Reader event) {
      for (ledger::NamedBlob& named : ledger::named_blobs(event)) {
        if (named.is_log && snapshot->has_blob(named.sha256)) pass->logs[std::move(named.sha256)] = seq;
      }
      pass->until = seq;
      pass->next = seq + 1;
      return pass->logs.size() < most;
    });
  };
  return service_.loop().on_pool(std::move(read)).then([this, pass, most = names_at_once_](base::Status status) -> kj::Promise<base::Status> {
    if (!status.is_ok() || pass->next > pass->due || pass->logs.size() >= most) return status;
    return collect(pass);
  });
}

/// Leaves out those that any event names as something else, and those a later event names too.
kj::Promise<base::Status> Retention::keep_needed(std::shared_ptr<Pass> pass) {
  auto read = [pass, snapshot = Snapshot(service_.snapshot())] {
    const uint64_t end = std::min(pass->next + kSliceEvents - 1, snapshot->head());
    return read_events(*snapshot, pass->next, end, [&](uint64_t seq, schema::Event::Reader event) {
      for (const ledger::NamedBlob& named : ledger::named_blobs(event)) {
        if (!named.is_log || seq > pass->until) pass->logs.erase(named.sha256);
      }
      pass->next = seq + 1;
      return true;
    });
  };
  return service_.loop().on_pool(std::move(read)).then([this, pass](base::Status status) -> kj::Promise<base::Status> {
    if (!status.is_ok() || pass->logs.empty() || pass->next > service_.head()) return status;
    return keep_needed(pass);
  });
}

kj::Promise<base::Status> Retention::erase(std::shared_ptr<Pass> pass) {
  if (pass->done == pass->erased.size()) return base::Status();
  const size_t end = std::min(pass->done + ledger::kMaxErasedBlobs, pass->erased.size());
  const uint64_t last = pass->erased[end - 1].first;
  rpc::CommandMessage command(fmt::format("retention/logs/{}/{}/{}", pass->due, last, pass->done));
  command.get().setCause(last);
  auto position = command.get().initPosition();
  position.setDaemon(kName);
  // Those of one event may be in two commands.
  position.setSeq(end == pass->erased.size() ? pass->until : pass->erased[end].first - 1);
  auto wanted = command.get().getBody().initEraseBlobs();
  auto blobs = wanted.initBlobs(static_cast<unsigned>(end - pass->done));
  for (unsigned i = 0; i < blobs.size(); ++i) blobs[i].setSha256(ledger::data(pass->erased[pass->done + i].second));
  wanted.getReason().setCode(kReasonCode);
  wanted.getReason().setText(fmt::format("[retention] logs: what scripts printed is kept for {}", days(policy_.logs_ms)));
  pass->done = end;
  return submit(command).then([this, pass](base::Status status) -> kj::Promise<base::Status> {
    if (!status.is_ok()) return status;
    return erase(pass);
  });
}

}  // namespace daemons
