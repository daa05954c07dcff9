#include "ledger/writer.h"

#include <fmt/format.h>

#include <chrono>
#include <future>

#include "base/text.h"
#include "ledger/command_record.h"
#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/limits.h"
#include "ledger/subjects.h"
#include "ledger/upkeep.h"

namespace ledger {
namespace {

std::string_view view(capnp::Text::Reader text) { return {text.begin(), text.size()}; }
std::string_view view(capnp::Data::Reader data) { return {reinterpret_cast<const char*>(data.begin()), data.size()}; }

base::Status invalid(std::string message) { return {base::Code::kInvalidArgument, std::move(message)}; }

constexpr std::chrono::microseconds kAwaited{150};  // a client over the socket takes some 100 from an answer to its next command

constexpr int kMostNotAwaited = 63;

constexpr capnp::uint kActorWords = 32;  // grows with a long name

/// Whether the same id gets this answer for ever, or may try again.
bool is_final(const base::Status& status) {
  return status.code() != base::Code::kUnavailable && status.code() != base::Code::kTimedOut &&
         status.code() != base::Code::kInternal;
}

}  // namespace

struct Writer::Submission {
  Submission(size_t words, const Identity& sender) : message(static_cast<capnp::uint>(words)), identity(sender) {
    auto builder = actor_message.initRoot<schema::Actor>();
    builder.setKind(identity.kind);
    builder.setName(identity.name);
    builder.setProof(identity.proof);
    if (!identity.right.empty()) builder.setRight(identity.right);
    actor = builder;
  }

  capnp::MallocMessageBuilder message;  // the sender's may go
  std::vector<schema::Command::Reader> commands;
  const Identity identity;
  capnp::MallocMessageBuilder actor_message{kActorWords};
  schema::Actor::Reader actor;  // the identity, as events say it
  Done done;
  size_t bytes = 0;
  size_t taken = 0;  // commands of it that are in this or an earlier group
  std::vector<Answer> answers;

  void answer_rest(const base::Status& status) {
    while (answers.size() < commands.size()) answers.push_back({.status = status, .events = {}});
    done(std::move(answers));
  }
};

Writer::Writer(std::shared_ptr<Store> store, LogState state, Rules rules, Ledger::Options options, const base::Clock& clock,
               HeadFile& head_file, std::shared_ptr<HealthBoard> health, std::shared_ptr<FoldBoard> board)
    : store_(std::move(store)),
      rules_(std::move(rules)),
      options_(options),
      clock_(clock),
      head_file_(head_file),
      health_(std::move(health)),
      board_(std::move(board)),
      durable_(state),
      next_(state),
      uptake_(rules_.views),
      published_{store_->cut(), state.head()},
      thread_([this] { run(); }) {}

Writer::~Writer() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    more_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Writer::submit(schema::Command::Reader command, const Identity& identity, Done done) {
  std::unique_ptr<Submission> submission;
  try {
    const size_t words = command.totalSize().wordCount + 1;
    submission = std::make_unique<Submission>(words, identity);
    submission->message.setRoot(command);
    submission->commands.push_back(submission->message.getRoot<schema::Command>().asReader());
    submission->bytes = words * sizeof(capnp::word);
  } catch (const kj::Exception& error) {
    done({{.status = invalid(fmt::format("the command cannot be read: {}", error.getDescription().cStr())), .events = {}}});
    return;
  }
  submission->done = std::move(done);
  enqueue(std::move(submission));
}

void Writer::submit_all(capnp::List<schema::Command>::Reader commands, const Identity& identity, Done done) {
  if (commands.size() == 0) return done({});
  std::unique_ptr<Submission> submission;
  try {
    size_t words = 2;
    for (auto command : commands) words += command.totalSize().wordCount;
    submission = std::make_unique<Submission>(words, identity);
    submission->message.setRoot(commands);
    for (auto command : submission->message.getRoot<capnp::List<schema::Command>>().asReader())
      submission->commands.push_back(command);
    submission->bytes = words * sizeof(capnp::word);
  } catch (const kj::Exception& error) {
    const Answer refused{.status = invalid(fmt::format("the commands cannot be read: {}", error.getDescription().cStr())),
                         .events = {}};
    done(std::vector<Answer>(commands.size(), refused));
    return;
  }
  submission->done = std::move(done);
  enqueue(std::move(submission));
}

void Writer::enqueue(std::unique_ptr<Submission> submission) {
  base::Status refused;
  {
    std::lock_guard lock(mutex_);
    if (!options_.follows.empty()) {
      refused = {base::Code::kPermissionDenied,
                 fmt::format("this ledger is a copy of the one at {} and decides nothing; send it there", options_.follows)};
    } else if (stop_) {
      refused = {base::Code::kUnavailable, "the ledger is closing; send the command again with the same id"};
    } else if (waiting_commands_ > 0 && (waiting_commands_ + submission->commands.size() > options_.queue_commands ||
                                         waiting_bytes_ + submission->bytes > options_.queue_bytes)) {
      refused = {base::Code::kUnavailable, fmt::format("busy: {} commands wait; try again", waiting_commands_)};
    } else {
      waiting_commands_ += submission->commands.size();
      waiting_bytes_ += submission->bytes;
      queue_.push_back(std::move(submission));
      more_ = true;
    }
  }
  if (submission) return submission->answer_rest(refused);
  wake_.notify_one();
}

void Writer::take(Delivery delivery, std::function<void(base::Status)> done) {
  {
    std::lock_guard lock(mutex_);
    if (!stop_) {
      tasks_.push_back([this, delivery = std::move(delivery), done] { done(take_now(delivery)); });
      more_ = true;
      wake_.notify_one();
      return;
    }
  }
  done({base::Code::kUnavailable, "the ledger is closing"});
}

base::Status Writer::take_now(const Delivery& delivery) {
  if (!has_room({})) no_room();
  if (const Health health = health_->get(); health.state != Health::State::kOk) return {base::Code::kUnavailable, health.detail};
  try {
    const auto live = store_->live();
    uptake_.begin(live, durable_, store_->forgotten());
    for (const Delivery::Event& event : delivery.events) {
      if (base::Status added = uptake_.add(event.bytes, event.blobs); !added.is_ok()) return added;
    }
    if (base::Status checked = delivery.check(uptake_.state().edge); !checked.is_ok()) return checked;
    Store::Batch& batch = uptake_.batch();
    if (!delivery.checkpoint.empty()) batch.put(*live, Table::kMeta, Store::kHeldCheckpointKey, delivery.checkpoint);
    if (const base::Status written = store_->write(batch, options_.sync); !written.is_ok()) return {base::Code::kUnavailable, written.message()};
  } catch (const StoreFault& fault) {
    health_->read_only(fault.status);
    return {base::Code::kUnavailable, fault.status.message()};
  }
  became_durable(uptake_.state(), uptake_.forgotten(), uptake_.purges());
  head_file_.publish(durable_.edge, durable_.time_ns);
  tell_observer();
  return {};
}

Published Writer::published() const {
  std::lock_guard lock(published_mutex_);
  return published_;
}

void Writer::on_commit(std::function<void(uint64_t)> observer) {
  std::lock_guard lock(mutex_);
  observer_ = std::move(observer);
}

void Writer::on_purge(std::function<void()> observer) {
  std::lock_guard lock(purge_mutex_);
  purge_observer_ = std::move(observer);
}

base::Status Writer::between_groups(std::function<base::Status(uint64_t head)> task) {
  const auto done = std::make_shared<std::promise<base::Status>>();
  {
    std::lock_guard lock(mutex_);
    if (stop_) return {base::Code::kUnavailable, "the ledger is closing"};
    tasks_.push_back([this, done, &task] {
      if (const Health health = health_->get(); health.state != Health::State::kOk) {
        return done->set_value({base::Code::kUnavailable, health.detail});
      }
      base::Status status = task(durable_.head());
      if (status.is_ok()) {
        publish();
        tell_observer();
      }
      done->set_value(std::move(status));
    });
    more_ = true;
  }
  wake_.notify_one();
  return done->get_future().get();
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto has_work = [this] { return stop_ || !queue_.empty() || !tasks_.empty(); };
    if (health_->get().state == Health::State::kStorageLow) {
      wake_.wait_for(lock, std::chrono::milliseconds(options_.storage_probe_ms), has_work);
      lock.unlock();
      try_storage();
      lock.lock();
    } else if (!has_work()) {
      more_ = false;
      lock.unlock();
      await_work();
      lock.lock();
      wake_.wait(lock, has_work);
    }
    if (!tasks_.empty()) {
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
      continue;
    }
    if (stop_) break;
    if (queue_.empty()) continue;
    const std::vector<Share> group = take_group();
    lock.unlock();
    process(group);
    lock.lock();
  }
  std::deque<std::unique_ptr<Submission>> rest = std::move(queue_);
  lock.unlock();
  for (const auto& submission : rest) {
    submission->answer_rest({base::Code::kUnavailable, "the ledger is closing; send the command again with the same id"});
  }
}

/// A client that sends one command after the other sends the next one soon after it has its answer; waking this thread for it would take
/// as long. Where none came in time (nobody is in a hurry, or others have the cores) the next ones are not waited for.
void Writer::await_work() {
  if (not_awaited_ > 0) {
    --not_awaited_;
    return;
  }
  const auto until = std::chrono::steady_clock::now() + kAwaited;
  while (!more_ && std::chrono::steady_clock::now() < until) continue;
  missed_ = more_ ? 0 : std::min(2 * missed_ + 1, kMostNotAwaited);
  not_awaited_ = missed_;
}

std::vector<Writer::Share> Writer::take_group() {
  std::vector<Share> group;
  size_t commands = 0, bytes = 0;
  while (!queue_.empty() && commands < kMaxGroupCommands && bytes < kMaxGroupBytes) {
    Submission& submission = *queue_.front();
    const bool fresh = submission.taken == 0;
    if (commands > 0 && fresh && bytes + submission.bytes > kMaxGroupBytes) break;
    const size_t count = std::min(kMaxGroupCommands - commands, submission.commands.size() - submission.taken);
    group.push_back({&submission, submission.taken, submission.taken + count});
    submission.taken += count;
    commands += count;
    bytes += submission.bytes;
    waiting_commands_ -= count;
    if (submission.taken < submission.commands.size()) break;
    waiting_bytes_ -= submission.bytes;
    finished_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void Writer::process(const std::vector<Share>& group) {
  if (!has_room(group)) no_room();
  if (const Health health = health_->get(); health.state != Health::State::kOk) {
    const base::Status stopped(base::Code::kUnavailable, fmt::format("the ledger takes no commands: {}; {}", health.detail,
                                                                     health.state == Health::State::kStorageLow
                                                                         ? "free some space, it goes on by itself"
                                                                         : "reads go on; mend the storage and restart"));
    refuse_group(group, stopped);
    return;
  }
  live_ = store_->live();
  overlay_.begin(live_);
  batch_.clear();
  tree_rows_.clear();
  answers_.clear();
  positions_.clear();
  next_ = durable_;
  forgotten_ = store_->forgotten();
  purges_ = false;
  try {
    for (const Share& share : group) {
      Submission& submission = *share.submission;
      for (size_t i = submission.answers.size(); i < share.end; ++i) {
        submission.answers.push_back(handle(submission.commands[i], submission));
      }
    }
    overlay_.emit(batch_);
    tree_rows_.emit(*live_, batch_);
    next_.kinds.emit(*live_, batch_);
  } catch (const StoreFault& fault) {
    health_->read_only(fault.status);
    const base::Status stopped(
        base::Code::kUnavailable,
        fmt::format("the ledger cannot be read and takes no commands: {}; restore it from a copy", fault.status.message()));
    refuse_group(group, stopped);
    return;
  }
  const bool grown = next_.head() > durable_.head();
  if (!batch_.empty()) {
    if (const base::Status written = store_->write(batch_, grown && options_.sync); !written.is_ok()) {
      const base::Status lost(
          base::Code::kUnavailable,
          fmt::format("not recorded, the storage failed: {}; send the command again with the same id", written.message()));
      refuse_group(group, lost);
      return;
    }
    became_durable(next_, forgotten_, std::exchange(purges_, false));
  }
  answer_group();
  if (!grown) return;
  head_file_.publish(durable_.edge, durable_.time_ns);
  tell_observer();
}

void Writer::became_durable(const LogState& state, uint64_t forgotten, bool purges) {
  durable_ = state;
  store_->forget(forgotten);
  publish();
  if (!purges) return;
  std::lock_guard lock(purge_mutex_);
  if (purge_observer_) purge_observer_();
}

void Writer::tell_observer() {
  std::function<void(uint64_t)> observer;
  {
    std::lock_guard lock(mutex_);
    observer = observer_;
  }
  if (observer) observer(durable_.head());
}

void Writer::refuse_group(const std::vector<Share>& group, const base::Status& status) {
  for (const Share& share : group) {
    auto& answers = share.submission->answers;
    answers.resize(share.begin);  // those of earlier groups stand
    answers.resize(share.end, {.status = status, .events = {}});
  }
  answer_group();
}

void Writer::answer_group() {
  for (const auto& submission : finished_) submission->done(std::move(submission->answers));
  finished_.clear();
}

Answer Writer::handle(schema::Command::Reader command, const Submission& from) {
  Answer answer;
  try {
    const std::string_view id = view(command.getId());
    if (id.empty() || id.size() > kMaxCommandIdBytes) {
      answer.status = invalid(
          fmt::format("the command's id has {} bytes; give it 1 to {}, unique for its sender", id.size(), kMaxCommandIdBytes));
      return answer;
    }
    const std::string key = command_key(from.identity, id);
    if (auto first = first_answer(key)) {
      first->repeated = true;
      return *std::move(first);
    }
    if (base::Status understood = durable_.kinds.understood(); !understood.is_ok()) {
      answer.status = std::move(understood);  // not remembered: the newer release will take it
      return answer;
    }
    overlay_.mark();
    auto decided = decide(command, from.actor);
    if (decided.is_ok()) {
      answer.events = std::move(*decided);
    } else {
      overlay_.rollback();
      answer.status = decided.status();
    }
    if (is_final(answer.status)) remember(key, answer);
  } catch (const ViewMissing& missing) {
    overlay_.rollback();
    answer.status = board_->missing(missing.view).in("no commands yet");
  } catch (const kj::Exception& error) {
    overlay_.rollback();
    answer.status = {base::Code::kInternal,
                     fmt::format("command {}: {}", base::printable(view(command.getId())), error.getDescription().cStr())};
  } catch (const std::exception& error) {
    overlay_.rollback();
    answer.status = {base::Code::kInternal, fmt::format("command {}: {}", base::printable(view(command.getId())), error.what())};
  }
  return answer;
}

base::Result<std::vector<uint64_t>> Writer::decide(schema::Command::Reader command, schema::Actor::Reader actor) {
  const uint64_t head = next_.head();
  if (command.getCause() > head) {
    return invalid(fmt::format("the command's cause is event {}, the log ends at {}", command.getCause(), head));
  }
  for (auto blob : command.getBlobs()) {
    if (blob.size() > kMaxBlobBytes) {
      return invalid(fmt::format("a blob of {} bytes is too large; {} are allowed, cut it", blob.size(), kMaxBlobBytes));
    }
    overlay_.put_blob(std::string(base::as_bytes(base::sha256(view(blob)))), view(blob));
  }

  const int64_t now_ns = std::max(clock_.now_ns(), next_.time_ns);
  auto drafts = rules_.decide(overlay_, {.now_ns = now_ns, .next_seq = head + 1, .actor = actor}, command);
  if (!drafts.is_ok()) return drafts.status();

  std::vector<uint64_t> seqs;
  std::vector<kj::Array<capnp::word>> events;
  for (EventDraft& draft : *drafts) {
    const uint64_t seq = head + 1 + seqs.size();
    auto event = draft.event();
    event.setSeq(seq);
    event.setTime(now_ns);
    event.setCommandId(command.getId());
    event.setActor(actor);
    if (event.getCause() == 0) event.setCause(command.getCause());
    if (event.getCause() >= seq) throw std::logic_error(fmt::format("event {} names event {} as its cause", seq, event.getCause()));
    auto words = canonical_event(draft);
    if (!words.is_ok()) return words.status();
    // Views and index get what is stored, not what was meant.
    StoredEvent message(*words);
    const auto stored = message.get();
    Subjects subjects = subjects_of(stored, [this](std::string_view subject) { return overlay_.link(subject); });
    for (std::string& key : subjects.keys) overlay_.put_subject(std::move(key), seq);
    if (!subjects.link_from.empty()) overlay_.put_link(subjects.link_from, subjects.link_to);
    for (const View* each : rules_.views) {
      if (live_->holds(view_table(each->id()))) each->fold(stored, overlay_);  // others are folded up to here later
    }
    if (stored.getBody().isBlobsErased()) {
      for (auto blob : stored.getBody().getBlobsErased().getBlobs()) overlay_.erase_blob(std::string(view(blob.getSha256())));
    }
    events.push_back(std::move(*words));
    seqs.push_back(seq);
  }
  if (base::Status status = put_position(command.getPosition()); !status.is_ok()) return status;

  // Nothing fails from here on.
  for (const auto& words : events) put_event(words);
  next_.time_ns = seqs.empty() ? next_.time_ns : now_ns;
  return seqs;
}

base::Status Writer::put_position(schema::Position::Reader position) {
  const std::string daemon(view(position.getDaemon()));
  if (daemon.empty()) return {};
  if (daemon.size() > kMaxDaemonNameBytes) {
    return invalid(fmt::format("the position's daemon has a name of {} bytes; {} are allowed", daemon.size(), kMaxDaemonNameBytes));
  }
  if (position.getSeq() > next_.head()) {
    return invalid(fmt::format("{} cannot have reacted to event {}, the log ends at {}", base::printable(daemon), position.getSeq(),
                               next_.head()));
  }
  auto [known, fresh] = positions_.try_emplace(daemon, 0);
  if (fresh) {
    std::string stored;
    const auto found = live_->get(Table::kPositions, daemon, stored);
    if (!found.is_ok()) throw StoreFault{found.status()};
    if (*found && stored.size() == 8) known->second = read_u64(stored);
  }
  if (position.getSeq() <= known->second) return {};  // overtaken by a later command of the same daemon
  known->second = position.getSeq();
  batch_.put(*live_, Table::kPositions, daemon, u64_key(position.getSeq()));
  return {};
}

void Writer::put_event(const kj::Array<capnp::word>& words) {
  const std::string_view bytes = as_bytes(words);
  batch_.put(*live_, Table::kEvents, u64_key(next_.head() + 1), bytes);
  StoredEvent message(words);
  const auto stored = message.get();
  next_.kinds.count(static_cast<uint16_t>(stored.getBody().which()), next_.head() + 1);
  forget(stored);
  if (!options_.tree) return next_.edge.append({}, [](int, uint64_t, const base::Sha256&) {});
  tree_rows_.append(next_.edge, leaf_hash(bytes), *live_, batch_);
}

void Writer::forget(schema::Event::Reader event) {
  const auto body = event.getBody();
  if (body.isBlobsErased()) {
    for (auto blob : body.getBlobsErased().getBlobs()) {
      batch_.put(*live_, Table::kMeta, purge_key(Table::kBlobs, view(blob.getSha256())), u64_key(event.getSeq()));
    }
    purges_ = true;
  }
  if (body.isCommandsForgotten()) {
    forgotten_ = std::max(forgotten_, body.getCommandsForgotten().getUpTo());
    batch_.put(*live_, Table::kMeta, Store::kForgottenKey, u64_key(forgotten_));
    batch_.put(*live_, Table::kMeta, purge_key(Table::kCommands, {}), u64_key(event.getSeq()));
    purges_ = true;
  }
}

void Writer::remember(const std::string& key, const Answer& answer) {
  batch_.put(*live_, Table::kCommands, key, encode_answer(answer, next_.head()));
  answers_.emplace(key, answer);
}

std::optional<Answer> Writer::first_answer(const std::string& key) {
  if (const auto known = answers_.find(key); known != answers_.end()) return known->second;
  std::string stored;
  const auto found = live_->get(Table::kCommands, key, stored);
  if (!found.is_ok()) throw StoreFault{found.status()};
  if (!*found) return std::nullopt;
  const auto head = answered_at(stored);
  if (!head) throw StoreFault{{base::Code::kCorruption, "a record of a command is cut short"}};
  if (*head <= forgotten_ && forgotten_ > 0) return std::nullopt;
  return decode_answer(stored);
}

void Writer::publish() {
  Published fresh{store_->cut(), durable_.head()};
  std::lock_guard lock(published_mutex_);
  std::swap(published_, fresh);
}

bool Writer::has_room(const std::vector<Share>& group) const {
  uint64_t needed = options_.min_free_bytes;
  for (const Share& share : group) needed += share.submission->bytes;
  return store_->free_bytes() >= needed;
}

void Writer::no_room() {
  health_->storage_low({base::Code::kUnavailable, fmt::format("{} bytes of space are left on the disk, {} must stay free", store_->free_bytes(),
                                                              options_.min_free_bytes)});
}

void Writer::try_storage() {
  if (!has_room({})) return;
  if (!store_->resume().is_ok()) return;
  const auto reread = load_log_state(*store_->live());
  if (!reread.is_ok()) return health_->read_only(reread.status());
  if (reread->head() != durable_.head() || reread->edge.root() != durable_.edge.root()) {
    return health_->read_only(
        {base::Code::kCorruption,
         fmt::format("after the storage failed the log ends at event {}, {} were answered", reread->head(), durable_.head())});
  }
  health_->storage_back();
}

}  // namespace ledger
