#include "site/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/text.h"
#include "site/table.h"

namespace site {
namespace {

constexpr uint64_t kDayMs = 86'400'000;

std::string line_of(const toml::node& node) { return fmt::format("line {}: ", node.source().begin.line); }

/// Milliseconds within bounds, which the message states.
uint64_t limited(Table& table, const toml::table& source, const char* key, uint64_t otherwise, uint64_t least, uint64_t most, const char* bounds) {
  const uint64_t ms = table.duration_ms(key, otherwise);
  if (ms < least || ms > most) table.fail(source.get(key), key, bounds);
  return ms;
}

Status read_directory(const toml::table& source, const std::filesystem::path& folder, Directory& directory) {
  Table table(source, "[access.ldap]", folder);
  directory.servers = table.texts("servers", std::nullopt);
  for (const std::string& server : directory.servers) {
    static const std::regex kServer("ldaps?://[^/?#@ ]+/?");
    if (!std::regex_match(server, kServer)) table.fail(source.get("servers"), "servers", fmt::format("\"ldaps://HOST\" or \"ldap://HOST\" (it has \"{}\")", server));
  }
  directory.plaintext = table.yes("plaintext", false);
  directory.ca = table.file("ca");
  directory.bind_name = table.text("bind_name", "");
  directory.bind_password_file = table.file("bind_password_file");
  if (directory.bind_name.empty() != directory.bind_password_file.empty()) {
    table.fail(source.get("bind_name"), "bind_name", "there together with bind_password_file, the file with its password; without both the search is anonymous");
  }
  directory.user_base = table.text("user_base", std::nullopt);
  directory.user_filter = table.text("user_filter", "");
  if (!directory.user_filter.empty() && directory.user_filter.find("{user}") == std::string::npos) {
    table.fail(source.get("user_filter"), "user_filter", "a filter with {user} where the name goes, such as \"(uid={user})\"");
  }
  directory.user_attribute = table.text("user_attribute", "");
  directory.group_base = table.text("group_base", std::nullopt);
  directory.group_filter = table.text("group_filter", "");
  directory.group_attribute = table.text("group_attribute", "");
  directory.member_of = table.yes("member_of", false);
  directory.nested_levels = table.count("nested_levels", directory.nested_levels, 20);
  directory.page_size = table.count("page_size", directory.page_size, 10'000);
  if (directory.page_size == 0) table.fail(source.get("page_size"), "page_size", "a number from 1 to 10000");
  const char* bounds = "from \"100ms\" to \"10m\"";
  directory.connect_time_limit_ms = limited(table, source, "connect_time_limit", directory.connect_time_limit_ms, 100, 600'000, bounds);
  directory.answer_time_limit_ms = limited(table, source, "answer_time_limit", directory.answer_time_limit_ms, 100, 600'000, bounds);
  directory.whole_time_limit_ms = limited(table, source, "whole_time_limit", directory.whole_time_limit_ms, 100, 600'000, bounds);
  return table.finish();
}

Status read_role(const toml::table& source, const std::filesystem::path& folder, const Site& site, bool has_directory, RoleRule& rule) {
  const std::string shown = source["role"].value_or(std::string());
  Table table(source, "[[access.role]]" + (shown.empty() ? "" : " " + shown), folder);
  rule.where = line_of(source) + "[[access.role]] " + shown;
  rule.role = table.one_of("role", std::nullopt, {"member", "scientist", "operator", "auditor", "administrator"});
  rule.groups = table.texts("groups", std::vector<std::string>());
  rule.accounts = table.texts("accounts", std::vector<std::string>());
  rule.instrument = base::ascii_upper(table.text("instrument", ""));
  rule.experiment = table.text("experiment", "");
  const bool of_scientists = rule.role == "scientist", of_members = rule.role == "member", by_account = !rule.accounts.empty();
  if (rule.groups.empty() && !by_account) {
    table.fail(&source, "groups", "given, or accounts");
  } else if (!rule.groups.empty() && by_account && (of_scientists || of_members)) {
    table.fail(source.get("accounts"), "accounts", "left out where there are groups, whose names say of what they are; give accounts a table of their own");
  } else if (!rule.groups.empty() && !has_directory) {
    table.fail(source.get("groups"), "groups", "left out where there is no [access.ldap]: groups are the directory's; name accounts");
  } else if (!rule.instrument.empty() != (of_scientists && by_account)) {
    table.fail(source.get("instrument"), "instrument", of_scientists && by_account ? "the instrument they are scientists of" : "left out, but for scientists given by accounts; groups have {instrument} in their names");
  } else if (!rule.experiment.empty() && !of_members) {
    table.fail(source.get("experiment"), "experiment", "left out, but for members");
  } else if (of_members && by_account && rule.experiment.empty()) {
    table.fail(&source, "experiment", "the experiment they are members of");
  } else if (of_members && !by_account && !rule.experiment.empty() && rule.experiment.find("{experiment}") == std::string::npos) {
    table.fail(source.get("experiment"), "experiment", "a text with {experiment} where the group's part goes, such as \"IPTS-{experiment}\"");
  }
  const auto is_known = [&](const Instrument& instrument) { return instrument.name == rule.instrument; };
  if (!rule.instrument.empty() && !site.follow && std::none_of(site.instruments.begin(), site.instruments.end(), is_known)) {
    table.fail(source.get("instrument"), "instrument", fmt::format("one that has an [[instrument]] table (it says \"{}\")", rule.instrument));
  }
  return table.finish();
}

}  // namespace

Status read_access(const toml::table& source, const std::filesystem::path& folder, Site& site) {
  Access& access = site.access.emplace();
  Table table(source, "[access]", folder);
  access.login_ms = limited(table, source, "login", access.login_ms, 60'000, 90 * kDayMs, "from \"1m\" to \"90d\"");
  access.machine_token_ms = limited(table, source, "machine_token", access.machine_token_ms, 60'000, 3660 * kDayMs, "from \"1m\" to \"10y\"");
  access.refresh_ms = limited(table, source, "refresh", access.refresh_ms, 1'000, kDayMs, "from \"1s\" to \"24h\"");
  access.member_reruns = static_cast<uint32_t>(table.count("member_reruns", access.member_reruns, 100'000));
  access.scientist_reruns = static_cast<uint32_t>(table.count("scientist_reruns", access.scientist_reruns, 1'000'000));
  access.certificate = table.file("certificate");
  access.key = table.file("key");
  access.client_ca = table.file("client_ca");
  if (access.certificate.empty() != access.key.empty()) {
    table.fail(source.get("certificate"), "certificate", "there together with key: both are of ledgerd, for the addresses that begin with tls:");
  }
  if (!access.client_ca.empty() && access.certificate.empty()) table.fail(source.get("client_ca"), "client_ca", "left out where there is no certificate");
  const toml::table* ldap = table.table("ldap");
  const auto roles = table.tables("role");
  if (Status status = table.finish(); !status.is_ok()) return status;
  if (ldap) {
    if (Status status = read_directory(*ldap, folder, access.directory.emplace()); !status.is_ok()) return status;
  }
  for (const toml::table* role : roles) {
    RoleRule& rule = access.roles.emplace_back();
    if (Status status = read_role(*role, folder, site, ldap != nullptr, rule); !status.is_ok()) return status;
  }
  return {};
}

}  // namespace site
