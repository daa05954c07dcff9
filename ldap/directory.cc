#include "ldap/directory.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "ldap/dn.h"
#include "ldap/reader.h"
#include "ldap/server.h"
#include "ldap/time_limits.h"

namespace ldap {
namespace {

using base::Code;
using base::Status;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kThreads = 4;
constexpr size_t kQueueLimit = 256;
constexpr std::chrono::seconds kIdleLimit{30};  // a connection that was idle for longer may be gone without a word
constexpr size_t kPasswordBytes = 4096;

/// What all threads of a directory share; constant but for the order.
struct Site {
  Settings settings;
  std::vector<Server> servers;
  ServerOrder order;
  TimeLimits& limits;
};

/// One thread's connections to one server at a time, kept from request to request.
class Session {
 public:
  explicit Session(Site& site) : site_(site) {}

  /// Asks one server after the other until one answers.
  template <typename T>
  base::Result<T> ask(Moment until, const std::function<base::Result<T>(Session&)>& question) {
    std::string reasons;
    bool timed_out = false;
    drop_if_idle();
    for (size_t server : site_.order.now()) {
      if (steady_clock::now() >= until) {
        timed_out = true;
        reasons += fmt::format("{}: no time left to ask; ", site_.servers[server].text);
        continue;
      }
      base::Result<T> answer = ask_one(server, question);
      if (answer.is_ok()) {
        site_.order.answered(server);
        last_used_ = steady_clock::now();
        return answer;
      }
      site_.order.failed(server);
      timed_out |= answer.status().code() == Code::kTimedOut;
      reasons += fmt::format("{}: {}; ", site_.servers[server].text, answer.status().message());
    }
    return Status(timed_out ? Code::kTimedOut : Code::kUnavailable,
                  fmt::format("no directory server gave an answer: {}try again later, or mend what they say", reasons));
  }

  /// Bound as the name of the settings.
  base::Result<Connection*> searcher(Moment until) {
    if (searcher_) return searcher_.get();
    const Settings& settings = site_.settings;
    auto opened = Connection::open(settings, site_.servers[server_], site_.limits, until);
    if (!opened.is_ok()) return opened.status();
    if (!settings.bind_name.empty()) {
      auto password = Secret::from_file(settings.bind_password_file);
      if (!password.is_ok()) return Status(Code::kUnavailable, password.status().message() + "; it must hold the directory's bind password on its first line");
      auto bound = (*opened)->bind(settings.bind_name, password->view(), until);
      if (!bound.is_ok()) return bound.status();
      if (!*bound) return Status(Code::kUnavailable, fmt::format("it refuses {} with the password in {}", settings.bind_name, settings.bind_password_file));
    }
    searcher_ = std::move(opened).value();
    return searcher_.get();
  }
  /// For trying passwords: whom it is bound as changes with each.
  base::Result<Connection*> binder(Moment until) {
    if (binder_) return binder_.get();
    auto opened = Connection::open(site_.settings, site_.servers[server_], site_.limits, until);
    if (!opened.is_ok()) return opened.status();
    binder_ = std::move(opened).value();
    return binder_.get();
  }
  const Settings& settings() const { return site_.settings; }

 private:
  template <typename T>
  base::Result<T> ask_one(size_t server, const std::function<base::Result<T>(Session&)>& question) {
    if (server != server_) drop();
    server_ = server;
    bool kept = searcher_ || binder_;
    base::Result<T> answer = question(*this);
    if (answer.is_ok()) return answer;
    bool lost = (searcher_ && searcher_->is_lost()) || (binder_ && binder_->is_lost());
    drop();
    // Servers close connections that they find idle: that says nothing about a new one.
    if (kept && lost && answer.status().code() != Code::kTimedOut) answer = question(*this);
    if (!answer.is_ok()) drop();
    return answer;
  }
  void drop() {
    searcher_.reset();
    binder_.reset();
  }
  void drop_if_idle() {
    if (steady_clock::now() - last_used_ > kIdleLimit) drop();
  }

  Site& site_;
  size_t server_ = 0;
  Moment last_used_{};
  std::unique_ptr<Connection> searcher_, binder_;
};

/// One request; `done` has its own type inside.
struct Job {
  Moment until;
  std::function<void(Session&)> work;
  std::function<void(Status)> refuse;
};

/// What is known of a name: the account, kNotFound or kConflict.
using LookedUp = base::Result<Account>;

Status no_account() { return {Code::kNotFound, "the directory has no such account in use; check the name"}; }

/// The outer result says whether the server gave an answer.
base::Result<LookedUp> look_up(Session& session, const std::string& name, Moment until) {
  auto searcher = session.searcher(until);
  if (!searcher.is_ok()) return searcher.status();
  Reader reader(session.settings(), **searcher, until);
  auto found = reader.find(name);
  if (!found.is_ok()) return found.status();
  if (*found) return LookedUp(std::move(**found));
  if (!reader.several()) return LookedUp(no_account());
  return LookedUp(Status(Code::kConflict, "several accounts of the directory have this name, so nothing is known of it; leave one of them"));
}

/// nullopt: refused.
base::Result<std::optional<Account>> try_password(Session& session, const std::string& name, const Secret& password, Moment until) {
  auto searcher = session.searcher(until);
  if (!searcher.is_ok()) return searcher.status();
  auto binder = session.binder(until);
  if (!binder.is_ok()) return binder.status();
  return Reader(session.settings(), **searcher, until).authenticate(name, password, **binder);
}

class LdapDirectory final : public Directory {
 public:
  LdapDirectory(Settings settings, std::vector<Server> servers)
      : limits_(std::make_unique<TimeLimits>()), site_{std::move(settings), servers, ServerOrder(servers.size()), *limits_} {
    // Signals are for the threads of the loop; a write to a closed connection raises one here that nobody needs.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~LdapDirectory() override {
    std::deque<Job> left;
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
      left.swap(queue_);
    }
    limits_->hurry();
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    for (Job& job : left) job.refuse({Code::kUnavailable, "the directory's client is closing; try again"});
    limits_.reset();
  }

  void authenticate(std::string name, Secret password, Done<Account> done) override {
    Moment asked = steady_clock::now();
    if (!is_name(name) || password.empty() || password.view().size() > kPasswordBytes) return refuse(asked, std::move(done));
    auto secret = std::make_shared<Secret>(std::move(password));
    add<Account>(asked, std::move(done), [this, asked, name = std::move(name), secret](Session& session, Moment until, const Done<Account>& tell) {
      auto answer = session.ask<std::optional<Account>>(until, [&](Session& on) { return try_password(on, name, *secret, until); });
      *secret = Secret();
      if (!answer.is_ok()) return tell(answer.status());
      if (!*answer) return refuse(asked, tell);
      tell(std::move(**answer));
    });
  }

  void find(std::string name, Done<Account> done) override {
    add<Account>(steady_clock::now(), std::move(done), [name = std::move(name)](Session& session, Moment until, const Done<Account>& tell) {
      if (!is_name(name)) return tell(no_account());
      auto answer = session.ask<LookedUp>(until, [&](Session& on) { return look_up(on, name, until); });
      tell(answer.is_ok() ? std::move(*answer) : LookedUp(answer.status()));
    });
  }

  void groups(std::vector<std::string> patterns, Done<std::vector<Group>> done) override {
    add<std::vector<Group>>(steady_clock::now(), std::move(done), [patterns = std::move(patterns)](Session& session, Moment until, const auto& tell) {
      std::vector<NamePattern> parsed;
      for (const std::string& pattern : patterns) {
        auto one = NamePattern::parse(pattern);
        if (!one.is_ok()) return tell(one.status());
        parsed.push_back(std::move(one).value());
      }
      tell(session.ask<std::vector<Group>>(until, [&](Session& on) -> base::Result<std::vector<Group>> {
        auto searcher = on.searcher(until);
        if (!searcher.is_ok()) return searcher.status();
        return Reader(on.settings(), **searcher, until).groups(parsed);
      }));
    });
  }

 private:
  template <typename T, typename Work>
  void add(Moment asked, Done<T> done, Work work) {
    Moment until = asked + milliseconds(site_.settings.whole_ms);
    auto tell = std::make_shared<Done<T>>(std::move(done));
    Job job{until, [work = std::move(work), until, tell](Session& session) { work(session, until, *tell); },
            [tell](Status status) { (*tell)(std::move(status)); }};
    {
      std::lock_guard lock(mutex_);
      if (queue_.size() < kQueueLimit) {
        queue_.push_back(std::move(job));
        wake_.notify_one();
        return;
      }
    }
    Status full(Code::kUnavailable, fmt::format("{} requests wait for the directory already; try again later", kQueueLimit));
    limits_->at(asked, [refuse = std::move(job.refuse), full] { refuse(full); });
  }

  /// At the next whole multiple of the refusal time since the request, so that the time does not tell the reason.
  void refuse(Moment asked, Done<Account> done) {
    milliseconds grid(site_.settings.refusal_ms);
    Moment when = asked;
    if (grid.count() > 0) when += ((steady_clock::now() - asked) / grid + 1) * grid;
    limits_->at(when, [done = std::move(done)] { done(refused()); });
  }

  void run() {
    Session session(site_);
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
      if (closing_) return;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      if (steady_clock::now() >= job.until) {
        job.refuse({Code::kTimedOut, "the directory's servers did not keep up with the requests; try again later"});
      } else {
        job.work(session);
      }
      job = {};
      lock.lock();
    }
  }

  std::unique_ptr<TimeLimits> limits_;
  Site site_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;  // guarded
  bool closing_ = false;   // guarded
  std::vector<std::thread> threads_;
};

bool balanced(std::string_view filter) {
  int depth = 0;
  for (char c : filter) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (depth < 0) return false;
  }
  return depth == 0 && filter.starts_with('(') && filter.ends_with(')');
}

bool is_attribute(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

Status check(const Settings& settings) {
  auto wrong = [](std::string_view what) { return Status(Code::kInvalidArgument, fmt::format("directory settings: {}", what)); };
  if (settings.servers.empty()) return wrong("no server is named; name one like ldaps://ldap.example.org");
  if (!settings.bind_name.empty() && !dn_key(settings.bind_name)) return wrong("bind_name is no distinguished name");
  if (!settings.bind_name.empty() && settings.bind_password_file.empty()) return wrong("bind_name needs bind_password_file");
  if (!dn_key(settings.user_base)) return wrong("user_base is no distinguished name");
  if (!dn_key(settings.group_base)) return wrong("group_base is no distinguished name");
  if (!balanced(settings.user_filter) || settings.user_filter.find("{user}") == std::string::npos) {
    return wrong("user_filter must be a filter in brackets with {user} in it");
  }
  if (!balanced(settings.group_filter)) return wrong("group_filter must be a filter in brackets");
  if (!is_attribute(settings.user_attribute) || !is_attribute(settings.group_attribute)) {
    return wrong("an attribute's name has letters, digits, - and . only");
  }
  if (settings.nested_levels < 0 || settings.nested_levels > 100) return wrong("nested_levels is a number from 0 to 100");
  if (settings.page_size < 1) return wrong("page_size is at least 1");
  if (settings.connect_ms < 1 || settings.answer_ms < 1 || settings.whole_ms < 1 || settings.refusal_ms < 0) return wrong("a time limit is at least a millisecond");
  return {};
}

}  // namespace

base::Result<std::unique_ptr<Directory>> open_directory(Settings settings) {
  if (Status status = check(settings); !status.is_ok()) return status;
  std::vector<Server> servers;
  for (const std::string& text : settings.servers) {
    auto server = parse_server(text);
    if (!server.is_ok()) return server.status();
    servers.push_back(std::move(server).value());
  }
  return std::unique_ptr<Directory>(std::make_unique<LdapDirectory>(std::move(settings), std::move(servers)));
}

Status refused() { return {Code::kPermissionDenied, "the directory does not take this name with this password; check both, or ask whether the account is open"}; }

}  // namespace ldap
