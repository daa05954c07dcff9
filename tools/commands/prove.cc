#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/counted.h"
#include "base/text.h"
#include "ledger/proof/named_blobs.h"
#include "ledger/proof/proof_file.h"
#include "ledger/proof/tiles.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/records.h"
#include "rpc/answers.h"

namespace tools {
namespace {

constexpr size_t kMaxEvents = 1000;  // what the ledger proves in one answer, under one checkpoint

struct ProveOptions {
  std::vector<std::string> words;
  std::string output;
  std::string consistency;
  std::string tiles;
  bool checkpoint = false;
  bool key = false;
};

/// The ledger's auditor, and the key it says it signs with.
class Auditor {
 public:
  static base::Result<Auditor> open(Context& context) {
    base::Result<Client*> client = context.client();
    if (!client.is_ok()) return client.status();
    auto granted = ask(**client, (*client)->session().auditorRequest());
    if (!granted.is_ok()) return granted.status();
    auto answer = ask(**client, granted->getAuditor().keyRequest());
    if (!answer.is_ok()) return answer.status();
    auto key = ledger::NoteKey::parse(text_of(answer->getPublicKey()));
    if (!key.is_ok()) return key.status();
    return Auditor(**client, granted->getAuditor(), *key);
  }

  Client& client() { return *client_; }
  const ledger::NoteKey& key() const { return key_; }
  std::vector<ledger::NoteKey> keys() const { return {key_}; }

  base::Result<std::string> checkpoint() {
    auto answer = ask(*client_, auditor_.checkpointRequest());
    if (!answer.is_ok()) return answer.status();
    return std::string(text_of(answer->getNote()));
  }
  base::Result<ledger::ProofFile> prove(const std::vector<uint64_t>& seqs) {
    auto request = auditor_.proveRequest();
    auto events = request.initEvents(seqs.size());
    for (size_t i = 0; i < seqs.size(); ++i) events.set(i, seqs[i]);
    auto answer = ask(*client_, std::move(request));
    if (!answer.is_ok()) return answer.status();
    ledger::ProofFile file;
    file.checkpoint = text_of(answer->getCheckpoint());
    for (size_t i = 0; i < answer->getProofs().size(); ++i) {
      auto proof = answer->getProofs()[i];
      file.events.push_back({seqs[i], std::string(bytes_of(proof.getEvent())), rpc::path_of(proof.getPath())});
    }
    return file;
  }
  base::Result<std::vector<base::Sha256>> consistency(uint64_t from, uint64_t to) {
    auto request = auditor_.consistencyRequest();
    request.setFromSize(from);
    request.setToSize(to);
    auto answer = ask(*client_, std::move(request));
    if (!answer.is_ok()) return answer.status();
    return rpc::path_of(answer->getPath());
  }

 private:
  Auditor(Client& client, schema::Auditor::Client auditor, ledger::NoteKey key) : client_(&client), auditor_(kj::mv(auditor)), key_(std::move(key)) {}
  Client* client_;
  schema::Auditor::Client auditor_;
  ledger::NoteKey key_;
};

base::Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return base::Status(base::Code::kInvalidArgument, fmt::format("{}: cannot be read: {}", path, strerror(errno)));
  return text.str();
}

/// To the file named, with a sentence about it; else to standard output. In JSON `summary`, with the text where no file is named.
base::Result<int> deliver(Context& context, const ProveOptions& options, const std::string& text, Json summary, const std::string& sentence) {
  if (!options.output.empty()) {
    std::ofstream file(options.output, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) return base::Status(base::Code::kUnavailable, fmt::format("{}: cannot be written: {}", options.output, strerror(errno)));
  }
  summary["file"] = options.output.empty() ? Json() : Json(options.output);
  if (options.output.empty()) summary["text"] = text;
  if (context.options.json) {
    context.print(summary);
  } else if (options.output.empty()) {
    context.out << text;
  } else {
    context.out << fmt::format("{}: {}\n", options.output, sentence);
  }
  return kDone;
}

/// The events that are asked for.
base::Result<std::vector<uint64_t>> named_events(Context& context, Client& client, const std::vector<std::string>& words) {
  uint64_t seq = 0;
  if (words.size() == 1) {
    const auto [end, error] = std::from_chars(words[0].data(), words[0].data() + words[0].size(), seq);
    if (error == std::errc() && end == words[0].data() + words[0].size()) return std::vector<uint64_t>{seq};
  }
  base::Result<RunName> run = context.run(words);
  if (!run.is_ok()) return run.status();
  base::Result<Events> events = base::Status();
  if (run->version == 0) {
    events = run_history(client, run->instrument, run->run_number);
  } else {
    base::Result<ShownVersion> version = show_version(client, *run);
    if (!version.is_ok()) return version.status();
    events = job_history(client, version->job.getJob());
  }
  if (!events.is_ok()) return events.status();
  std::vector<uint64_t> seqs;
  for (const auto& event : *events) seqs.push_back(event.get().getSeq());
  if (seqs.empty()) {
    return base::Status(base::Code::kNotFound, fmt::format("{}: there is no such run", run_text(run->instrument, run->run_number)));
  }
  if (seqs.size() > kMaxEvents) {
    return base::Status(base::Code::kInvalidArgument,
                        fmt::format("{} has {} events; at most {} are proven at once, name a version of it or single events",
                                    run_text(run->instrument, run->run_number), seqs.size(), kMaxEvents));
  }
  return seqs;
}

/// Documents the proven events name, but for logs. Those that were erased are left out, and that is said.
base::Status add_documents(Context& context, Client& client, ledger::ProofFile& file) {
  for (const auto& event : file.events) {
    auto read = Document<schema::Event>::open(event.bytes);
    if (!read.is_ok()) return read.status();
    for (const ledger::NamedBlob& named : ledger::named_blobs(read->get())) {
      if (named.is_log || file.documents.contains(named.sha256)) continue;
      base::Result<std::string> bytes = blob(client, named.sha256);
      if (!bytes.is_ok() && bytes.status().code() == base::Code::kNotFound) {
        context.say(fmt::format("document {} of event {} is not in the ledger any more; the proof is without it", base::hex(named.sha256), event.seq));
        continue;
      }
      if (!bytes.is_ok()) return bytes.status();
      file.documents[named.sha256] = std::move(*bytes);
    }
  }
  return base::Status::ok();
}

base::Result<int> prove_events(Context& context, Auditor& auditor, const ProveOptions& options) {
  auto seqs = named_events(context, auditor.client(), options.words);
  if (!seqs.is_ok()) return seqs.status();
  auto file = auditor.prove(*seqs);
  if (!file.is_ok()) return file.status();
  if (base::Status status = add_documents(context, auditor.client(), *file); !status.is_ok()) return status;
  auto proven = file->check(auditor.keys());
  if (!proven.is_ok()) return proven.status().in("the ledger's answer proves nothing, run 'runledger verify'");
  const std::string what = fmt::format("{} and {} proven under a checkpoint of {}", base::counted(file->events.size(), "event"),
                                       base::counted(file->documents.size(), "document"), base::counted(proven->size, "event"));
  Json summary{{"events", *seqs}, {"documents", file->documents.size()}, {"size", proven->size}, {"root", base::hex(proven->root)}};
  return deliver(context, options, file->text(), std::move(summary), what);
}

base::Result<int> prove_consistency(Context& context, Auditor& auditor, const ProveOptions& options) {
  auto old = read_file(options.consistency);
  if (!old.is_ok()) return old.status();
  auto from = ledger::Checkpoint::open(*old, auditor.keys());
  if (!from.is_ok()) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("{}: {}; give a file as `runledger prove --checkpoint -o FILE` writes it",
                                                                  options.consistency, from.status().message()));
  }
  auto note = auditor.checkpoint();
  if (!note.is_ok()) return note.status();
  auto to = ledger::Checkpoint::open(*note, auditor.keys());
  if (!to.is_ok()) return to.status();
  auto path = auditor.consistency(from->size, to->size);
  if (!path.is_ok()) return path.status();
  const ledger::ConsistencyFile file{*old, *note, std::move(*path)};
  if (auto checked = file.check(auditor.keys()); !checked.is_ok()) {
    return checked.status().in(fmt::format("the ledger does not continue {}; run 'runledger verify'", options.consistency));
  }
  Json summary{{"from_size", from->size}, {"size", to->size}, {"root", base::hex(to->root)}};
  return deliver(context, options, file.text(), std::move(summary), fmt::format("the log of {} events continues that of {}", to->size, from->size));
}

base::Result<int> give_checkpoint(Context& context, Auditor& auditor, const ProveOptions& options) {
  auto note = auditor.checkpoint();
  if (!note.is_ok()) return note.status();
  auto checkpoint = ledger::Checkpoint::open(*note, auditor.keys());
  if (!checkpoint.is_ok()) return checkpoint.status();
  Json summary{{"origin", checkpoint->origin}, {"size", checkpoint->size}, {"root", base::hex(checkpoint->root)}, {"key", auditor.key().line()}};
  return deliver(context, options, *note, std::move(summary), fmt::format("checkpoint of {}", base::counted(checkpoint->size, "event")));
}

/// Of a log that is being written as tiles; the sink may live longer than who waits for it.
struct Tiling {
  ledger::TileWriter tiles;
  const uint64_t size;
  kj::Own<kj::PromiseFulfiller<void>> enough;
  base::Status problem;  // of our own disk
};

/// Takes events in order until there are enough.
class TileSink final : public schema::EventSink::Server {
 public:
  explicit TileSink(std::shared_ptr<Tiling> tiling) : tiling_(std::move(tiling)) {}
  ~TileSink() noexcept(false) { tiling_->enough->reject(KJ_EXCEPTION(DISCONNECTED, "ledgerd ended the subscription")); }
  kj::Promise<void> push(PushContext context) override {
    auto& [tiles, size, enough, problem] = *tiling_;
    for (auto event : context.getParams().getEvents()) {
      if (!problem.is_ok() || tiles.size() == size) break;
      problem = tiles.append(bytes_of(event));
    }
    if (!problem.is_ok() || tiles.size() == size) enough->fulfill();
    return kj::READY_NOW;
  }

 private:
  const std::shared_ptr<Tiling> tiling_;
};

base::Result<int> write_tiles(Context& context, Auditor& auditor, const ProveOptions& options) {
  std::error_code error;
  if (std::filesystem::exists(options.tiles, error) && !std::filesystem::is_empty(options.tiles, error)) {
    return base::Status(base::Code::kAlreadyExists, fmt::format("{}: is not empty; give a folder that is not there yet", options.tiles));
  }
  auto note = auditor.checkpoint();
  if (!note.is_ok()) return note.status();
  auto checkpoint = ledger::Checkpoint::open(*note, auditor.keys());
  if (!checkpoint.is_ok()) return checkpoint.status();
  auto enough = kj::newPromiseAndFulfiller<void>();
  auto tiling = std::make_shared<Tiling>(ledger::TileWriter(options.tiles), checkpoint->size, kj::mv(enough.fulfiller), base::Status());
  auto request = auditor.client().session().runsRequest().send().getRuns().watchRequest();
  request.setFrom(1);
  request.setSink(kj::heap<TileSink>(tiling));
  auto watch = ask(auditor.client(), std::move(request));
  if (!watch.is_ok()) return watch.status();
  if (base::Status read = auditor.client().wait(kj::mv(enough.promise)); !read.is_ok()) return read;
  if (!tiling->problem.is_ok()) return tiling->problem;
  if (base::Status written = tiling->tiles.finish(*note); !written.is_ok()) return written;
  if (context.options.json) {
    context.print(Json{{"folder", options.tiles}, {"size", checkpoint->size}, {"root", base::hex(checkpoint->root)}});
  } else {
    context.out << fmt::format("{}: {} as tiles\n", options.tiles, base::counted(checkpoint->size, "event"));
  }
  return kDone;
}

base::Result<int> prove(Context& context, const ProveOptions& options) {
  const int asked = !options.words.empty() + !options.consistency.empty() + !options.tiles.empty() + options.checkpoint + options.key;
  if (asked != 1) {
    return base::Status(base::Code::kInvalidArgument, "name one thing to prove: an event, a run, --consistency, --tiles, --checkpoint or --key");
  }
  if (!options.tiles.empty() && !options.output.empty()) {
    return base::Status(base::Code::kInvalidArgument, "--output does nothing with --tiles, which writes a folder; leave it out");
  }
  auto auditor = Auditor::open(context);
  if (!auditor.is_ok()) return auditor.status();
  if (!options.consistency.empty()) return prove_consistency(context, *auditor, options);
  if (!options.tiles.empty()) return write_tiles(context, *auditor, options);
  if (options.checkpoint) return give_checkpoint(context, *auditor, options);
  if (options.key) {
    const std::string line = auditor->key().line();
    return deliver(context, options, line + "\n", {{"origin", auditor->key().name}, {"key", line}}, "the ledger's public key");
  }
  return prove_events(context, *auditor, options);
}

}  // namespace

void add_prove(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("prove", "Write a proof that others can check without the ledger, with runledger-verify");
  auto options = std::make_shared<ProveOptions>();
  command->add_option("what", options->words, "Event, by its number, or a run or a version of it, with all its events")->type_name("SEQ|RUN");
  command->add_option("-o,--output", options->output, "File to write it to, instead of standard output")->type_name("FILE");
  command->add_option("--consistency", options->consistency, "Prove that the log continues the one of this checkpoint")->type_name("FILE");
  command->add_option("--tiles", options->tiles, "Write the whole log as tiles (c2sp.org/tlog-tiles) to a new folder")->type_name("DIR");
  command->add_flag("--checkpoint", options->checkpoint, "The newest checkpoint, signed and witnessed now");
  command->add_flag("--key", options->key, "The public key that checkpoints are signed with");
  command->footer("Example: runledger prove MARI 28001 -o MARI28001.proof");
  command->callback([&context, options] { context.finish(prove(context, *options)); });
}

}  // namespace tools
