#include "ledger/uptake.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/sha256.h"
#include "ledger/canonical.h"
#include "ledger/command_record.h"
#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/limits.h"
#include "ledger/subjects.h"
#include "ledger/upkeep.h"

namespace ledger {

void Uptake::begin(std::shared_ptr<const Cut> live, const LogState& state, uint64_t forgotten) {
  live_ = std::move(live);
  views_.clear();
  for (const View* view : all_views_) {
    if (live_->holds(view_table(view->id()))) views_.push_back(view);
  }
  state_ = state;
  forgotten_ = forgotten;
  overlay_.begin(live_);
  batch_.clear();
  tree_rows_.clear();
  events_ = bytes_ = 0;
  purges_ = false;
  blobs_.clear();
  command_.clear();
  positions_.clear();
}

base::Status Uptake::add(std::string_view event, const std::vector<std::string>& blobs) {
  const uint64_t seq = state_.head() + 1;
  const auto wrong = [&](std::string_view what) {
    return base::Status(base::Code::kCorruption, fmt::format("event {} {}; nothing of it was taken", seq, what));
  };
  if (event.size() > kMaxEventBytes) return wrong("is too large");
  const auto words = as_words(event);
  try {
    StoredEvent stored(words);
    const auto reader = stored.get();
    if (reader.getSeq() != seq) return wrong(fmt::format("was to come, event {} came", reader.getSeq()));
    if (reader.getTime() < state_.time_ns) return wrong("is older than the one before it");
    if (reader.getCause() >= seq) return wrong(fmt::format("names event {} as its cause", reader.getCause()));
    fold(reader, blobs);
    state_.kinds.count(static_cast<uint16_t>(reader.getBody().which()), seq);
    state_.time_ns = reader.getTime();
  } catch (const StoreFault&) {
    throw;
  } catch (const kj::Exception& error) {
    return wrong(fmt::format("cannot be folded: {}", error.getDescription().cStr()));
  } catch (const std::exception& error) {
    return wrong(fmt::format("cannot be folded: {}", error.what()));
  }
  batch_.put(*live_, Table::kEvents, u64_key(seq), event);
  tree_rows_.append(state_.edge, leaf_hash(event), *live_, batch_);
  bytes_ += event.size();
  events_ += 1;
  return {};
}

Store::Batch& Uptake::batch() {
  overlay_.emit(batch_);
  tree_rows_.emit(*live_, batch_);
  state_.kinds.emit(*live_, batch_);
  return batch_;
}

void Uptake::fold(schema::Event::Reader event, const std::vector<std::string>& blobs) {
  for (const std::string& blob : blobs) {
    overlay_.put_blob(std::string(base::as_bytes(base::sha256(blob))), blobs_.emplace_back(blob));
    bytes_ += blob.size();
  }
  Subjects subjects = subjects_of(event, [this](std::string_view subject) { return overlay_.link(subject); });
  for (std::string& key : subjects.keys) overlay_.put_subject(std::move(key), event.getSeq());
  if (!subjects.link_from.empty()) overlay_.put_link(subjects.link_from, subjects.link_to);
  for (const View* view : views_) view->fold(event, overlay_);
  forget(event);
  overlay_.mark();
  remember(event);
}

/// What is to be gone at the end of an event goes here too. It is taken off the disk afterwards (ledger/upkeep.h).
void Uptake::forget(schema::Event::Reader event) {
  const auto body = event.getBody();
  if (body.isBlobsErased()) {
    for (auto blob : body.getBlobsErased().getBlobs()) {
      overlay_.erase_blob(std::string(view(blob.getSha256())));
      batch_.put(*live_, Table::kMeta, purge_key(Table::kBlobs, view(blob.getSha256())), u64_key(event.getSeq()));
    }
    purges_ = true;
  } else if (body.isCommandsForgotten()) {
    batch_.put(*live_, Table::kMeta, Store::kForgottenKey, u64_key(forgotten_ = std::max(forgotten_, body.getCommandsForgotten().getUpTo())));
    batch_.put(*live_, Table::kMeta, purge_key(Table::kCommands, {}), u64_key(event.getSeq()));
    purges_ = true;
  }
}

/// What keeps a command from being carried out twice (promise P4), and a daemon from reacting twice. Of refusals nothing is in the log.
void Uptake::remember(schema::Event::Reader event) {
  const Identity identity{event.getActor().getKind(), std::string(view(event.getActor().getName())), {}};
  std::string key = command_key(identity, view(event.getCommandId())), stored;
  const auto found = [](const base::Result<bool>& result) {
    if (!result.is_ok()) throw StoreFault{result.status()};
    return *result;
  };
  if (key != command_ || event.getSeq() != command_last_ + 1) {
    command_first_ = event.getSeq();
    // Its first events may have come with an earlier group.
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

}  // namespace ledger
