#include "daemons/coordinator/coordinator.h"

#include <fmt/format.h>
#include <kj/debug.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>

#include "base/text.h"
#include "daemons/coordinator/campaign_feeder.h"
#include "daemons/coordinator/instrument_lines.h"
#include "daemons/coordinator/kept_event.h"
#include "daemons/coordinator/leases.h"
#include "daemons/coordinator/looking_again.h"
#include "daemons/coordinator/planner.h"
#include "daemons/coordinator/record.h"
#include "daemons/coordinator/reductions.h"
#include "daemons/coordinator/script_defaults.h"
#include "daemons/coordinator/script_record.h"
#include "daemons/coordinator/stages.h"
#include "daemons/coordinator/support_record.h"
#include "daemons/coordinator/trials.h"
#include "daemons/port.h"
#include "daemons/refusal.h"
#include "scripts/capture_cache.h"

namespace daemons {
namespace {

using Body = schema::Event::Body;

constexpr std::string_view kName = "coordinatord";
constexpr Body::Which kWatched[] = {Body::RUN_DETECTED,     Body::RUN_REVISED,      Body::REDUCTION_REQUESTED, Body::RUN_SKIPPED,
                                    Body::TRIAL_REQUESTED,  Body::COMBINATION_REQUESTED,
                                    Body::JOB_SUCCEEDED,    Body::JOB_FAILED,       Body::JOB_SKIPPED,         Body::JOB_CANCELLED,
                                    Body::CAMPAIGN_STARTED, Body::CAMPAIGN_RESUMED, Body::CAMPAIGN_STOPPED};

}  // namespace

class Coordinator::Impl final : public kj::Refcounted {
 public:
  Impl(rpc::Loop& loop, schema::Session::Client session, Settings settings, ProcessLauncher& launcher)
      : loop_(loop),
        session_(kj::mv(session)),
        settings_(std::move(settings)),
        defaults_(loop, launcher, settings_.run_script, settings_.scratch) {}

  kj::Promise<void> run() {
    auto request = session_.daemonRequest();
    request.setRole(schema::DaemonRole::COORDINATOR);
    request.setName(std::string(kName));
    return request.send()
        .then([this](auto&& response) {
          require_granted(response.getRefusal(), "the ledger does not let coordinatord work");
          port_ = response.getPort();
          work_ = std::make_unique<Work>(*this);
          return port_->positionRequest().send();
        })
        .then([this](auto&& response) { return watch(response.getSeq() + 1); })
        .then([this] { work_->campaigns.begin(); })
        .then([this] { return signs_of_life().exclusiveJoin(work_->looking_again.run()).exclusiveJoin(waiting_combinations()).exclusiveJoin(broken_.promise.addBranch()); });
  }

  /// Ends the watch, which holds a reference to this, and what is under way.
  void close() {
    subscription_.reset();
    lines_.reset();
  }

 private:
  /// What works on a connection.
  struct Work {
    explicit Work(Impl& impl)
        : submitter(impl.loop_.timer(), *impl.port_),
          record(impl.session_, *impl.port_),
          support_files(impl.loop_, record, submitter, impl.file_contents_, impl.url_contents_),
          planner({impl.loop_, record, submitter, impl.defaults_, impl.scripts_, support_files, impl.captures_}),
          looking_again({impl.loop_, record, submitter, impl.scripts_, support_files, impl.captures_}, impl.settings_.look_again_ms),
          leases(record, submitter),
          reductions(record, planner, submitter, *impl.lines_),
          trials(record, planner, submitter, reductions, *impl.lines_, impl.settings_.trials),
          stages(record, planner, submitter),
          campaigns(impl.loop_, record, planner, submitter, impl.settings_.campaigns, [&impl](kj::Exception&& problem) { impl.broken_.fulfiller->reject(kj::mv(problem)); }) {}
    Submitter submitter;
    Record record;
    SupportRecord support_files;
    Planner planner;
    LookingAgain looking_again;
    Leases leases;
    Reductions reductions;
    Trials trials;
    Stages stages;
    CampaignFeeder campaigns;
  };

  class Sink final : public schema::EventSink::Server {
   public:
    explicit Sink(kj::Own<Impl> impl) : impl_(kj::mv(impl)) {}
    /// The ledger lets go of the sink when it watches no longer; without a watch there is nothing to react to.
    ~Sink() noexcept(false) { impl_->broken_.fulfiller->reject(KJ_EXCEPTION(DISCONNECTED, "the ledger ended the watch")); }
    kj::Promise<void> push(PushContext context) override {
      for (auto bytes : context.getParams().getEvents()) impl_->take(bytes);
      return kj::READY_NOW;
    }

   private:
    kj::Own<Impl> impl_;
  };

  kj::Promise<void> watch(uint64_t from) {
    auto request = work_->record.runs().watchRequest();
    request.setFrom(from);
    auto kinds = request.initFilter().initKinds(std::size(kWatched));
    for (size_t i = 0; i < std::size(kWatched); ++i) kinds.set(i, static_cast<uint16_t>(kWatched[i]));
    request.setSink(kj::heap<Sink>(kj::addRef(*this)));
    return request.send().then([this](auto&& response) {
      require_granted(response.getRefusal(), "the ledger's events cannot be watched");
      subscription_ = response.getSubscription();
    });
  }

  /// One after the other for each instrument: what a later event finds is what an earlier one left.
  void take(capnp::Data::Reader bytes) {
    if (!lines_) return;
    auto kept = std::make_shared<KeptEvent>(bytes);
    auto event = kept->get();
    auto body = event.getBody();
    const uint64_t seq = event.getSeq();
    switch (body.which()) {
      case Body::RUN_DETECTED: return react_to_file(seq, RunName(body.getRunDetected().getRun()), "new_run");
      case Body::RUN_REVISED: return react_to_file(seq, RunName(body.getRunRevised().getRun()), "run_revised");
      case Body::REDUCTION_REQUESTED:
        return react(seq, RunName(body.getReductionRequested().getRun()), [this, kept] { return work_->reductions.asked_for(kept); });
      case Body::TRIAL_REQUESTED:
        return react(seq, RunName(body.getTrialRequested().getRun()), [this, kept] { return work_->trials.asked_for(kept); });
      case Body::COMBINATION_REQUESTED:
        return react_quietly(seq, body.getCombinationRequested().getInstrument().cStr(), [this, kept] { return work_->stages.combine(kept); });
      case Body::RUN_SKIPPED: {
        RunName run(body.getRunSkipped().getRun());
        return react_quietly(seq, run.instrument, [this, seq, run] { return work_->stages.after_skip(seq, run); });
      }
      case Body::JOB_SUCCEEDED: return react_to_end(seq, body.getJobSucceeded().getJob());
      case Body::JOB_FAILED: return react_to_end(seq, body.getJobFailed().getJob());
      case Body::JOB_SKIPPED: return react_to_end(seq, body.getJobSkipped().getJob());
      case Body::JOB_CANCELLED: return react_to_end(seq, body.getJobCancelled().getJob());
      case Body::CAMPAIGN_STARTED: return work_->campaigns.look_at(seq);
      case Body::CAMPAIGN_RESUMED: return work_->campaigns.look_at(body.getCampaignResumed().getCampaign());
      case Body::CAMPAIGN_STOPPED: return work_->campaigns.look_at(body.getCampaignStopped().getCampaign());
      default: return;
    }
  }

  /// A job's instrument is not in the event: the line without a name asks for it, and its event is then reacted to in the instrument's own.
  void react_to_end(uint64_t seq, uint64_t job) {
    work_->campaigns.look_at_all();
    react_quietly(seq, "", [this, seq, job] {
      return work_->record.job(job).then([this, seq](Record::Job&& found) {
        auto runs = found->getJob().getQueued().getRuns();
        if (runs.size() == 0 || !lines_) return;
        react_quietly(seq, runs[0].getInstrument().cStr(), [this, seq, found] { return work_->stages.after_job(seq, found); });
      });
    });
  }

  /// Where no run could be told of a fault of ours.
  void react_quietly(uint64_t seq, const std::string& instrument, InstrumentLines::Work work) {
    lines_->add(seq, instrument, [this, seq, work = std::move(work)] {
      return kj::evalNow(work).catch_([this, seq](kj::Exception&& problem) {
        rethrow_if_broken(problem);
        spdlog::error("event {} could not be reacted to: {}", seq, problem.getDescription().cStr());
      });
    });
  }

  void react_to_file(uint64_t seq, const RunName& run, std::string code) {
    react(seq, run, [this, seq, run, code] { return work_->reductions.of_file(seq, run, code); });
  }

  void react(uint64_t seq, const RunName& run, InstrumentLines::Work work) {
    lines_->add(seq, run.instrument, [this, seq, run, work = std::move(work)] {
      return kj::evalNow(work).catch_([this, seq, run](kj::Exception&& problem) -> kj::Promise<void> {
        rethrow_if_broken(problem);
        spdlog::error("event {} could not be reacted to: {}", seq, problem.getDescription().cStr());
        // A fault of ours ends the reaction to one event, never the others'; the run says so.
        return work_->reductions.skip(run, seq, "fault", "internal_fault",
                                      fmt::format("no job was made, by a fault of coordinatord ({}); `runledger rerun {}` asks again",
                                                  base::to_utf8(problem.getDescription().cStr(), 1000), run.text()));
      });
    });
  }

  /// Not handled and not passed over: the position stays before the event, and a new coordinator starts there.
  void rethrow_if_broken(kj::Exception& problem) {
    if (problem.getType() != kj::Exception::Type::DISCONNECTED) return;
    broken_.fulfiller->reject(kj::cp(problem));
    kj::throwFatalException(kj::mv(problem));
  }

  kj::Promise<void> signs_of_life() {
    return port_->aliveRequest()
        .send()
        .then([this](auto&&) { return work_->leases.end_silent(); })
        .then([this] { return loop_.timer().afterDelay(settings_.sign_of_life_ms * kj::MILLISECONDS); })
        .then([this] { return signs_of_life(); });
  }

  kj::Promise<void> waiting_combinations() {
    return work_->stages.try_waiting()
        .then([this] { return loop_.timer().afterDelay(settings_.look_again_ms * kj::MILLISECONDS); })
        .then([this] { return waiting_combinations(); });
  }

  rpc::Loop& loop_;
  schema::Session::Client session_;
  Settings settings_;
  // These are also of work on the pool that outlives us.
  const std::shared_ptr<scripts::CaptureCache> captures_ = std::make_shared<scripts::CaptureCache>(base::system_clock());
  const std::shared_ptr<FileContents> file_contents_ = std::make_shared<FileContents>(base::system_clock());
  const std::shared_ptr<UrlContents> url_contents_ = std::make_shared<UrlContents>(base::system_clock());
  ScriptDefaultsReader defaults_;
  ScriptRecord scripts_{defaults_};
  std::optional<schema::DaemonPort::Client> port_;
  std::optional<schema::Subscription::Client> subscription_;
  std::unique_ptr<Work> work_;
  std::unique_ptr<InstrumentLines> lines_ = std::make_unique<InstrumentLines>();  // null: closed
  struct Broken {
    kj::ForkedPromise<void> promise;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
    static Broken make() {
      auto paf = kj::newPromiseAndFulfiller<void>();
      return {paf.promise.fork(), kj::mv(paf.fulfiller)};
    }
  } broken_ = Broken::make();
};

Coordinator::Coordinator(rpc::Loop& loop, schema::Session::Client session, Settings settings, ProcessLauncher& launcher)
    : impl_(kj::refcounted<Impl>(loop, kj::mv(session), std::move(settings), launcher)) {}
Coordinator::~Coordinator() { impl_->close(); }

kj::Promise<void> Coordinator::run() { return impl_->run(); }

}  // namespace daemons
