#include "ledger/witness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "ledger/event_bytes.h"
#include "ledger/proof/merkle.h"
#include "ledger/proof/stated_loss.h"

namespace ledger {
namespace {

base::Status failed(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  return {base::Code::kUnavailable, fmt::format("{}: {}: {}", path.string(), what, std::strerror(error))};
}
base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

/// The edge of the tree at `size`, from its stored nodes.
base::Result<TreeEdge> stored_edge(const Snapshot& snapshot, uint64_t size) {
  base::Status failure;
  TreeEdge edge(size, [&](int level, uint64_t index) {
    auto node = snapshot.tree_node(level, index);
    if (node.is_ok()) return *node;
    if (failure.is_ok()) failure = node.status();
    return base::Sha256{};
  });
  if (!failure.is_ok()) return failure;
  return edge;
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

}  // namespace

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
  const uint64_t size = snapshot.head();
  if (size == 0) return base::Status(base::Code::kNotFound, "the log holds no events yet; there is nothing to sign");
  const auto entries = read_witness_file(file_, key_->public_key());
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
    auto there = stored_edge(snapshot, std::min(last.size, size));
    if (!there.is_ok()) return there.status();
    if (last.size <= size && there->root() == last.root) {
      if (last.size == size && left.empty()) return entry->note;
      edge = *there;
      break;
    }
    if (problem.is_ok()) problem = not_continued(last, size, there->root());
    left.insert(left.begin(), last);
  }
  std::vector<LossOnRecord> losses;
  const uint64_t from = edge.size() + 1;
  const base::Status read = snapshot.events(from, size, [&](uint64_t, kj::ArrayPtr<const capnp::word> words) {
    StoredEvent event(words);
    if (event.get().getBody().isLossAccepted()) {
      if (const auto loss = LossOnRecord::read(event.get(), edge.root())) losses.push_back(*loss);
    }
    edge.append(leaf_hash(as_bytes(words)), [](int, uint64_t, const base::Sha256&) {});
    return true;
  });
  if (!read.is_ok()) return read;
  for (const LossOnRecord* loss : explained_by(left, losses)) {
    if (!loss) return problem;
  }
  const auto stored = stored_edge(snapshot, size);
  if (!stored.is_ok()) return stored.status();
  if (stored->root() != edge.root()) return not_its_tree(snapshot, from, size);
  Checkpoint checkpoint{key_->public_key().name, size, edge.root()};
  for (const LossOnRecord& loss : losses) checkpoint.losses.push_back(loss.stated());
  auto note = key_->sign(checkpoint.text());
  if (!note.is_ok()) return note.status();
  if (base::Status kept = append(*note, now_ns); !kept.is_ok()) return kept;
  signed_size_ = size;
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
