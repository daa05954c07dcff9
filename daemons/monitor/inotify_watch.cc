#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/text.h"
#include "daemons/monitor/file_watch.h"
#include "rpc/loop.h"

namespace daemons {
namespace {

constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_DELETE_SELF |
                             IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr size_t kHeldChanges = 200'000;  // more than this with nobody asking become one kLost
constexpr int kReadsPerTurn = 16;

class InotifyWatch final : public FileWatch {
 public:
  static base::Result<std::unique_ptr<FileWatch>> make(rpc::Loop& loop) {
    int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0) {
      return base::Status(base::Code::kUnavailable,
                          fmt::format("no inotify instance: {}; folders are listed instead, raise fs.inotify.max_user_instances",
                                      strerror(errno)));
    }
    return std::unique_ptr<FileWatch>(new InotifyWatch(loop, descriptor));
  }

  ~InotifyWatch() override {
    uv_poll_stop(&poll_->handle);
    poll_->owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle), [](uv_handle_t* handle) {
      delete static_cast<Poll*>(handle->data);
    });
  }

  /// On the pool: looking up the folder waits for its file server.
  kj::Promise<base::Status> watch(const std::string& folder) override {
    struct Added {
      int id, error;
    };
    auto add = [inotify = inotify_, folder]() -> Added {
      int id = inotify_add_watch(inotify->descriptor, folder.c_str(), kEvents);
      return {id, id < 0 ? errno : 0};
    };
    return loop_.on_pool(add).then([this, folder](Added added) { return added_watch(folder, added.id, added.error); });
  }

  base::Status added_watch(const std::string& folder, int id, int error) {
    if (id < 0) {
      std::string advice = error == ENOSPC ? "; raise fs.inotify.max_user_watches" : "";
      return base::Status(error == ENOENT ? base::Code::kNotFound : base::Code::kUnavailable,
                          fmt::format("{} is not watched: {}{}", base::to_utf8(folder), strerror(error), advice));
    }
    // A moved folder keeps its id and has a new name.
    if (auto known = folders_.find(id); known != folders_.end() && known->second != folder) ids_.erase(known->second);
    folders_[id] = folder;
    ids_[folder] = id;
    return base::Status::ok();
  }

  void forget(const std::string& folder) override {
    auto at = ids_.find(folder);
    if (at == ids_.end()) return;
    inotify_rm_watch(inotify_->descriptor, at->second);
    folders_.erase(at->second);
    ids_.erase(at);
  }

  kj::Promise<std::vector<FileChange>> changes() override {
    if (!held_.empty()) return std::exchange(held_, {});
    auto pair = kj::newPromiseAndFulfiller<std::vector<FileChange>>();
    waiting_ = kj::mv(pair.fulfiller);
    return kj::mv(pair.promise);
  }

 private:
  /// Closed when the last thread that adds a watch is done with it, too.
  struct Inotify {
    explicit Inotify(int opened) : descriptor(opened) {}
    Inotify(const Inotify&) = delete;
    Inotify& operator=(const Inotify&) = delete;
    ~Inotify() { close(descriptor); }
    const int descriptor;
  };
  struct Poll {
    uv_poll_t handle;
    InotifyWatch* owner;
    std::shared_ptr<Inotify> inotify;
  };

  InotifyWatch(rpc::Loop& loop, int descriptor)
      : loop_(loop), inotify_(std::make_shared<Inotify>(descriptor)), poll_(new Poll{{}, this, inotify_}) {
    poll_->handle.data = poll_;
    uv_poll_init(loop.uv(), &poll_->handle, descriptor);
    uv_poll_start(&poll_->handle, UV_READABLE, [](uv_poll_t* handle, int, int) {
      auto* owner = static_cast<Poll*>(handle->data)->owner;
      if (owner) kj::runCatchingExceptions([owner] { owner->read_events(); });
    });
  }

  void read_events() {
    alignas(inotify_event) std::array<char, 64 * 1024> buffer;
    for (int i = 0; i < kReadsPerTurn; ++i) {
      ssize_t size = read(inotify_->descriptor, buffer.data(), buffer.size());
      if (size <= 0) break;
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        take(*event);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
    if (held_.size() > kHeldChanges) held_ = {FileChange{FileChange::Kind::kLost, {}, {}}};
    if (held_.empty()) return;
    KJ_IF_MAYBE (waiting, waiting_) {
      auto fulfiller = kj::mv(*waiting);
      waiting_ = nullptr;
      fulfiller->fulfill(std::exchange(held_, {}));
    }
  }

  void take(const inotify_event& event) {
    using Kind = FileChange::Kind;
    if (event.mask & IN_Q_OVERFLOW) {
      held_.push_back({Kind::kLost, {}, {}});
      return;
    }
    auto at = folders_.find(event.wd);
    if (at == folders_.end()) return;
    std::string folder = at->second;
    if (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
      if (event.mask & IN_IGNORED) {
        ids_.erase(folder);
        folders_.erase(at);
      }
      held_.push_back({Kind::kFolderGone, std::move(folder), {}});
      return;
    }
    if (event.len == 0) return;
    std::string name = event.name;
    bool is_folder = event.mask & IN_ISDIR;
    if (event.mask & (IN_DELETE | IN_MOVED_FROM)) {
      if (!is_folder) held_.push_back({Kind::kGone, std::move(folder), std::move(name)});
    } else if (is_folder) {
      bool appeared = event.mask & (IN_CREATE | IN_MOVED_TO | IN_ATTRIB);  // ATTRIB: it may have become readable
      if (appeared) held_.push_back({Kind::kFolderAppeared, std::move(folder), std::move(name)});
    } else if (event.mask & IN_CLOSE_WRITE) {
      held_.push_back({Kind::kClosed, std::move(folder), std::move(name)});
    } else if (event.mask & IN_MOVED_TO) {
      held_.push_back({Kind::kMovedIn, std::move(folder), std::move(name)});
    } else if (event.mask & IN_CREATE) {
      held_.push_back({Kind::kCreated, std::move(folder), std::move(name)});
    } else if (event.mask & IN_ATTRIB) {
      held_.push_back({Kind::kAttributes, std::move(folder), std::move(name)});
    }
  }

  rpc::Loop& loop_;
  std::shared_ptr<Inotify> inotify_;
  Poll* poll_;  // freed once libuv has closed it
  std::unordered_map<int, std::string> folders_;
  std::unordered_map<std::string, int> ids_;
  std::vector<FileChange> held_;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<std::vector<FileChange>>>> waiting_;
};

}  // namespace

base::Result<std::unique_ptr<FileWatch>> make_inotify_watch(rpc::Loop& loop) { return InotifyWatch::make(loop); }

}  // namespace daemons
