#include "daemons/monitor/folder_watch.h"

#include <fmt/format.h>
#include <kj/debug.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>

#include "rpc/loop.h"

namespace daemons {
namespace {

constexpr size_t kFilesPerTurn = 500;  // so that a folder of a million files holds up nobody
constexpr size_t kDeepest = 64;        // folders within folders: a bind mount may contain itself

std::string joined(const std::string& folder, const std::string& name) {
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

size_t depth_of(const std::string& folder, const std::string& root) {
  return static_cast<size_t>(std::count(folder.begin() + static_cast<std::ptrdiff_t>(root.size()), folder.end(), '/'));
}

bool is_below(const std::string& path, const std::string& folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace

FolderWatch::FolderWatch(rpc::Loop& loop, std::unique_ptr<FileWatch> watch, FolderWatchSettings settings,
                         std::vector<std::string> roots, NameFilter filter, Listener& listener)
    : loop_(loop),
      watch_(std::move(watch)),
      settings_(settings),
      filter_(std::move(filter)),
      listener_(listener),
      first_(kj::Promise<void>(kj::NEVER_DONE).fork()) {
  for (std::string& root : roots) {
    while (root.size() > 1 && root.ends_with('/')) root.pop_back();
    roots_.push_back(Root{.path = std::move(root), .listen_only = !watch_, .state = {}, .trouble = {}});
  }
  auto pair = kj::newPromiseAndFulfiller<void>();
  first_ = pair.promise.fork();
  first_fulfiller_ = kj::mv(pair.fulfiller);
}

FolderWatch::~FolderWatch() = default;

kj::Promise<void> FolderWatch::run() {
  sweep();
  if (!watch_) return work();
  return work().exclusiveJoin(follow_changes());
}

kj::Promise<void> FolderWatch::first_sweep() { return first_.addBranch(); }

int64_t FolderWatch::now_ms() const { return (loop_.timer().now() - kj::origin<kj::TimePoint>()) / kj::MILLISECONDS; }

void FolderWatch::sweep() {
  next_sweep_ms_ = now_ms() + settings_.sweep_ms;
  next_quick_ms_ = now_ms() + settings_.quick_sweep_ms;
  next_retry_ms_ = now_ms() + settings_.retry_ms;
  for (size_t root = 0; root < roots_.size(); ++root) add(roots_[root].path, root, true);
}

std::vector<std::string> FolderWatch::troubles() const {
  std::vector<std::string> troubles;
  for (const Root& root : roots_) {
    if (!root.trouble.empty()) troubles.push_back(root.trouble);
  }
  for (const auto& [folder, trouble] : unreadable_) troubles.push_back(trouble);
  return troubles;
}

void FolderWatch::add(std::string folder, size_t root, bool deep) {
  if (depth_of(folder, roots_[root].path) > kDeepest) {
    spdlog::warn("monitor: {} is more than {} folders deep; not watched", shown(folder), kDeepest);
    return;
  }
  if (!queued_.insert(folder).second) {
    if (deep) {
      for (Task& task : tasks_) task.deep |= task.folder == folder;
    }
    return;
  }
  tasks_.push_back({std::move(folder), root, deep});
  wake();
}

void FolderWatch::wake() {
  KJ_IF_MAYBE (sleeper, sleeper_) {
    auto fulfiller = kj::mv(*sleeper);
    sleeper_ = nullptr;
    fulfiller->fulfill();
  }
}

// ---- events ----

kj::Promise<void> FolderWatch::follow_changes() {
  return watch_->changes().then([this](std::vector<FileChange> changes) {
    for (const FileChange& change : changes) take(change);
    return follow_changes();
  });
}

void FolderWatch::take(const FileChange& change) {
  using Kind = FileChange::Kind;
  if (change.kind == Kind::kLost) return sweep();
  auto known = folders_.find(change.folder);
  if (known == folders_.end()) return;
  size_t root = known->second.root;
  if (change.kind == Kind::kFolderGone) {
    // Listed once more: a folder that was moved away and back, or mounted anew, is there.
    std::string folder = change.folder;
    forget_below(folder);
    return add(folder, root, true);
  }
  std::string path = joined(change.folder, change.name);
  if (change.kind == Kind::kFolderAppeared) {
    if (!change.name.starts_with('.')) add(std::move(path), root, true);
    return;
  }
  if (!filter_.accepts(change.name)) return;
  switch (change.kind) {
    case Kind::kClosed: return listener_.saw(roots_[root].path, path, Notice::kClosed, std::nullopt);
    case Kind::kMovedIn: return listener_.saw(roots_[root].path, path, Notice::kMovedIn, std::nullopt);
    case Kind::kCreated: return listener_.saw(roots_[root].path, path, Notice::kCreated, std::nullopt);
    case Kind::kAttributes: return listener_.saw(roots_[root].path, path, Notice::kAttributes, std::nullopt);
    case Kind::kGone: return listener_.lost(path);
    default: return;
  }
}

// ---- listing ----

kj::Promise<void> FolderWatch::work() {
  if (!tasks_.empty()) {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    queued_.erase(task.folder);
    return list(std::move(task)).then([this] { return work(); });
  }
  if (!first_done_) {
    first_done_ = true;
    first_fulfiller_->fulfill();
  }
  return rest().then([this] { return work(); });
}

kj::Promise<void> FolderWatch::rest() {
  int64_t now = now_ms();
  if (now >= next_sweep_ms_) {
    sweep();
    return kj::READY_NOW;
  }
  bool any_missing = std::any_of(roots_.begin(), roots_.end(), [](const Root& root) { return root.missing; });
  if (any_missing && now >= next_retry_ms_) {
    next_retry_ms_ = now + settings_.retry_ms;
    for (size_t root = 0; root < roots_.size(); ++root) {
      if (roots_[root].missing) add(roots_[root].path, root, true);
    }
    return kj::READY_NOW;
  }
  if (now >= next_quick_ms_) return quick_sweep();

  int64_t until = std::min({next_sweep_ms_, next_quick_ms_, any_missing ? next_retry_ms_ : std::numeric_limits<int64_t>::max()});
  auto pair = kj::newPromiseAndFulfiller<void>();
  sleeper_ = kj::mv(pair.fulfiller);
  return pair.promise.exclusiveJoin(loop_.timer().afterDelay((until - now) * kj::MILLISECONDS));
}

/// Looks whether raw folders were replaced or mounted over, which no event tells, and which folders without events have changed.
kj::Promise<void> FolderWatch::quick_sweep() {
  next_quick_ms_ = now_ms() + settings_.quick_sweep_ms;
  std::vector<std::string> names;
  for (const Root& root : roots_) names.push_back(root.path);
  for (const auto& [folder, known] : folders_) {
    if (roots_[known.root].listen_only) names.push_back(folder);
  }
  return loop_.on_pool([names] { return folder_states(names); }).then([this, names](std::vector<FolderState> states) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (i < roots_.size()) {
        const Root& root = roots_[i];
        bool replaced = root.state.device != states[i].device || root.state.inode != states[i].inode;
        if (!root.missing && replaced) add(root.path, i, true);
        continue;
      }
      auto known = folders_.find(names[i]);
      if (known != folders_.end() && known->second.modified_ns != states[i].modified_ns) add(names[i], known->second.root, false);
    }
  });
}

kj::Promise<void> FolderWatch::watch_folder(const std::string& folder, size_t number) {
  if (!watch_ || roots_[number].listen_only) return kj::READY_NOW;
  return watch_->watch(folder).then([this, number](base::Status status) {
    if (status.is_ok() || status.code() == base::Code::kNotFound) return;
    Root& root = roots_[number];
    root.listen_only = true;
    root.trouble = fmt::format("{}; listed every {} s instead", status.message(), settings_.quick_sweep_ms / 1000);
    spdlog::warn("monitor: {}", root.trouble);
  });
}

kj::Promise<void> FolderWatch::list(Task task) {
  // Watched before it is listed: what comes in between is seen twice, not missed.
  return watch_folder(task.folder, task.root)
      .then([this, folder = task.folder] { return loop_.on_pool([folder, filter = filter_] { return list_folder(folder, filter); }); })
      .then([this, task = std::move(task)](FolderListing found) -> kj::Promise<void> {
        auto listing = std::make_shared<FolderListing>(std::move(found));
        listed(task, *listing);
        return deliver(roots_[task.root].path, task.folder, listing, 0);
      });
}

void FolderWatch::listed(const Task& task, const FolderListing& listing) {
  const std::string& folder = task.folder;
  bool is_root = folder == roots_[task.root].path;
  if (is_root && !root_listed(task, listing)) return;
  if (listing.state.inode == 0) {
    forget_below(folder);
    if (listing.missing) {
      unreadable_.erase(folder);
    } else if (unreadable_.insert_or_assign(folder, fmt::format("{}: {}", shown(folder), listing.failure)).second) {
      spdlog::warn("monitor: {} cannot be read: {}; tried again at every sweep", shown(folder), listing.failure);
    }
    return;
  }
  unreadable_.erase(folder);
  folders_[folder] = Known{task.root, listing.state.modified_ns};
  for (const std::string& name : listing.folders) {
    std::string below = joined(folder, name);
    if (task.deep || !folders_.contains(below)) add(std::move(below), task.root, true);
  }
}

/// False: there is nothing to take from this listing.
bool FolderWatch::root_listed(const Task& task, const FolderListing& listing) {
  Root& root = roots_[task.root];
  if (listing.state.inode == 0) {
    std::string trouble = fmt::format("{}: {}", shown(root.path), listing.missing ? "missing" : listing.failure);
    if (root.trouble != trouble) spdlog::warn("monitor: {}; looked for every {} s", trouble, settings_.retry_ms / 1000);
    root.missing = true;
    root.trouble = std::move(trouble);
    forget_below(root.path);
    return false;
  }
  if (std::exchange(root.missing, false)) {
    root.trouble.clear();
    spdlog::info("monitor: {} is there", shown(root.path));
  }
  bool replaced = root.state.inode != 0 && (root.state.device != listing.state.device || root.state.inode != listing.state.inode);
  root.state = listing.state;
  if (listing.network) root.listen_only = true;
  if (!replaced) return true;
  forget_below(root.path);  // those watches are on the folder that was there before
  add(root.path, task.root, true);
  return false;
}

/// The folder and those below it are watched no more.
void FolderWatch::forget_below(const std::string& folder) {
  for (auto at = folders_.lower_bound(folder); at != folders_.end() && at->first.starts_with(folder);) {
    if (at->first != folder && !is_below(at->first, folder)) {
      ++at;
      continue;
    }
    if (watch_) watch_->forget(at->first);
    at = folders_.erase(at);
  }
}

kj::Promise<void> FolderWatch::deliver(std::string root, std::string folder, std::shared_ptr<FolderListing> listing, size_t from) {
  size_t end = std::min(from + kFilesPerTurn, listing->files.size());
  for (size_t i = from; i < end; ++i) {
    auto& [name, stamp] = listing->files[i];
    listener_.saw(root, joined(folder, name), Notice::kScanned, stamp);
  }
  if (end == listing->files.size()) return kj::READY_NOW;
  return kj::evalLater([this, root = std::move(root), folder = std::move(folder), listing, end]() mutable {
    return deliver(std::move(root), std::move(folder), listing, end);
  });
}

}  // namespace daemons
