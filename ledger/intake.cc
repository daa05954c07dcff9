#include "ledger/intake.h"

#include <fmt/format.h>

#include "base/sha256.h"
#include "ledger/canonical.h"
#include "ledger/checkpoint_key.h"
#include "ledger/command_record.h"
#include "ledger/event_bytes.h"
#include "ledger/folder_lock.h"
#include "ledger/keys.h"
#include "ledger/ledger.h"
#include "ledger/limits.h"
#include "ledger/subjects.h"
#include "ledger/upkeep.h"

namespace ledger {
namespace {

constexpr uint64_t kBatchEvents = 1024;
constexpr uint64_t kBatchBytes = 8u << 20;

}  // namespace

base::Result<std::unique_ptr<Intake>> Intake::open(const std::filesystem::path& folder, std::string_view id, const Rules& rules,
                                                   const base::Clock& clock) {
  const std::filesystem::path head_path = folder / "HEAD";
  std::error_code error;
  const bool fresh = !std::filesystem::exists(folder / "db", error) && !std::filesystem::exists(head_path, error);
  if (fresh) {
    std::filesystem::create_directories(folder, error);
    if (error) return base::Status(base::Code::kUnavailable, fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
    // The id of a new ledger is that of its HEAD.
    base::Status made = create_head_file(head_path, {.number = 0, .id = std::string(id), .size = 0, .root = TreeEdge().root(), .time_ns = clock.now_ns()});
    if (!made.is_ok()) return made;
  }
  {  // Everything that is checked when a ledger is opened, and its tables.
    auto opened = Ledger::open(folder, {}, clock, rules);
    if (!opened.is_ok()) return opened.status();
    if ((*opened)->id() != id) {
      return base::Status(base::Code::kConflict, fmt::format("{}: is ledger {}, not {}", folder.string(), (*opened)->id(), id));
    }
  }
  if (fresh) {  // the ledger has a key already, elsewhere: whoever has it puts it here
    for (const char* name : kCheckpointKeyFiles) std::filesystem::remove(folder / name, error);
  }
  const auto lock = std::make_shared<FolderLock>();
  if (base::Status locked = lock->lock(folder); !locked.is_ok()) return locked;
  auto store = Store::open(folder / "db", {.views = rules.views, .held = lock});
  if (!store.is_ok()) return store.status();
  auto state = load_log_state(*(*store)->live());
  if (!state.is_ok()) return state.status().in(folder.string());
  auto head_fault = std::make_shared<base::Status>();
  auto head_file = HeadFile::open(head_path, {}, [head_fault](base::Status status) { *head_fault = std::move(status); });
  if (!head_file.is_ok()) return head_file.status();
  return std::unique_ptr<Intake>(new Intake(std::move(store).value(), *state, std::move(head_file).value(), std::move(head_fault), rules));
}

Intake::Intake(std::shared_ptr<Store> store, LogState state, std::unique_ptr<HeadFile> head_file, std::shared_ptr<base::Status> head_fault,
               const Rules& rules)
    : store_(std::move(store)), live_(store_->live()), state_(state), forgotten_(store_->forgotten()), head_fault_(std::move(head_fault)), head_file_(std::move(head_file)) {
  for (const View* view : rules.views) {
    if (live_->holds(view_table(view->id()))) views_.push_back(view);
  }
  overlay_.begin(live_);
}

Intake::~Intake() = default;

base::Status Intake::add(std::string_view event, const std::vector<std::string>& blobs) {
  const uint64_t seq = state_.head() + 1;
  const auto wrong = [&](std::string_view what) {
    return base::Status(base::Code::kCorruption, fmt::format("event {} {}; nothing of it was taken", seq, what));
  };
  if (event.size() > kMaxEventBytes) return wrong("is too large");
  const auto words = as_words(event);
  uint16_t kind = 0;
  try {
    StoredEvent stored(words);
    const auto reader = stored.get();
    if (reader.getSeq() != seq) return wrong(fmt::format("was to come, event {} came", reader.getSeq()));
    if (reader.getTime() < state_.time_ns) return wrong("is older than the one before it");
    if (reader.getCause() >= seq) return wrong(fmt::format("names event {} as its cause", reader.getCause()));
    for (const std::string& blob : blobs) {
      overlay_.put_blob(std::string(base::as_bytes(base::sha256(blob))), blobs_.emplace_back(blob));
      batch_bytes_ += blob.size();
    }
    const Subjects subjects = subjects_of(reader, [this](std::string_view subject) { return overlay_.link(subject); });
    for (const std::string& key : subjects.keys) overlay_.put_subject(key, seq);
    if (!subjects.link_from.empty()) overlay_.put_link(subjects.link_from, subjects.link_to);
    for (const View* view : views_) view->fold(reader, overlay_);
    forget(reader);
    overlay_.mark();
    kind = static_cast<uint16_t>(reader.getBody().which());
    state_.time_ns = reader.getTime();
    remember(reader);
  } catch (const StoreFault& fault) {
    return fault.status;
  } catch (const kj::Exception& error) {
    return wrong(fmt::format("cannot be folded: {}", error.getDescription().cStr()));
  } catch (const std::exception& error) {
    return wrong(fmt::format("cannot be folded: {}", error.what()));
  }
  batch_.put(*live_, Table::kEvents, u64_key(seq), event);
  tree_rows_.append(state_.edge, leaf_hash(event), *live_, batch_);
  state_.kinds.count(kind, seq);
  batch_bytes_ += event.size();
  if (++batch_events_ >= kBatchEvents || batch_bytes_ >= kBatchBytes) return write();
  return {};
}

/// What is to be gone at the end of an event goes here too. It is taken off the disk when the ledger is opened.
void Intake::forget(schema::Event::Reader event) {
  const auto body = event.getBody();
  if (body.isBlobsErased()) {
    for (auto blob : body.getBlobsErased().getBlobs()) {
      overlay_.erase_blob(std::string(view(blob.getSha256())));
      batch_.put(*live_, Table::kMeta, purge_key(Table::kBlobs, view(blob.getSha256())), {});
    }
  } else if (body.isCommandsForgotten()) {
    batch_.put(*live_, Table::kMeta, Store::kForgottenKey, u64_key(forgotten_ = std::max(forgotten_, body.getCommandsForgotten().getUpTo())));
    batch_.put(*live_, Table::kMeta, purge_key(Table::kCommands, {}), {});
  }
}

/// What keeps a command from being carried out twice (promise P4), and a daemon from reacting twice. Of refusals nothing is in the log.
void Intake::remember(schema::Event::Reader event) {
  const Identity identity{event.getActor().getKind(), std::string(view(event.getActor().getName())), {}};
  std::string key = command_key(identity, view(event.getCommandId())), stored;
  const auto found = [](const base::Result<bool>& result) {
    if (!result.is_ok()) throw StoreFault{result.status()};
    return *result;
  };
  if (key != command_ || event.getSeq() != command_last_ + 1) {
    command_first_ = event.getSeq();
    // Its first events may have come with an earlier export.
    const auto known = found(live_->get(Table::kCommands, key, stored)) ? decode_answer(stored) : std::nullopt;
    if (known && !known->events.empty() && known->events.back() + 1 == event.getSeq()) command_first_ = known->events.front();
  }
  command_ = std::move(key);
  command_last_ = event.getSeq();
  Answer answer;
  for (uint64_t seq = command_first_; seq <= command_last_; ++seq) answer.events.push_back(seq);
  batch_.put(*live_, Table::kCommands, command_, encode_answer(answer, command_last_));

  if (identity.kind != schema::Actor::Kind::DAEMON || event.getCause() == 0) return;
  auto [position, fresh] = positions_.try_emplace(identity.name, 0);
  if (fresh && found(live_->get(Table::kPositions, identity.name, stored)) && stored.size() == 8) position->second = read_u64(stored);
  if (event.getCause() <= position->second) return;
  position->second = event.getCause();
  batch_.put(*live_, Table::kPositions, identity.name, u64_key(position->second));
}

base::Status Intake::write() {
  overlay_.emit(batch_);
  tree_rows_.emit(*live_, batch_);
  state_.kinds.emit(*live_, batch_);
  if (base::Status written = store_->write(batch_, true); !written.is_ok()) return written;
  head_file_->publish(state_.edge, state_.time_ns);
  batch_.clear();
  blobs_.clear();
  batch_events_ = batch_bytes_ = 0;
  overlay_.begin(live_);
  return {};
}

base::Status Intake::finish() {
  if (batch_events_ > 0) {
    if (base::Status written = write(); !written.is_ok()) return written;
  }
  head_file_.reset();  // writes what was published last
  return *head_fault_;
}

}  // namespace ledger
