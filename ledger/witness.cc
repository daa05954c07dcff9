#include "ledger/witness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "ledger/event_bytes.h"
#include "ledger/log_state.h"
#include "ledger/proof/merkle.h"

namespace ledger {
namespace {

base::Status failed(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  return {base::Code::kUnavailable, fmt::format("{}: {}: {}", path.string(), what, std::strerror(error))};
}
base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

base::Status none_reached() {
  return {base::Code::kNotFound, "no checkpoint of the source has been reached yet; ask again when this copy has caught up"};
}

/// Which event is to blame where events and tree do not agree.
base::Status not_its_tree(const Snapshot& snapshot, uint64_t from, uint64_t to) {
  base::Status found = corrupt(fmt::format("the tree over {} events is not made of them; nothing is signed, run 'runledger verify'", to));
  const base::Status read = snapshot.events(from, to, [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
    const auto leaf = snapshot.tree_node(0, seq - 1);
    if (leaf.is_ok() && *leaf == leaf_hash(as_bytes(words))) return true;
    found = corrupt(fmt::format("event {} does not have the bytes its tree was made of; nothing is signed, run 'runledger verify'", seq));
    return false;
  });
  return read.is_ok() ? found : read;
}

/// nullopt too where the event cannot be read: then the tree does not fit either.
std::optional<LossOnRecord> loss_in(kj::ArrayPtr<const capnp::word> words, const TreeEdge& before) {
  try {
    StoredEvent event(words);
    if (event.get().getBody().isLossAccepted()) return LossOnRecord::read(event.get(), before.root());
  } catch (const kj::Exception&) {
  }
  return std::nullopt;
}

/// Leads `edge` on to `size` by the stored events, which must be those the tree was made of.
base::Result<Witness::Grown> read_on(const Snapshot& snapshot, const TreeEdge& edge, uint64_t size) {
  Witness::Grown grown{edge, {}};
  const uint64_t from = edge.size() + 1;
  const base::Status read = snapshot.events(from, size, [&](uint64_t, kj::ArrayPtr<const capnp::word> words) {
    if (auto loss = loss_in(words, grown.edge)) grown.losses.push_back(std::move(*loss));
    grown.edge.append(leaf_hash(as_bytes(words)), [](int, uint64_t, const base::Sha256&) {});
    return true;
  });
  if (!read.is_ok()) return read;
  const auto stored = load_edge(snapshot, size);
  if (!stored.is_ok()) return stored.status();
  if (stored->root() != grown.edge.root()) return not_its_tree(snapshot, from, size);
  return grown;
}

}  // namespace

Witness::Witness(base::Result<SigningKey> key, std::filesystem::path file)
    : signer_(key.is_ok() ? std::optional<SigningKey>(*key) : std::nullopt),
      key_(key.is_ok() ? base::Result<NoteKey>(key->public_key()) : base::Result<NoteKey>(key.status())),
      file_(std::move(file)) {}

base::Result<std::string> Witness::sign(const Snapshot& snapshot, int64_t now_ns) {
  std::lock_guard one(signing_);
  auto signed_note = sign_next(snapshot, now_ns);
  std::lock_guard lock(mutex_);
  const base::Code code = signed_note.status().code();
  if (code != base::Code::kConflict) problem_ = code == base::Code::kNotFound ? base::Status() : signed_note.status();
  return signed_note;
}

base::Status Witness::problem() const {
  if (!key_.is_ok()) return key_.status();
  std::lock_guard lock(mutex_);
  return problem_;
}

base::Result<std::string> Witness::vouch(const Snapshot& snapshot, int64_t now_ns) {
  std::lock_guard one(signing_);
  if (!key_.is_ok()) return key_.status();
  if (!signer_) {
    std::string held = snapshot.held_checkpoint();
    return held.empty() ? base::Result<std::string>(none_reached()) : base::Result<std::string>(std::move(held));
  }
  if (last_.note.empty()) return sign_next(snapshot, now_ns);  // once held against the file, everything continues it
  if (last_.edge.size() >= snapshot.head()) return last_.note;
  const auto grown = read_on(snapshot, last_.edge, snapshot.head());
  if (!grown.is_ok()) return grown.status();
  auto note = note_of(*grown, snapshot);
  if (note.is_ok()) last_ = {*note, grown->edge};
  return note;
}

/// A checkpoint with that root: signed here, or in a copy the one that is held.
base::Result<std::string> Witness::note_of(const Grown& grown, const Snapshot& snapshot) const {
  const TreeEdge& edge = grown.edge;
  if (signer_) {
    Checkpoint checkpoint{key_->name, edge.size(), edge.root()};
    for (const LossOnRecord& loss : grown.losses) checkpoint.losses.push_back(loss.stated());
    return signer_->sign(checkpoint.text());
  }
  std::string held = snapshot.held_checkpoint();
  const auto checkpoint = Checkpoint::open(held, {*key_});
  if (!checkpoint.is_ok()) return checkpoint.status();
  if (checkpoint->root != edge.root()) {
    return corrupt(fmt::format("the first {} events are not those of the checkpoint of the source that is kept with them; run 'runledger verify'", edge.size()));
  }
  return held;
}

base::Status Witness::not_continued(const Checkpoint& last, uint64_t size, const base::Sha256& root) const {
  if (last.size > size) {
    return corrupt(fmt::format("the ledger holds {} events, the last checkpoint of {} has {}: this is not the ledger that was signed, or it has "
                               "lost events and no event accepts that; nothing is signed, stop it and run 'runledger doctor'",
                               size, file_.string(), last.size));
  }
  return corrupt(fmt::format("the first {} events are not those of the last checkpoint of {} (root {}, not {}): the log was rewritten; nothing is "
                             "signed, run 'runledger verify'",
                             last.size, file_.string(), base::hex(root), base::hex(last.root)));
}

base::Result<std::string> Witness::sign_next(const Snapshot& snapshot, int64_t now_ns) {
  if (!key_.is_ok()) return key_.status();
  uint64_t size = snapshot.head();
  if (!signer_) {
    const std::string held = snapshot.held_checkpoint();
    if (held.empty()) return none_reached();
    const auto checkpoint = Checkpoint::open(held, {*key_});
    if (!checkpoint.is_ok()) return checkpoint.status();
    size = checkpoint->size;
  }
  if (size == 0) return base::Status(base::Code::kNotFound, "the log holds no events yet; there is nothing to sign");
  const auto entries = read_witness_file(file_, *key_);
  if (!entries.is_ok()) return entries.status();

  // Back to the last checkpoint the log still leads to: where that is not the last one, the events since must say why.
  std::vector<Checkpoint> left;
  TreeEdge edge;
  base::Status problem;
  for (auto entry = entries->rbegin(); entry != entries->rend(); ++entry) {
    if (entry->lost) continue;
    const Checkpoint& last = entry->checkpoint;
    if (last.size > size && size < signed_size_) {
      return base::Status(base::Code::kConflict, fmt::format("a checkpoint of {} events was signed meanwhile; ask again", signed_size_));
    }
    auto there = load_edge(snapshot, std::min(last.size, size));
    if (!there.is_ok()) return there.status();
    if (last.size <= size && there->root() == last.root) {
      if (last.size == size && left.empty()) {
        if (last_.edge.size() < size) last_ = {entry->note, *there};
        return entry->note;
      }
      edge = *there;
      break;
    }
    if (problem.is_ok()) problem = not_continued(last, size, there->root());
    left.insert(left.begin(), last);
  }
  if (!signer_ && !left.empty()) return problem;  // what was lost at the source was not lost here
  const auto grown = read_on(snapshot, edge, size);
  if (!grown.is_ok()) return grown.status();
  for (const LossOnRecord* loss : explained_by(left, grown->losses)) {
    if (!loss) return problem;
  }
  auto note = note_of(*grown, snapshot);
  if (!note.is_ok()) return note.status();
  if (base::Status kept = append(*note, now_ns); !kept.is_ok()) return kept;
  signed_size_ = size;
  if (last_.edge.size() < size) last_ = {*note, grown->edge};
  return note;
}

base::Status Witness::append(std::string_view note, int64_t now_ns) const {
  std::error_code error;
  std::filesystem::create_directories(file_.parent_path(), error);
  const bool fresh = !std::filesystem::exists(file_, error);
  const int file = ::open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return failed(file_, "cannot be opened for the next checkpoint");
  std::string text = witness_entry(note, now_ns);
  char last = '\n';
  const off_t end = ::lseek(file, 0, SEEK_END);
  if (end > 0 && ::pread(file, &last, 1, end - 1) == 1 && last != '\n') text.insert(0, "\n");  // behind an entry that was cut short
  const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  base::Status status = whole ? base::Status() : failed(file_, "the next checkpoint cannot be written");
  ::close(file);
  if (!status.is_ok() || !fresh) return status;
  const int folder = ::open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || ::fsync(folder) != 0) status = failed(file_.parent_path(), "cannot be synced");
  if (folder >= 0) ::close(folder);
  return status;
}

}  // namespace ledger
