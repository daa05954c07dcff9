#include "tools/commands/campaign_read.h"

#include <fmt/format.h>

#include <memory>

#include "tools/campaign_text.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

constexpr uint32_t kPage = 1000;

base::Result<schema::Campaigns::Client> campaigns_of(Context& context) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  return (*client)->session().campaignsRequest().send().getCampaigns();
}

/// Every page of a listing: `fill` completes the request, `use` takes the answer and says whether the next page is wanted.
template <typename Request, typename Fill, typename Use>
base::Status read_pages(Client& client, Request (schema::Campaigns::Client::*request_of)(kj::Maybe<capnp::MessageSize>), schema::Campaigns::Client& campaigns,
                        Fill fill, Use use) {
  std::string after;
  do {
    Request request = (campaigns.*request_of)(nullptr);
    fill(request);
    request.setLimit(kPage);
    request.setAfter(data_of(after));
    auto answer = ask(client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    if (!use(*answer)) return {};
    after = bytes_of(answer->getNext());
  } while (!after.empty());
  return {};
}

struct ListOptions {
  uint64_t limit = 0;
};

base::Result<int> list(Context& context, const ListOptions& options) {
  auto campaigns = campaigns_of(context);
  if (!campaigns.is_ok()) return campaigns.status();
  Json json = Json::array();
  Table table({{"CAMPAIGN", Table::Align::kRight}, {"STATE"}, {"OWNER"}, {"STARTED"}, {"RUNS", Table::Align::kRight}, {"DONE", Table::Align::kRight},
               {"FAILED", Table::Align::kRight}, {"INSTRUMENTS"}, {"PURPOSE", Table::Align::kLeft, true}});
  base::Status read = read_pages(**context.client(), &schema::Campaigns::Client::listRequest, *campaigns, [](auto&) {}, [&](auto& answer) {
    for (auto row : answer.getCampaigns()) {
      if (options.limit != 0 && json.size() == options.limit) return false;
      json.push_back(campaign_json(row));
      table.add({std::to_string(row.getCampaign()), enum_word(row.getState()), row.getOwner().getName().cStr(), human_time(row.getStartedAt()),
                 std::to_string(row.getStarted().getRuns()), std::to_string(done_runs(row)), std::to_string(row.getCounts().getFailed()), instruments_text(row),
                 row.getStarted().getPurpose().cStr()});
    }
    return true;
  });
  if (!read.is_ok()) return read;
  return context.print_listing(json, table, "there is no campaign that you may see");
}

base::Result<int> show(Context& context, uint64_t campaign) {
  auto campaigns = campaigns_of(context);
  if (!campaigns.is_ok()) return campaigns.status();
  auto request = campaigns->showRequest();
  request.setCampaign(campaign);
  auto answer = ask(**context.client(), std::move(request));
  if (!answer.is_ok()) return answer.status();
  if (context.options.json) {
    context.print(campaign_json(answer->getCampaign()));
  } else {
    context.out << labelled(campaign_lines(answer->getCampaign()));
  }
  return kDone;
}

base::Result<int> runs(Context& context, uint64_t campaign) {
  auto campaigns = campaigns_of(context);
  if (!campaigns.is_ok()) return campaigns.status();
  Json json = Json::array();
  Table table({{"RUN"}, {"JOB", Table::Align::kRight}, {"STATE"}, {"WHY", Table::Align::kLeft, true}});
  base::Status read = read_pages(
      **context.client(), &schema::Campaigns::Client::runsRequest, *campaigns, [&](auto& request) { request.setCampaign(campaign); }, [&](auto& answer) {
        for (auto row : answer.getRuns()) {
          const bool passed = row.getJob() == 0;
          json.push_back(campaign_run_json(row));
          table.add({run_text(text_of(row.getRun().getInstrument()), row.getRun().getRunNumber(), row.getVersion()),
                     passed ? "-" : std::to_string(row.getJob()), passed ? "passed over" : enum_word(row.getState()),
                     row.getState() == schema::RunState::SUCCEEDED ? "" : row.getReason().getText().cStr()});
        }
        return true;
      });
  if (!read.is_ok()) return read;
  return context.print_listing(json, table, fmt::format("campaign {}: none of its runs has a job yet", campaign));
}

struct ReportOptions {
  uint64_t campaign = 0;
  bool all = false;
};

std::string versions_text(schema::ComparedRun::Reader run) {
  const auto version = [](uint16_t number) { return number == 0 ? std::string("-") : fmt::format("v{}", number); };
  return fmt::format("{} -> {}", version(run.getBefore()), version(run.getAfter()));
}

std::string paths_text(schema::ComparedRun::Reader run) {
  std::string text;
  for (auto path : run.getPaths()) text += fmt::format("{}{}", text.empty() ? "" : ", ", text_of(path));
  const uint64_t differing = uint64_t{run.getChanged()} + run.getAdded() + run.getMissing();
  if (differing > run.getPaths().size()) text += fmt::format(" and {} more", differing - run.getPaths().size());
  return text;
}

base::Result<int> report(Context& context, const ReportOptions& options) {
  auto campaigns = campaigns_of(context);
  if (!campaigns.is_ok()) return campaigns.status();
  Comparison comparison;
  Json listed = Json::array();
  uint64_t count = 0;
  Table table({{"RUN"}, {"VERSIONS"}, {"OUTCOME"}, {"SAME", Table::Align::kRight}, {"OTHER", Table::Align::kRight}, {"NEW", Table::Align::kRight},
               {"MISSING", Table::Align::kRight}, {"BYTES"}, {"FILES", Table::Align::kLeft, true}});
  ProgressLine progress(context);
  base::Status read = read_pages(
      **context.client(), &schema::Campaigns::Client::reportRequest, *campaigns, [&](auto& request) { request.setCampaign(options.campaign); },
      [&](auto& answer) {
        for (auto run : answer.getRuns()) {
          ++count;
          comparison.add(run.getOutcome());
          if (run.getOutcome() == schema::ComparedRun::Outcome::SAME && !options.all) continue;
          listed.push_back(compared_json(run));
          table.add({run_text(text_of(run.getRun().getInstrument()), run.getRun().getRunNumber()), versions_text(run), enum_word(run.getOutcome()),
                     std::to_string(run.getEqual()), std::to_string(run.getChanged()), std::to_string(run.getAdded()), std::to_string(run.getMissing()),
                     fmt::format("{} -> {}", human_size(run.getBytesBefore()), human_size(run.getBytesAfter())), paths_text(run)});
        }
        progress.show(fmt::format("compared {}", count));
        return true;
      });
  progress.wipe();
  if (!read.is_ok()) return read;
  if (context.options.json) {
    Json json = {{"campaign", options.campaign}, {"summary", comparison.json()}, {"runs", listed}};
    context.print(std::move(json));
    return kDone;
  }
  if (!table.is_empty()) {
    context.print(table);
    context.out << '\n';
  }
  context.out << comparison.text() << '\n';
  return kDone;
}

std::shared_ptr<uint64_t> add_number(CLI::App& command) {
  auto campaign = std::make_shared<uint64_t>(0);
  command.add_option("campaign", *campaign, "Its number, as runledger campaign list shows it")->type_name("NUMBER")->required()->check(CLI::PositiveNumber);
  return campaign;
}

}  // namespace

void add_campaign_list(CLI::App& campaign, Context& context) {
  CLI::App* command = campaign.add_subcommand("list", "The campaigns, newest first");
  auto options = std::make_shared<ListOptions>();
  command->add_option("--limit", options->limit, "At most so many; 0 = all")->type_name("N");
  command->footer("Example: runledger campaign list --limit 10");
  command->callback([&context, options] { context.finish(list(context, *options)); });
}

void add_campaign_show(CLI::App& campaign, Context& context) {
  CLI::App* command = campaign.add_subcommand("show", "What a campaign is, and how far");
  auto number = add_number(*command);
  command->footer("Example: runledger campaign show 812");
  command->callback([&context, number] { context.finish(show(context, *number)); });
}

void add_campaign_runs(CLI::App& campaign, Context& context) {
  CLI::App* command = campaign.add_subcommand("runs", "The runs of a campaign that have a job, or get none, and why");
  auto number = add_number(*command);
  command->footer("Example: runledger campaign runs 812");
  command->callback([&context, number] { context.finish(runs(context, *number)); });
}

void add_campaign_report(CLI::App& campaign, Context& context) {
  CLI::App* command = campaign.add_subcommand("report", "How its results differ from those the runs had before: file by file, from what is on record");
  auto options = std::make_shared<ReportOptions>();
  command->add_option("campaign", options->campaign, "Its number, as runledger campaign list shows it")
      ->type_name("NUMBER")
      ->required()
      ->check(CLI::PositiveNumber);
  command->add_flag("--all", options->all, "Also the runs whose files are the same");
  command->footer("Example: runledger campaign report 812");
  command->callback([&context, options] { context.finish(report(context, *options)); });
}

}  // namespace tools
