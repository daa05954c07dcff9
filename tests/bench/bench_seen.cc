// What the policy costs in lists: pages of runs for callers who see some, against the same pages for the owner, who sees all. In process, so that
// the socket's share hides nothing, and in processor time, which other work on the machine disturbs least.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "rpc/loop.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/service.h"
#include "tests/bench/ledger_under_test.h"
#include "tests/bench/measured.h"
#include "tests/support/temporary_folder.h"

namespace {

using bench::die;
using rpc::Caller;
using schema::Role;

constexpr uint64_t kRuns = 50'000;  // of two instruments, alternately
constexpr uint64_t kExperiments = 200;
constexpr uint32_t kBatch = 512;
constexpr int kRounds = 15;

std::string experiment_of(uint64_t number) {
  const uint64_t group = number / 2 % 10;  // every tenth pair of runs is of the one big experiment
  return group == 0 ? "BIG" : fmt::format("E{:03}", number / 100 % kExperiments);
}

void fill(ledger::Ledger& ledger) {
  const auto must = [&](const ledger::Answer& answer) {
    if (!answer.status.is_ok()) die(answer.status.message());
  };
  must(ledger.apply(support::configure_instrument("configure LET", "LET").reader(), support::person()));
  for (uint64_t first = 1; first <= kRuns; first += kBatch) {
    const auto count = static_cast<uint32_t>(std::min<uint64_t>(kBatch, kRuns + 1 - first));
    capnp::MallocMessageBuilder message;
    auto commands = message.initRoot<capnp::List<schema::Command>>(count);
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t number = first + i;
      const auto detected = support::detect_run(fmt::format("run {}", number), number % 2 == 0 ? "MARI" : "LET", number, experiment_of(number));
      commands.setWithCaveats(i, detected.reader());
    }
    std::promise<std::vector<ledger::Answer>> done;
    ledger.submit_all(commands.asReader(), support::person(), [&](std::vector<ledger::Answer> answers) { done.set_value(std::move(answers)); });
    for (const ledger::Answer& answer : done.get_future().get()) must(answer);
  }
}

double processor_us() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Somebody with an open session.
class Asker {
 public:
  Asker(rpc::Loop& loop, rpc::LedgerService& service, Caller caller) : loop_(loop) {
    rpc::Peer peer;
    peer.source = "unix";
    peer.caller = std::move(caller);
    runs_ = loop_.wait(service.gateway(std::move(peer)).loginRequest().send().getSession().runsRequest().send()).getRuns();
  }
  using Filter = std::function<void(schema::RunFilter::Builder)>;
  /// Processor time of a row, of so many pages from the first on.
  double row_us(uint32_t limit, int pages, const Filter& filter) {
    uint64_t rows = 0;
    std::string after;
    const double begin = processor_us();
    for (int page = 0; page < pages; ++page) {
      auto request = runs_.listRequest();
      request.setLimit(limit);
      request.setAfter(ledger::data(after));
      if (filter) filter(request.initFilter());
      auto answer = loop_.wait(request.send());
      rows += answer.getRuns().size();
      after = ledger::view(answer.getNext());
      if (after.empty()) break;
    }
    if (rows < limit) die("a page that is not full");
    return (processor_us() - begin) / static_cast<double>(rows);
  }
  double status_us(int calls) {
    const double begin = processor_us();
    for (int i = 0; i < calls; ++i) loop_.wait(runs_.statusRequest().send().ignoreResult());
    return (processor_us() - begin) / calls;
  }

 private:
  rpc::Loop& loop_;
  schema::Runs::Client runs_ = nullptr;
};

Caller owner() {
  Caller caller;
  caller.kind = Caller::Kind::kOwner;
  caller.name = "runledger";
  return caller;
}
Caller person(std::vector<rpc::Grant> grants) {
  Caller caller;
  caller.name = "alice";
  caller.proof = "bench";
  caller.source = "unix";
  caller.grants = std::move(grants);
  std::sort(caller.grants.begin(), caller.grants.end());
  return caller;
}
Caller member_of_many(uint64_t experiments) {
  std::vector<rpc::Grant> grants;
  for (uint64_t i = 0; i < experiments; ++i) grants.push_back({Role::MEMBER, "", fmt::format("E{:03}", i), fmt::format("IPTS-E{:03}", i)});
  return person(std::move(grants));
}

/// One after the other in each round, so that what else the machine does hits both.
void compare(const char* what, const char* unit, const std::function<double()>& ours, const std::function<double()>& against) {
  std::vector<double> one, other, ratios;
  for (int round = 0; round < kRounds; ++round) {
    other.push_back(against());
    one.push_back(ours());
    ratios.push_back(one.back() / other.back());
  }
  fmt::print("{:<66} {:8.2f} {:8.2f} {} {:6.2f}\n", what, median(one), median(other), unit, median(ratios));
}

}  // namespace

int main() {
  const support::TemporaryFolder folder;
  rpc::Loop loop;
  auto ledger = bench::open_ledger(folder / "ledger");
  fill(*ledger);
  {
    rpc::LedgerService service(loop, *ledger, base::system_clock(), "bench");
    Asker all(loop, service, owner()), scientist(loop, service, person({{Role::SCIENTIST, "MARI", "", "sns_mari_team"}})),
        member(loop, service, person({{Role::MEMBER, "", "BIG", "IPTS-BIG"}})), both(loop, service, person({{Role::MEMBER, "", "BIG", "IPTS-BIG"}, {Role::SCIENTIST, "MARI", "", "sns_mari_team"}})),
        few(loop, service, member_of_many(5)), many(loop, service, member_of_many(kExperiments));
    const auto of_mari = [](schema::RunFilter::Builder filter) { filter.setInstrument("MARI"); };
    const auto of_big = [](schema::RunFilter::Builder filter) { filter.setExperiment("BIG"); };
    fmt::print("{} runs, medians of {} rounds; processor time\n", kRuns, kRounds);
    for (const uint32_t limit : {200u, 1000u}) {
      const int pages = static_cast<int>(4000 / limit);
      const auto listed = [&](const char* what, Asker& asker, const Asker::Filter& filter, const Asker::Filter& owners) {
        compare(fmt::format("pages of {}: {}", limit, what).c_str(), "us/row", [&] { return asker.row_us(limit, pages, filter); },
                [&] { return all.row_us(limit, pages, owners); });
      };
      listed("owner again, all", all, nullptr, nullptr);
      listed("scientist, all he sees : owner, MARI", scientist, nullptr, of_mari);
      listed("scientist, MARI : owner, MARI", scientist, of_mari, of_mari);
      listed("member of BIG, all he sees : owner, BIG", member, nullptr, of_big);
      listed("member of BIG, all he sees : owner, all", member, nullptr, nullptr);
      listed("member of BIG and scientist of MARI : owner, all", both, nullptr, nullptr);
      listed("member of 5 experiments : owner, all", few, nullptr, nullptr);
      listed("member of 200 experiments : owner, all", many, nullptr, nullptr);
    }
    compare("status: scientist : owner", "us", [&] { return scientist.status_us(20); }, [&] { return all.status_us(20); });
    compare("status: member of BIG, 5000 runs : owner", "us", [&] { return member.status_us(5); }, [&] { return all.status_us(20); });
    compare("status: member of 200 experiments, 45 000 runs : owner", "us", [&] { return many.status_us(1); }, [&] { return all.status_us(20); });
    ledger.reset();
  }
}
