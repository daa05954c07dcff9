// runledger-ledger: export, import, restore, doctor: what is done to a ledger's files. The command `runledger` starts it.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "base/counted.h"
#include "base/json_text.h"
#include "base/text.h"
#include "daemons/ledger_files/diagnosis_text.h"
#include "daemons/ledger_files/export_log.h"
#include "ledger/backup.h"
#include "ledger/doctor.h"
#include "ledger/import.h"
#include "rpc/loop.h"
#include "rpc/transport.h"
#include "site/site.h"

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string site, connect, folder, file, backup, salvage, restore, reason;
  uint64_t from = 1;
  int token_fd = -1;
  rpc::TlsClientFiles tls;
  bool json = false, accept_loss = false, even_unsigned = false;
};

constexpr int kDone = 0, kNotSo = 1, kError = 2;

int fail(const base::Status& status) {
  fmt::print(stderr, "runledger: {}\n", base::printable(status.message()));
  return kError;
}

void print(const Json& json) { std::cout << base::json_text(json) << '\n'; }

/// On stderr, at every tenth of each part of the work.
class Progress {
 public:
  bool operator()(std::string_view what, uint64_t done, uint64_t total) {
    const uint64_t tenth = total == 0 ? 0 : done * 10 / total;
    if (what == what_ && tenth == tenth_) return true;
    what_ = what;
    tenth_ = tenth;
    if (total == 0) {
      fmt::print(stderr, "runledger: {} ...\n", what);
    } else if (done > 0) {
      fmt::print(stderr, "runledger: {}: {} of {}\n", what, done, total);
    }
    return true;
  }

 private:
  std::string what_;
  uint64_t tenth_ = 0;
};

ledger::LongWork progress() {
  return [state = std::make_shared<Progress>()](std::string_view what, uint64_t done, uint64_t total) { return (*state)(what, done, total); };
}

ledger::Identity caller() {
  const passwd* account = getpwuid(geteuid());
  return {schema::Actor::Kind::PERSON, account ? account->pw_name : std::to_string(geteuid()), fmt::format("uid {}, runledger doctor", geteuid())};
}

base::Result<site::Site> site_of(const Options& options) {
  std::error_code gone;
  auto folder = site::find(options.site.empty() ? std::nullopt : std::optional(options.site), std::filesystem::current_path(gone));
  if (!folder.is_ok()) return base::Status(base::Code::kInvalidArgument, folder.status().message());
  return site::load(*folder);
}

std::string read_all(int descriptor) {
  std::string text;
  char piece[256];
  for (ssize_t got; (got = read(descriptor, piece, sizeof piece)) > 0;) text.append(piece, static_cast<size_t>(got));
  return text;
}

int export_file(const Options& options) {
  std::string address = options.connect;
  if (address.empty()) {
    auto site = site_of(options);
    if (!site.is_ok()) return fail(site.status());
    if (site->listen.empty()) return fail({base::Code::kInvalidArgument, "[facility] listen is empty; ledgerd cannot be reached"});
    address = site->listen.front();
  }
  const std::string token = options.token_fd < 0 ? "" : read_all(options.token_fd);
  rpc::Loop loop;
  auto say = progress();
  auto work = rpc::connect(loop, address, {.tls = options.tls}).then([&](rpc::Connection connection) {
    auto held = kj::heap<rpc::Connection>(kj::mv(connection));
    auto gateway = held->bootstrap().castAs<schema::Gateway>();
    auto broken = held->on_disconnect().then([]() -> base::Result<daemons::Exported> {
      return base::Status(base::Code::kUnavailable, "the connection to ledgerd broke; nothing was written, try again");
    });
    return daemons::export_log(kj::mv(gateway), {options.file, options.from, token, options.even_unsigned}, [&](uint64_t done, uint64_t total) { say("events", done, total); })
        .exclusiveJoin(kj::mv(broken))
        .attach(kj::mv(held));
  }).catch_([](kj::Exception&& problem) -> base::Result<daemons::Exported> {
    return base::Status(base::Code::kUnavailable, problem.getDescription().cStr());
  });
  const auto done = loop.wait(kj::mv(work));
  if (!done.is_ok()) {
    fail(done.status());
    return done.status().code() == base::Code::kNotFound ? kNotSo : kError;
  }
  const base::Status& unsigned_because = done->unsigned_because;
  if (!unsigned_because.is_ok()) {
    fmt::print(stderr, "runledger: {} bears no checkpoint: {}\n", base::printable(options.file), base::printable(unsigned_because.message()));
  }
  if (options.json) {
    print(Json{{"file", options.file}, {"ledger", done->ledger_id}, {"from", done->from}, {"to", done->to}, {"bytes", done->file_bytes},
               {"root", base::hex(done->root)}, {"signed", unsigned_because.is_ok()},
               {"unsigned_because", unsigned_because.is_ok() ? Json() : Json(unsigned_because.message())}});
  } else {
    std::cout << fmt::format("{}: events {} to {} of ledger {}, root {}{}\n", options.file, done->from, done->to, done->ledger_id, base::hex(done->root),
                             unsigned_because.is_ok() ? ", with its signed checkpoint" : "");
  }
  return kDone;
}

int import_file(const Options& options) {
  const auto done = ledger::import_export(options.file, options.folder, ledger::standard_rules(), base::system_clock(), progress());
  if (!done.is_ok()) return fail(done.status());
  if (options.json) {
    print(Json{{"folder", options.folder}, {"ledger", done->ledger_id}, {"from", done->from}, {"events", done->events}, {"root", base::hex(done->root)}});
  } else {
    std::cout << fmt::format("{}: ledger {} with {}, root {}\n", options.folder, done->ledger_id, base::counted(done->events, "event"), base::hex(done->root));
  }
  return kDone;
}

void print_held(const Options& options, const std::string& folder, const ledger::HeldLedger& held) {
  if (options.json) {
    print(Json{{"folder", folder}, {"ledger", held.ledger_id}, {"events", held.events}, {"root", base::hex(held.root)}});
  } else {
    std::cout << fmt::format("{}: ledger {} with {}, root {}, verified\n", folder, held.ledger_id, base::counted(held.events, "event"), base::hex(held.root));
  }
}

/// What comes from a follower holds no private key.
void warn_without_key(const std::string& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::path(folder) / "checkpoint.key", ignored)) return;
  fmt::print(stderr, "runledger: {} has no checkpoint.key: put that of the lost ledger there; without it the ledger works and signs nothing\n", folder);
}

int restore_backup(const Options& options) {
  const auto held = ledger::restore(options.backup, options.folder, ledger::standard_rules().views, progress());
  if (!held.is_ok()) return fail(held.status());
  print_held(options, options.folder, *held);
  warn_without_key(options.folder);
  return kDone;
}

int doctor(Options options) {
  std::filesystem::path witness;  // of the site whose ledger it is
  if (options.folder.empty()) {
    auto site = site_of(options);
    if (!site.is_ok()) return fail(site.status());
    options.folder = site->ledger.string();
    witness = site->witness.file;
  }
  while (options.folder.size() > 1 && options.folder.ends_with('/')) options.folder.pop_back();
  const auto rules = ledger::standard_rules();
  if (!options.restore.empty()) {
    const auto aside = ledger::exchange_for_backup(options.restore, options.folder, rules, progress());
    if (!aside.is_ok()) return fail(aside.status());
    const auto held = ledger::verify_backup(options.folder, rules.views, [](std::string_view, uint64_t, uint64_t) { return true; });
    if (!held.is_ok()) return fail(held.status());
    print_held(options, options.folder, *held);
    const auto found = ledger::examine(options.folder, rules, [](std::string_view, uint64_t, uint64_t) { return true; }, witness);
    if (found.condition == ledger::Condition::kShort) {
      fmt::print(stderr, "runledger: {} promises {} events: before it is started, put the loss of the later ones on record: runledger doctor --accept-loss --reason TEXT\n",
                 witness.string(), found.witnessed ? found.witnessed->size : 0);
    }
    warn_without_key(options.folder);
    if (!aside->empty()) fmt::print(stderr, "runledger: what was there is kept as {}\n", aside->string());
    return kDone;
  }
  if (options.accept_loss) {
    const base::Status accepted = ledger::accept_loss(options.folder, {caller(), options.reason}, rules, base::system_clock(), progress(), witness);
    if (!accepted.is_ok()) return fail(accepted);
    fmt::print(stderr, "runledger: the loss is on record\n");
  }
  if (!options.salvage.empty()) {
    const auto saved = ledger::salvage(options.folder, options.salvage, rules, base::system_clock(), progress());
    if (!saved.is_ok()) return fail(saved.status());
    if (options.json) {
      print(Json{{"folder", options.salvage}, {"events", saved->events}, {"root", base::hex(saved->root)},
                 {"promised_events", saved->promised == 0 ? Json() : Json(saved->promised)}, {"lost_documents", saved->lost_blobs},
                 {"lost_document_count", saved->lost_blob_count}, {"ended_by", saved->ended_by.empty() ? Json() : Json(saved->ended_by)}});
    } else {
      std::cout << fmt::format("{}: {} saved, root {}\n", options.salvage, base::counted(saved->events, "event"), base::hex(saved->root));
      if (saved->promised > saved->events) std::cout << fmt::format("lost: events {} to {}\n", saved->events + 1, saved->promised);
      if (!saved->ended_by.empty()) std::cout << fmt::format("because: {}\n", base::printable(saved->ended_by));
      for (const std::string& blob : saved->lost_blobs) std::cout << fmt::format("lost or erased: document {}\n", blob);
      if (saved->promised > saved->events) std::cout << fmt::format("next: runledger doctor {} --accept-loss --reason TEXT\n", options.salvage);
    }
    return kDone;
  }
  const auto found = ledger::examine(options.folder, rules, progress(), witness);
  std::cout << (options.json ? base::json_text(daemons::diagnosis_json(found, options.folder)) + "\n" : daemons::diagnosis_text(found, options.folder));
  const bool well = found.condition == ledger::Condition::kWhole || found.condition == ledger::Condition::kInUse;
  return well ? kDone : kNotSo;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Works on the files of a ledger. Started by the command runledger, whose manual page explains it.", "runledger-ledger");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--site", options.site);
  app.add_option("--connect", options.connect);
  app.add_option("--tls-ca", options.tls.ca_file);
  app.add_option("--tls-name", options.tls.server_name);
  app.add_option("--tls-certificate", options.tls.certificate);
  app.add_option("--tls-key", options.tls.key);
  app.add_flag("--json", options.json);
  auto* exports = app.add_subcommand("export");
  exports->add_option("--from", options.from);
  exports->add_flag("--unsigned", options.even_unsigned);
  exports->add_option("--token-fd", options.token_fd);
  exports->add_option("-o,--output", options.file)->required();
  auto* imports = app.add_subcommand("import");
  imports->add_option("file", options.file)->required();
  imports->add_option("folder", options.folder)->required();
  auto* restores = app.add_subcommand("restore");
  restores->add_option("backup", options.backup)->required();
  restores->add_option("folder", options.folder)->required();
  auto* doctors = app.add_subcommand("doctor");
  doctors->add_option("folder", options.folder);
  doctors->add_option("--restore", options.restore);
  doctors->add_flag("--accept-loss", options.accept_loss);
  doctors->add_option("--reason", options.reason);
  doctors->add_option("--salvage", options.salvage);
  CLI11_PARSE(app, argc, argv);
  try {
    if (*exports) return export_file(options);
    if (*imports) return import_file(options);
    if (*restores) return restore_backup(options);
    return doctor(options);
  } catch (const std::exception& problem) {
    return fail({base::Code::kInternal, problem.what()});
  }
}
