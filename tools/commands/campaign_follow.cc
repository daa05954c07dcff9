#include "tools/commands/campaign_follow.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "tools/campaign_text.h"
#include "tools/document.h"
#include "tools/event_text.h"
#include "tools/progress.h"
#include "tools/words.h"

namespace tools {
namespace {

using Shown = capnp::Response<schema::Campaigns::ShowResults>;
using State = schema::CampaignRow::State;

/// Says what changed since it was last told.
class Teller {
 public:
  explicit Teller(Context& context) : context_(context), line_(context) {}

  void tell(schema::CampaignRow::Reader campaign) {
    if (context_.options.json) return;
    if (is_told_ && campaign.getState() != state_ && !is_over(campaign)) {
      line_.wipe();
      context_.say(fmt::format("campaign {} is {}: {}", campaign.getCampaign(), enum_word(campaign.getState()), text_of(campaign.getReason().getText())));
    }
    const uint64_t runs = campaign.getStarted().getRuns(), tenth = runs == 0 ? 0 : done_runs(campaign) * 10 / runs;
    if (line_.is_shown()) {
      line_.show(printable_lines(progress_text(campaign)));
    } else if (!is_told_ || tenth > tenth_) {
      context_.say(progress_text(campaign));
    }
    is_told_ = true;
    state_ = campaign.getState();
    tenth_ = tenth;
  }

 private:
  Context& context_;
  ProgressLine line_;
  bool is_told_ = false;
  State state_ = State::RUNNING;
  uint64_t tenth_ = 0;
};

/// Outlives neither the sink nor the call that follows; both hold it.
struct Following {
  schema::Campaigns::Client campaigns;
  const uint64_t campaign;
  Teller teller;
  kj::Own<kj::PromiseFulfiller<void>> done;

  Following(Context& context, schema::Campaigns::Client client, uint64_t number, kj::Own<kj::PromiseFulfiller<void>> fulfiller)
      : campaigns(kj::mv(client)), campaign(number), teller(context), done(kj::mv(fulfiller)) {}
};

/// Asks how far it is; ends the following when it is over.
kj::Promise<void> look(std::shared_ptr<Following> following) {
  auto request = following->campaigns.showRequest();
  request.setCampaign(following->campaign);
  return request.send().then([following](Shown&& shown) {
    if (!following->done->isWaiting()) return;
    if (shown.getRefusal().getCode() != schema::Refusal::Code::OK) return following->done->fulfill();  // who asks again will be told why
    following->teller.tell(shown.getCampaign());
    if (is_over(shown.getCampaign())) following->done->fulfill();
  });
}

/// Whatever it was that happened, one look says how far things are.
class Sink final : public schema::EventSink::Server {
 public:
  explicit Sink(std::shared_ptr<Following> following) : following_(std::move(following)) {}
  ~Sink() noexcept(false) { following_->done->reject(KJ_EXCEPTION(DISCONNECTED, "ledgerd ended the subscription")); }
  kj::Promise<void> push(PushContext) override { return look(following_); }

 private:
  std::shared_ptr<Following> following_;
};

constexpr const char* kKinds[] = {"jobQueued",       "attemptStarted",  "jobSucceeded",    "jobFailed",         "jobSkipped",      "jobCancelled",
                                  "campaignPaused", "campaignResumed", "campaignStopped", "campaignRunPassed", "campaignFinished"};

base::Result<Shown> show(Client& client, schema::Campaigns::Client& campaigns, uint64_t campaign) {
  auto request = campaigns.showRequest();
  request.setCampaign(campaign);
  return ask(client, std::move(request));
}

base::Status wait_until_over(Context& context, Client& client, schema::Campaigns::Client& campaigns, uint64_t campaign) {
  auto end = kj::newPromiseAndFulfiller<void>();
  auto following = std::make_shared<Following>(context, campaigns, campaign, kj::mv(end.fulfiller));
  // Subscribed before looking, so that nothing is missed between the two.
  auto request = client.session().runsRequest().send().getRuns().watchRequest();
  auto kinds = request.initFilter().initKinds(std::size(kKinds));
  for (uint32_t i = 0; i < kinds.size(); ++i) kinds.set(i, *kind_named(kKinds[i]));
  request.setSink(kj::heap<Sink>(following));
  auto watching = ask(client, std::move(request));
  if (!watching.is_ok()) return watching.status();
  schema::Subscription::Client subscription = watching->getSubscription();
  if (base::Status looked = client.wait(look(following)); !looked.is_ok()) return looked;
  return client.wait(kj::mv(end.promise));
}

}  // namespace

base::Result<int> follow_campaign(Context& context, Client& client, uint64_t campaign) {
  schema::Campaigns::Client campaigns = client.session().campaignsRequest().send().getCampaigns();
  if (base::Result<Shown> there = show(client, campaigns, campaign); !there.is_ok()) return there.status();
  if (base::Status status = wait_until_over(context, client, campaigns, campaign); !status.is_ok()) return status;
  base::Result<Shown> shown = show(client, campaigns, campaign);
  if (!shown.is_ok()) return shown.status();
  const auto row = shown->getCampaign();
  if (context.options.json) {
    context.print(campaign_json(row));
  } else {
    context.out << printable_lines(fmt::format("campaign {} is {}: {}", campaign, enum_word(row.getState()), progress_text(row))) << '\n';
  }
  return row.getState() == State::FINISHED && row.getCounts().getFailed() == 0 && row.getCounts().getCancelled() == 0 ? kDone : kError;
}

}  // namespace tools
