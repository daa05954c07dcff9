#include "tests/daemons/monitor/fake_ledger.h"

#include <capnp/serialize.h>
#include <kj/debug.h>

#include <algorithm>
#include <iterator>

#include "ledger/canonical.h"

namespace tests {
namespace {

std::string text_of(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

}  // namespace

void FakeLedger::require_connection() const {
  if (gone) kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the ledger has gone away"));
}

class FakeLedger::Port final : public schema::DaemonPort::Server {
 public:
  explicit Port(FakeLedger& ledger) : ledger_(ledger) {}

  kj::Promise<void> submit(SubmitContext context) override {
    ledger_.require_connection();
    auto commands = context.getParams().getCommands();
    for (auto command : commands) {
      bool poisonous = command.getBody().isDetectRun() && ledger_.poison.contains(command.getBody().getDetectRun().getRun().getRunNumber());
      if (poisonous) kj::throwFatalException(KJ_EXCEPTION(FAILED, "this command breaks me"));
    }
    ledger_.most_in_a_call = std::max<size_t>(ledger_.most_in_a_call, commands.size());
    auto answers = context.getResults().initAnswers(commands.size());
    for (unsigned i = 0; i < commands.size(); ++i) ledger_.decide(commands[i], answers[i]);
    ledger_.changed();
    return kj::READY_NOW;
  }

  /// Two files a page, so that pages matter.
  kj::Promise<void> files(FilesContext context) override {
    ledger_.require_connection();
    std::string instrument = text_of(context.getParams().getInstrument());
    auto after = context.getParams().getAfter();
    std::string path(reinterpret_cast<const char*>(after.begin()), after.size());
    auto at = ledger_.files_.upper_bound({instrument, path});
    std::vector<decltype(at)> page;
    for (; at != ledger_.files_.end() && at->first.first == instrument && page.size() < 2; ++at) page.push_back(at);
    auto rows = context.getResults().initFiles(static_cast<unsigned>(page.size()));
    for (unsigned i = 0; i < rows.size(); ++i) {
      const auto& [key, facts] = *page[i];
      auto file = rows[i].initFile();
      file.setPath(key.second.c_str());
      file.setSizeBytes(facts.size_bytes);
      file.setModifiedAt(facts.modified_ns);
      file.setSha256(kj::arrayPtr(reinterpret_cast<const kj::byte*>(facts.sha256.data()), facts.sha256.size()));
      rows[i].setRunNumber(facts.run_number);
      rows[i].setRefused(facts.refused);
      rows[i].setSeq(facts.seq);
    }
    if (page.size() == 2) {
      const std::string& last = page.back()->first.second;
      context.getResults().setNext(kj::arrayPtr(reinterpret_cast<const kj::byte*>(last.data()), last.size()));
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> alive(AliveContext context) override {
    ledger_.require_connection();
    ledger_.detail = text_of(context.getParams().getDetail());
    ledger_.changed();
    return kj::READY_NOW;
  }

 private:
  FakeLedger& ledger_;
};

class FakeLedger::Runs final : public schema::Runs::Server {
 public:
  explicit Runs(FakeLedger& ledger) : ledger_(ledger) {}

  kj::Promise<void> instruments(InstrumentsContext context) override {
    ledger_.require_connection();
    auto rows = context.getResults().initInstruments(static_cast<unsigned>(ledger_.instruments_.size()));
    unsigned i = 0;
    for (const auto& [name, instrument] : ledger_.instruments_) {
      auto config = rows[i++].initConfig();
      config.setInstrument(name.c_str());
      auto folders = config.initRawFolders(static_cast<unsigned>(instrument.folders.size()));
      for (unsigned j = 0; j < folders.size(); ++j) folders.set(j, instrument.folders[j].c_str());
      auto patterns = config.initFilePatterns(static_cast<unsigned>(instrument.patterns.size()));
      for (unsigned j = 0; j < patterns.size(); ++j) patterns.set(j, instrument.patterns[j].c_str());
      config.setRunNumberPattern(instrument.run_number_pattern.c_str());
      config.setDetect(instrument.detect.c_str());
      config.setRetired(instrument.retired);
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> watch(WatchContext context) override {
    ledger_.require_connection();
    ledger_.sinks_.emplace_back(context.getParams().getSink());
    return kj::READY_NOW;
  }

 private:
  FakeLedger& ledger_;
};

class FakeLedger::Session final : public schema::Session::Server {
 public:
  explicit Session(FakeLedger& ledger) : ledger_(ledger) {}

  kj::Promise<void> runs(RunsContext context) override {
    context.getResults().setRuns(kj::heap<Runs>(ledger_));
    return kj::READY_NOW;
  }
  kj::Promise<void> daemon(DaemonContext context) override {
    KJ_REQUIRE(context.getParams().getRole() == schema::DaemonRole::MONITOR);
    if (!ledger_.denial.empty()) {
      context.getResults().initRefusal().setCode(schema::Refusal::Code::PERMISSION_DENIED);
      context.getResults().getRefusal().setText(ledger_.denial);
      return kj::READY_NOW;
    }
    context.getResults().setPort(kj::heap<Port>(ledger_));
    return kj::READY_NOW;
  }

 private:
  FakeLedger& ledger_;
};

schema::Session::Client FakeLedger::session() { return kj::heap<Session>(*this); }

void FakeLedger::configure(FakeInstrument instrument) {
  instruments_[instrument.name] = std::move(instrument);
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::Event>().getBody().initInstrumentConfigured();
  std::string bytes = ledger::canonical_bytes(message.getRoot<schema::Event>().asReader());
  for (auto& sink : sinks_) {
    auto request = sink.pushRequest();
    request.initEvents(1).set(0, ledger::data(bytes));
    request.send().ignoreResult().detach([](kj::Exception&&) {});
  }
}

void FakeLedger::decide(schema::Command::Reader command, schema::Answer::Builder answer) {
  ++commands;
  auto refuse = [&](schema::Refusal::Code code, const char* why) {
    answer.initRefusal().setCode(code);
    answer.getRefusal().setText(why);
  };
  if (busy_answers > 0) {
    --busy_answers;
    return refuse(schema::Refusal::Code::UNAVAILABLE, "busy");
  }
  std::string id = text_of(command.getId());
  KJ_REQUIRE(!id.empty() && id.size() <= 128, "no command without a proper id", id.c_str());
  if (auto before = answered_.find(id); before != answered_.end()) {
    answer.setRepeated(true);
    answer.initEvents(1).set(0, before->second);
    return;
  }
  Told said;
  schema::RawFile::Reader file;
  auto body = command.getBody();
  if (body.isDetectRun()) {
    auto run = body.getDetectRun();
    said.instrument = text_of(run.getRun().getInstrument());
    said.run_number = run.getRun().getRunNumber();
    said.source = text_of(run.getSource());
    for (auto problem : run.getProblems()) said.problems.push_back(text_of(problem));
    KJ_REQUIRE(run.getFiles().size() == 1 && said.run_number != 0);
    file = run.getFiles()[0];
  } else {
    auto refusal = body.getRefuseFile();
    said.refused = true;
    said.instrument = text_of(refusal.getInstrument());
    said.run_number = refusal.getRunNumber();
    said.code = text_of(refusal.getReason().getCode());
    said.text = text_of(refusal.getReason().getText());
    file = refusal.getFile();
  }
  if (unwanted.contains(said.run_number)) return refuse(schema::Refusal::Code::INVALID_ARGUMENT, "not this one");
  said.path = text_of(file.getPath());
  said.size_bytes = file.getSizeBytes();
  uint64_t seq = ++head_;
  auto hash = file.getSha256();
  files_[{said.instrument, said.path}] = FileFacts{said.size_bytes,  file.getModifiedAt(), std::string(reinterpret_cast<const char*>(hash.begin()), hash.size()),
                                                   said.run_number, said.refused,         seq};
  answered_[id] = seq;
  answer.initEvents(1).set(0, seq);
  told.push_back(std::move(said));
}

std::vector<Told> FakeLedger::detected() const {
  std::vector<Told> list;
  std::copy_if(told.begin(), told.end(), std::back_inserter(list), [](const Told& said) { return !said.refused; });
  return list;
}

std::vector<Told> FakeLedger::refused() const {
  std::vector<Told> list;
  std::copy_if(told.begin(), told.end(), std::back_inserter(list), [](const Told& said) { return said.refused; });
  return list;
}

}  // namespace tests
