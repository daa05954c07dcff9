#include "site/site.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "site/table.h"

namespace site {
namespace {

Status read_follow(const toml::table& root, const std::filesystem::path& folder, Site& site) {
  const toml::table& source = *root["follow"].as_table();
  Table table(source, "[follow]", folder);
  Follow& follow = site.follow.emplace();
  follow.address = table.address("address", table.text("address", std::nullopt));
  follow.public_key = table.text("public_key", "");
  const std::string file = table.text("public_key_file", "");
  if (!file.empty()) follow.public_key_file = table.absolute(file);
  if (follow.public_key.empty() == file.empty()) {
    table.fail(source.get("public_key"), "public_key", "the source's key line, or public_key_file the file that holds it (one of both); "
                                                       "`runledger prove --key`, asked of the source, prints it");
  }
  if (std::find(site.listen.begin(), site.listen.end(), follow.address) != site.listen.end()) {
    table.fail(source.get("address"), "address", "that of another site (it is where this one listens)");
  }
  if (Status status = table.finish(); !status.is_ok()) return status;
  if (root.contains("instrument")) {
    return Status(Code::kInvalidArgument, "[follow]: a follower has the instruments of its source; take the [[instrument]] tables out");
  }
  if (root.contains("retention")) {
    return Status(Code::kInvalidArgument, "[follow]: a follower forgets what its source does; take the [retention] table out");
  }
  return {};
}

base::Result<Site> read(const toml::table& root, const std::filesystem::path& folder) {
  Site site;
  site.folder = folder;
  for (const auto& [key, node] : root) {
    static const std::set<std::string> kTables = {"access", "facility", "follow", "instrument", "monitor", "retention", "trials", "witness", "worker"};
    if (!kTables.contains(std::string(key.str()))) {
      return Status(Code::kInvalidArgument, fmt::format("line {}: there is no table \"{}\"; known are {}", node.source().begin.line, key.str(),
                                                        fmt::join(kTables, ", ")));
    }
    bool is_list = key == "instrument";
    if (is_list ? !node.is_array_of_tables() : !node.is_table()) {
      return Status(Code::kInvalidArgument, fmt::format("line {}: write {}{}{}", node.source().begin.line, is_list ? "[[" : "[", key.str(),
                                                        is_list ? "]]" : "]"));
    }
  }
  static const toml::table kEmpty;
  auto table_of = [&](std::string_view name) -> const toml::table& {
    const toml::table* table = root[name].as_table();
    return table ? *table : kEmpty;
  };

  Table facility(table_of("facility"), "[facility]", folder);
  site.facility = facility.text("name", std::nullopt);
  site.ledger = facility.absolute(facility.text("ledger", "ledger"));
  for (const std::string& address : facility.texts("listen", std::vector<std::string>{"unix:run/ledger.sock"})) {
    site.listen.push_back(facility.any_address("listen", address));
  }
  if (Status status = facility.finish(); !status.is_ok()) return status;

  Table monitor(table_of("monitor"), "[monitor]", folder);
  site.monitor.settle_ms = monitor.duration_ms("settle", site.monitor.settle_ms);
  site.monitor.give_up_after_ms = monitor.duration_ms("give_up_after", site.monitor.give_up_after_ms);
  site.monitor.sweep_ms = monitor.duration_ms("sweep", site.monitor.sweep_ms);
  if (Status status = monitor.finish(); !status.is_ok()) return status;

  Table worker(table_of("worker"), "[worker]", folder);
  site.worker.slots = static_cast<uint16_t>(worker.count("slots", 0, 1024));
  site.worker.scratch = worker.absolute(worker.text("scratch", "scratch"));
  site.worker.lease_ms = worker.duration_ms("lease", site.worker.lease_ms);
  if (site.worker.lease_ms < 1'000 || site.worker.lease_ms > 86'400'000) {
    worker.fail(table_of("worker").get("lease"), "lease", "from \"1s\" to \"24h\"");
  }
  if (Status status = worker.finish(); !status.is_ok()) return status;

  Table trials(table_of("trials"), "[trials]", folder);
  site.trials.folder = trials.absolute(trials.text("folder", "trials"));
  if (Status status = trials.finish(); !status.is_ok()) return status;

  Table witness(table_of("witness"), "[witness]", folder);
  site.witness.file = witness.absolute(witness.text("file", "witness/checkpoints"));
  site.witness.every_ms = witness.duration_ms("every", site.witness.every_ms);
  if (site.witness.every_ms < 1'000) witness.fail(table_of("witness").get("every"), "every", "\"1s\" or more");
  if (site.witness.file.starts_with((site.ledger / "").string())) {
    witness.fail(table_of("witness").get("file"), "file", "a path outside of the ledger, which it is to bear witness of");
  }
  if (Status status = witness.finish(); !status.is_ok()) return status;

  Table retention(table_of("retention"), "[retention]", folder);
  site.retention.commands_ms = retention.age_ms("commands");
  site.retention.logs_ms = retention.age_ms("logs");
  for (const auto& [key, age_ms] : {std::pair("commands", site.retention.commands_ms), std::pair("logs", site.retention.logs_ms)}) {
    if (age_ms > 0 && age_ms < 86'400'000) retention.fail(table_of("retention").get(key), key, "\"1d\" or more; left out, all is kept");
  }
  if (Status status = retention.finish(); !status.is_ok()) return status;
  if (root.contains("follow")) {
    if (Status status = read_follow(root, folder, site); !status.is_ok()) return status;
  }

  if (const toml::array* instruments = root["instrument"].as_array()) {
    if (Status status = read_instruments(*instruments, folder, site); !status.is_ok()) return status;
  }
  if (root.contains("access")) {
    if (Status status = read_access(table_of("access"), folder, site); !status.is_ok()) return status;
  }
  for (const std::string& address : site.listen) {
    if (!address.starts_with("tls:") || (site.access && !site.access->certificate.empty())) continue;
    facility.fail(table_of("facility").get("listen"), "listen",
                  fmt::format("\"unix:PATH\" alone, unless [access] says who may connect and has certificate and key (it has \"{}\")", address));
    return facility.finish();
  }
  return site;
}

}  // namespace

base::Result<Site> load(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(folder, error).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  std::filesystem::path file = absolute / "site.toml";
  if (!std::filesystem::exists(file, error)) {
    return Status(Code::kNotFound, fmt::format("{}: no such file; make a site with: runledger init {}", file.string(), folder.string()));
  }
  toml::table root;
  try {
    root = toml::parse_file(file.string());
  } catch (const toml::parse_error& problem) {
    return Status(Code::kInvalidArgument, fmt::format("{}: line {}: {}", file.string(), problem.source().begin.line, problem.description()));
  }
  base::Result<Site> site = read(root, absolute);
  if (!site.is_ok()) return site.status().in(file.string());
  return site;
}

base::Result<std::filesystem::path> find(const std::optional<std::string>& given, const std::filesystem::path& from) {
  if (given) return std::filesystem::path(*given);
  if (const char* variable = std::getenv("RUNLEDGER_SITE"); variable && *variable) return std::filesystem::path(variable);
  std::error_code error;
  for (std::filesystem::path folder = std::filesystem::absolute(from, error);; folder = folder.parent_path()) {
    if (std::filesystem::exists(folder / "site.toml", error)) return folder;
    if (folder == folder.parent_path()) break;
  }
  return Status(Code::kNotFound, "no site here: go into a site folder, set RUNLEDGER_SITE, or give --site DIR");
}

}  // namespace site
