// runledger-verify: what a proof or an export proves, with nothing but the file and the public key. Files: docs/formats/proofs.md,
// docs/formats/export.md.
#include <fmt/format.h>
#include <kj/exception.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/counted.h"
#include "base/json_text.h"
#include "base/text.h"
#include "base/version.h"
#include "ledger/proof/named_blobs.h"
#include "ledger/proof/proof_file.h"
#include "tools/document.h"
#include "tools/event_text.h"
#include "tools/table.h"
#include "tools/verify/export_check.h"
#include "tools/verify/findings.h"
#include "tools/verify/kept_checkpoints.h"

namespace {

using Json = nlohmann::ordered_json;
using tools::Findings;
enum ExitCode : int { kProven = 0, kNotProven = 1, kError = 2 };

struct Options {
  std::string file;
  std::vector<std::string> keys;
  std::string checkpoints;
  std::string tlog;
  bool json = false;
};

base::Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return base::Status(base::Code::kUnavailable, fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  return text.str();
}

/// A line, or a file that holds one.
base::Result<ledger::NoteKey> read_key(const std::string& given) {
  auto key = ledger::NoteKey::parse(given);
  std::error_code ignored;  // a line of another kind may be too long for a name
  if (key.is_ok() || !std::filesystem::exists(given, ignored)) return key;
  auto line = read_file(given);
  if (!line.is_ok()) return line.status();
  key = ledger::NoteKey::parse(*line);
  if (!key.is_ok()) return key.status().in(given);
  return key;
}

base::Status write_tlog(const std::filesystem::path& folder, const ledger::ProofFile& file) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  for (const auto& event : file.events) {
    const auto write = [&](const char* ending, std::string_view bytes) -> base::Status {
      const std::filesystem::path path = folder / (std::to_string(event.seq) + ending);
      std::ofstream out(path, std::ios::binary | std::ios::trunc);
      out << bytes;
      out.close();
      if (!out) return {base::Code::kUnavailable, fmt::format("{}: cannot be written: {}", path.string(), std::strerror(errno))};
      return {};
    };
    const ledger::TlogProof proof{event.seq - 1, event.path, file.checkpoint};
    if (base::Status status = write(".tlog-proof", proof.text()); !status.is_ok()) return status;
    if (base::Status status = write(".leaf", event.bytes); !status.is_ok()) return status;
  }
  return {};
}

/// Each event in words; and that the documents are those the events name. kCorruption: an event cannot be read, or a document is none of theirs.
base::Status describe_events(Findings& findings, const ledger::ProofFile& file) {
  tools::JobNames jobs;
  std::set<std::string> named;
  Json events = Json::array(), documents = Json::array();
  for (const auto& event : file.events) {
    auto read = tools::Document<schema::Event>::open(event.bytes);
    if (!read.is_ok()) return read.status().in(fmt::format("event {}", event.seq));
    base::Status status;
    KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&] {
                   const auto content = read->get();
                   if (content.getSeq() != event.seq) {
                     status = {base::Code::kCorruption, fmt::format("event {} says of itself that it is event {}", event.seq, content.getSeq())};
                     return;
                   }
                   jobs.learn(content);
                   for (const auto& blob : ledger::named_blobs(content)) named.insert(blob.sha256);
                   const tools::EventLine line = tools::event_line(content, jobs);
                   const std::string actor = base::to_utf8(line.actor), text = base::to_utf8(line.text);
                   findings.text += fmt::format("event {}  {}  {} by {}: {}\n", line.seq, tools::exact_time(line.time_ns),
                                                tools::kind_words(line.kind), base::printable(actor), base::printable(text));
                   events.push_back({{"seq", line.seq}, {"time", tools::exact_time(line.time_ns)}, {"kind", line.kind}, {"actor", actor}, {"text", text}});
                 })) {
      status = {base::Code::kCorruption, fmt::format("event {} cannot be read: {}", event.seq, problem->getDescription().cStr())};
    }
    if (!status.is_ok()) return status;
  }
  for (const auto& [sha256, bytes] : file.documents) {
    if (!named.contains(sha256)) {
      return {base::Code::kCorruption, fmt::format("document {} is named by none of the events", base::hex(sha256))};
    }
    findings.text += fmt::format("document {}  {}\n", base::hex(sha256), tools::human_size(bytes.size()));
    documents.push_back({{"sha256", base::hex(sha256)}, {"size_bytes", bytes.size()}});
  }
  findings.json["events"] = std::move(events);
  findings.json["documents"] = std::move(documents);
  return {};
}

base::Status check_proof(Findings& findings, const std::string& text, const std::vector<ledger::NoteKey>& keys, const std::string& tlog) {
  findings.json["kind"] = "proof";
  auto file = ledger::ProofFile::parse(text);
  if (!file.is_ok()) return file.status();
  auto checkpoint = file->check(keys);
  if (!checkpoint.is_ok()) return checkpoint.status();
  if (base::Status status = describe_events(findings, *file); !status.is_ok()) return status;
  findings.describe(*checkpoint);
  findings.text = fmt::format("PROVEN: {} of {}, under its checkpoint of {} (root {})\n", file->events.size() == 1 ? "this event is" : "these events are",
                              base::printable(checkpoint->origin), base::counted(checkpoint->size, "event"), base::hex(checkpoint->root)) +
                  findings.text + "That the log holds no further events about the same run, a proof cannot say.\n";
  return tlog.empty() ? base::Status() : write_tlog(tlog, *file);
}

base::Status check_consistency(Findings& findings, const std::string& text, const std::vector<ledger::NoteKey>& keys) {
  findings.json["kind"] = "consistency";
  auto file = ledger::ConsistencyFile::parse(text);
  if (!file.is_ok()) return file.status();
  auto checked = file->check(keys);
  if (!checked.is_ok()) return checked.status();
  findings.describe(checked->to);
  findings.json["from_size"] = checked->from.size;
  findings.json["from_root"] = base::hex(checked->from.root);
  findings.text = fmt::format("PROVEN: the log of {}, {}, continues that of {}: the first {} were not changed\n", base::printable(checked->to.origin),
                              base::counted(checked->to.size, "event"), base::counted(checked->from.size, "event"), checked->from.size);
  return {};
}

enum class Kind { kProof, kConsistency, kExport, kCheckpoints, kOther };

/// By its first line, whatever the file is called.
Kind kind_of(const std::string& path) {
  std::string first(32, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(first.data(), static_cast<std::streamsize>(first.size()));
  if (first.starts_with("runledger proof ")) return Kind::kProof;
  if (first.starts_with("runledger consistency ")) return Kind::kConsistency;
  if (first.starts_with("runledger-export ")) return Kind::kExport;
  // A witness file, or a checkpoint, which begins with its origin.
  return ledger::is_witness_text(first) || first.starts_with(ledger::checkpoint_origin("")) ? Kind::kCheckpoints : Kind::kOther;
}

base::Status check(Findings& findings, Kind kind, const Options& options, const std::vector<ledger::NoteKey>& keys) {
  if (kind == Kind::kExport) {
    base::Result<std::vector<ledger::Witnessed>> kept = std::vector<ledger::Witnessed>();
    if (!options.checkpoints.empty()) kept = tools::read_checkpoints(options.checkpoints, keys);
    return kept.is_ok() ? tools::check_export_file(findings, options.file, keys, *kept, options.checkpoints) : kept.status();
  }
  if (kind == Kind::kCheckpoints) return tools::check_checkpoints(findings, options.file, keys);
  const auto text = read_file(options.file);
  if (!text.is_ok()) return text.status();
  if (kind == Kind::kProof) return check_proof(findings, *text, keys, options.tlog);
  if (kind == Kind::kConsistency) return check_consistency(findings, *text, keys);
  return {base::Code::kInvalidArgument, "it is no file that `runledger prove` or `runledger export` writes, nor a witness file"};
}

/// With the file's name in front, once.
std::string named(const std::string& file, const std::string& message) {
  return message.starts_with(file + ":") ? message : fmt::format("{}: {}", file, message);
}

int run(const Options& options) {
  std::vector<ledger::NoteKey> keys;
  const auto fail = [](const base::Status& status) {
    fmt::print(stderr, "runledger-verify: {}\n", base::printable(status.message()));
    return kError;
  };
  for (const std::string& given : options.keys) {
    auto key = read_key(given);
    if (!key.is_ok()) return fail(key.status());
    keys.push_back(*key);
  }
  const Kind kind = kind_of(options.file);
  if (kind != Kind::kProof && !options.tlog.empty()) return fail({base::Code::kInvalidArgument, "--tlog is for proofs of events only; leave it out"});
  if (kind != Kind::kExport && !options.checkpoints.empty()) {
    return fail({base::Code::kInvalidArgument, "--checkpoints is for exports only; of two checkpoints `runledger prove --consistency` makes a proof"});
  }
  Findings findings;
  findings.json["ok"] = false;
  const base::Status status = check(findings, kind, options, keys);
  if (status.code() == base::Code::kUnavailable) return fail(status);
  findings.json["ok"] = status.is_ok();
  findings.json["problem"] = status.is_ok() ? Json() : Json(status.message());
  if (options.json) {
    fmt::print("{}\n", base::json_text(findings.json));
  } else if (status.is_ok()) {
    fmt::print("{}", findings.text);
  } else {
    fmt::print("NOT proven: {}\n", base::printable(named(options.file, status.message())));
  }
  return status.is_ok() ? kProven : kNotProven;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Checks a file that `runledger prove` or `runledger export` wrote, with nothing but the file and the ledger's public key.",
               "runledger-verify");
  Options options;
  app.add_option("file", options.file, "Proof or export")->type_name("FILE")->required();
  app.add_option("--key", options.keys, "Public key of the ledger: its line, or a file that holds it. May be repeated")
      ->type_name("LINE|FILE")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--checkpoints", options.checkpoints, "An export: it must continue the checkpoints kept in this file, a copy of the witness file or one checkpoint")
      ->type_name("FILE");
  app.add_option("--tlog", options.tlog, "Write each event and its proof for other verifiers: SEQ.leaf, SEQ.tlog-proof (c2sp.org/tlog-proof)")
      ->type_name("DIR");
  app.add_flag("--json", options.json, "What is proven, in JSON");
  app.set_version_flag("--version", std::string(base::version()), "Print the version and end");
  app.footer("Exit codes: 0 proven, 1 not proven, 2 usage or error.\nExample: runledger-verify MARI28001.proof --key checkpoint.pub");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : kError;
  }
  try {
    return run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "runledger-verify: {}\n", base::printable(error.what()));
    return kError;
  }
}
