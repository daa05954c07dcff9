// A served ledger with runs that were reduced, and callers at its door.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/reduction_log.h"
#include "ledger/event_bytes.h"
#include "ledger/subjects.h"
#include "rpc/service/access_desk.h"
#include "schema/document.capnp.h"
#include "tests/rpc/service/callers.h"
#include "tests/rpc/service/fake_accounts.h"
#include "tests/support/served_ledger.h"

namespace support {

using Code = schema::Refusal::Code;

/// Two instruments, LET and MARI, each with a script; a worker; experiments E1 and E2.
class ReducedTest : public testing::Test {
 protected:
  ReducedTest() {
    for (const char* instrument : {"LET", "MARI"}) {
      served.must(configure_instrument(std::string("configure ") + instrument, instrument));
      served.must(register_script(std::string("script ") + instrument, instrument));
    }
    served.must(join_worker("join", "w1", 4), daemon("workerd/w1"));
  }

  using Files = std::map<std::string, std::string>;
  std::string next_id(std::string_view what) { return std::string(what) + " " + std::to_string(++ids); }
  static std::string name_of(const std::string& instrument, uint64_t number) { return instrument + std::to_string(number); }

  uint64_t detect(const std::string& instrument, uint64_t number, const std::string& experiment) {
    experiments[name_of(instrument, number)] = experiment;
    return causes[name_of(instrument, number)] = served.must(detect_run(next_id("detect"), instrument, number, experiment), daemon("monitord"));
  }
  /// A job that answers `cause`, a campaign's when `campaign` is not 0.
  uint64_t queue(const std::string& instrument, uint64_t number, uint64_t cause, uint64_t campaign = 0) {
    auto command = queue_job(next_id("queue"), instrument, number, experiments[name_of(instrument, number)]);
    command.cause(cause);
    command.get().getBody().getQueueJob().setCampaign(campaign);
    return served.must(command, daemon("coordinatord"));
  }
  uint64_t queue_new(const std::string& instrument, uint64_t number, const std::string& experiment) { return queue(instrument, number, detect(instrument, number, experiment)); }
  /// The job runs, and writes these.
  void succeed(uint64_t job, const Files& files) {
    const uint64_t fence = served.must(start_attempt(next_id("start"), job, "w1"), daemon("workerd/w1"));
    auto result = succeed_attempt(next_id("succeed"), job, 1, fence);
    auto outputs = result.get().getBody().getSucceedAttempt().getOutputs();
    outputs.setManifest(data(result.blob(manifest(files))));
    uint32_t count = 0;
    uint64_t bytes = 0;
    for (const auto& [path, content] : files) {
      if (base::is_reduction_log(path)) continue;
      ++count;
      bytes += content.size();
    }
    outputs.setFiles(count);
    outputs.setTotalBytes(bytes);
    served.must(result, daemon("workerd/w1"));
    served.must(publish_job(next_id("publish"), job, 1, fence), daemon("workerd/w1"));
  }
  void fail(uint64_t job) {
    const uint64_t fence = served.must(start_attempt(next_id("start"), job, "w1"), daemon("workerd/w1"));
    CommandMessage command(next_id("fail"));
    auto failed = command.get().getBody().initFailAttempt();
    failed.setJob(job);
    failed.setAttempt(1);
    failed.setFence(fence);
    failed.setKind(schema::FailureKind::SCRIPT_EXCEPTION);
    failed.setMessage("ValueError: no peak");
    served.must(command, daemon("workerd/w1"));
  }
  uint64_t reduced(const std::string& instrument, uint64_t number, const std::string& experiment, const Files& files = {{"a.nxs", "1"}}) {
    const uint64_t job = queue_new(instrument, number, experiment);
    succeed(job, files);
    return job;
  }
  static std::string manifest(const Files& files) {
    capnp::MallocMessageBuilder message;
    auto list = message.initRoot<schema::OutputManifest>().initFiles(static_cast<uint32_t>(files.size()));
    uint32_t next = 0;
    for (const auto& [path, content] : files) {
      list[next].setPath(path);
      list[next].setSizeBytes(content.size());
      list[next++].setSha256(data(base::sha256(content)));
    }
    return std::string(ledger::built_bytes(message));
  }
  static std::string hash(std::string_view content) { return std::string(base::as_bytes(base::sha256(content))); }

  template <typename Request>
  auto ask(Request request) {
    return served.loop.wait(request.send().then([](auto&& response) { return kj::mv(response); }));
  }
  schema::Session::Client session(const rpc::Caller& who) {
    rpc::Peer peer;
    peer.caller = who;
    peer.source = who.source;
    return ask(served.service->gateway(peer).loginRequest()).getSession();
  }
  schema::Runs::Client runs(const rpc::Caller& who) { return ask(session(who).runsRequest()).getRuns(); }
  schema::Campaigns::Client campaigns(const rpc::Caller& who) { return ask(session(who).campaignsRequest()).getCampaigns(); }
  schema::Instrument::Client instrument(const rpc::Caller& who, const std::string& name) {
    auto request = session(who).instrumentRequest();
    request.setName(name);
    return ask(kj::mv(request)).getInstrument();
  }

  /// Every page of `limit` rows: `words` makes one text of each row, `rows` picks them from a response.
  template <typename MakeRequest, typename Rows, typename Words>
  std::vector<std::string> all_pages(const MakeRequest& make, uint32_t limit, const Rows& rows, const Words& words) {
    std::vector<std::string> found;
    std::string after;
    do {
      auto request = make();
      request.setLimit(limit);
      request.setAfter(ledger::data(after));
      auto page = ask(kj::mv(request));
      for (auto row : rows(page)) found.push_back(words(row));
      after = ledger::view(page.getNext());
    } while (!after.empty());
    return found;
  }
  static std::string key_words(schema::RunKey::Reader run) { return run.getInstrument().cStr() + std::to_string(run.getRunNumber()); }
  static base::Status status_of(schema::Refusal::Reader refusal) { return {static_cast<base::Code>(refusal.getCode()), refusal.getText().cStr()}; }

  /// "alice see_run MARI 28001", of all denials once they are on record.
  std::vector<std::string> denials() {
    served.loop.wait(served.service->access().close());
    std::vector<std::string> found;
    const auto snapshot = served.ledger->snapshot();
    for (const uint64_t seq : snapshot->subject(ledger::denials_subject(), 1, 100)) {
      const auto words = snapshot->event(seq).value();
      ledger::StoredEvent event(words);
      const auto denied = event.get().getBody().getAccessDenied();
      found.push_back(event.get().getActor().getName().cStr() + std::string(" ") + denied.getAction().cStr() + " " + denied.getSubject().cStr());
    }
    return found;
  }
  base::Status blob(schema::Runs::Client client, std::string_view sha256) {
    auto request = client.blobRequest();
    request.setSha256(ledger::data(sha256));
    return status_of(ask(kj::mv(request)).getRefusal());
  }
  std::vector<uint64_t> history(const rpc::Caller& who, const std::function<void(schema::Subject::Builder)>& subject) {
    auto request = runs(who).historyRequest();
    subject(request.initSubject());
    std::vector<uint64_t> seqs;
    auto answer = ask(kj::mv(request));
    for (auto bytes : answer.getEvents()) seqs.push_back(ledger::Row<schema::Event>(ledger::view(bytes)).get().getSeq());
    return seqs;
  }
  void set_limits(uint32_t member, uint32_t scientist) {
    rpc::AccessSettings settings;
    settings.enforced = true;
    settings.member_reruns = member;
    settings.scientist_reruns = scientist;
    served.service->use_access(settings, std::make_shared<FakeAccounts>());
  }

  ServedLedger served;
  std::map<std::string, uint64_t> causes;
  std::map<std::string, std::string> experiments;
  int ids = 0;
};

}  // namespace support
