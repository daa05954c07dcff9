#include "rpc/service/dispatcher.h"

#include <fmt/format.h>

#include "base/sha256.h"
#include "ledger/view_rows.h"
#include "rpc/service/service.h"

namespace rpc {

/// One nextJob call; lives as long as its promise.
class Dispatcher::Waiting {
 public:
  Waiting(kj::PromiseFulfiller<Lease>& fulfiller, std::shared_ptr<Dispatcher> dispatcher, Request request)
      : fulfiller_(fulfiller), dispatcher_(std::move(dispatcher)), request_(std::move(request)), ticket_(dispatcher_->next_ticket_++) {
    dispatcher_->waiting_.emplace(ticket_, this);
  }
  ~Waiting() noexcept(false) { dispatcher_->waiting_.erase(ticket_); }

  void finish(Lease lease) {
    dispatcher_->waiting_.erase(ticket_);
    fulfiller_.fulfill(std::move(lease));
  }

  const Request& request() const { return request_; }
  uint64_t ticket() const { return ticket_; }
  bool starting = false;
  int tries = 0;

 private:
  kj::PromiseFulfiller<Lease>& fulfiller_;
  std::shared_ptr<Dispatcher> dispatcher_;
  Request request_;
  uint64_t ticket_;
};

kj::Promise<Dispatcher::Lease> Dispatcher::next(Request request) {
  auto promise = kj::newAdaptedPromise<Lease, Waiting>(shared_from_this(), std::move(request));
  dispatch();
  return promise;
}

void Dispatcher::dispatch() {
  size_t idle = 0;
  for (const auto& [ticket, waiting] : waiting_) idle += !waiting->starting;
  if (idle == 0) return;
  auto snapshot = service_.snapshot();
  struct Match {
    Waiting* waiting;
    uint64_t job;
    std::string environment;
  };
  std::vector<Match> matches;
  std::set<uint64_t> taken;
  ledger::list_waiting(*snapshot, [&](schema::QueueRow::Reader row) {
    if (claimed_.contains(row.getJob())) return true;
    auto job = ledger::find_job(*snapshot, row.getJob());
    if (!job) return true;
    std::string interpreter = job->get().getQueued().getInterpreter().cStr();
    for (const auto& [ticket, waiting] : waiting_) {
      if (waiting->starting || taken.contains(ticket)) continue;
      auto environment = waiting->request().environments.find(interpreter);
      if (environment == waiting->request().environments.end()) continue;
      taken.insert(ticket);
      matches.push_back({waiting, row.getJob(), environment->second});
      break;
    }
    return taken.size() < idle;
  });
  for (const Match& match : matches) start(*match.waiting, match.job, match.environment);
}

void Dispatcher::start(Waiting& waiting, uint64_t job, const std::string& environment) {
  waiting.starting = true;
  claimed_.insert(job);
  const Request& request = waiting.request();
  CommandMessage command(fmt::format("{}/{}", request.command_id, ++waiting.tries));
  auto blobs = command.get().initBlobs(1);
  blobs.set(0, kj::arrayPtr(reinterpret_cast<const kj::byte*>(environment.data()), environment.size()));
  auto start = command.get().getBody().initStartAttempt();
  start.setJob(job);
  start.setWorker(request.worker);
  start.setHost(request.host);
  base::Sha256 hash = base::sha256(environment);
  start.setEnvironment(kj::arrayPtr(hash.data(), hash.size()));
  start.setLeaseMs(request.lease_ms);
  auto task = service_.submit(command.reader(), request.identity)
                  .then([this, ticket = waiting.ticket(), job, identity = request.identity](ledger::Answer answer) {
                    claimed_.erase(job);
                    auto found = waiting_.find(ticket);
                    Waiting* waiter = found == waiting_.end() ? nullptr : found->second;
                    if (waiter) waiter->starting = false;
                    if (answer.status.is_ok() && !answer.events.empty()) {
                      auto snapshot = service_.snapshot();
                      auto row = ledger::find_job(*snapshot, job);
                      Lease lease{{}, job, 0, answer.events.front()};
                      if (row && row->get().getAttempts().size() > 0) {
                        lease.attempt = row->get().getAttempts()[row->get().getAttempts().size() - 1].getNumber();
                      }
                      if (waiter) {
                        waiter->finish(std::move(lease));
                      } else {
                        give_back(identity, lease);
                      }
                      dispatch();
                      return;
                    }
                    // A job that no longer waits was taken or cancelled meanwhile: the worker waits on. Any other refusal is about the
                    // worker, or would come again at once.
                    auto snapshot = service_.snapshot();
                    auto row = ledger::find_job(*snapshot, job);
                    bool still_waits = row && row->get().getState() == schema::RunState::QUEUED;
                    if (waiter && still_waits) waiter->finish({answer.status});
                    dispatch();
                  });
  service_.loop().detach(kj::mv(task), "lease a job");
}

void Dispatcher::give_back(const ledger::Identity& identity, const Lease& lease) {
  CommandMessage command(fmt::format("give-back/{}", lease.fence));
  command.get().setCause(lease.fence);
  auto lose = command.get().getBody().initLoseAttempt();
  lose.setJob(lease.job);
  lose.setAttempt(lease.attempt);
  lose.setFence(lease.fence);
  lose.getReason().setCode("worker_gone");
  lose.getReason().setText("the worker stopped waiting at the moment the job was leased to it; the job waits again");
  service_.loop().detach(service_.submit(command.reader(), identity).ignoreResult(), "give a job back");
}

}  // namespace rpc
