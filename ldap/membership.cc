#include "ldap/membership.h"

#include <optional>
#include <set>
#include <utility>

#include "ldap/dn.h"

namespace ldap {
namespace {

/// A group whose members are known by the keys of their names.
struct Node {
  GroupEntry entry;
  std::vector<std::string> member_keys;
};
using Graph = std::map<std::string, Node>;  // by dn_key()

void add(Graph& graph, GroupEntry entry) {
  auto key = dn_key(entry.dn);
  if (!key) return;
  Node node{std::move(entry), {}};
  for (const std::string& member : node.entry.members) {
    if (auto member_key = dn_key(member)) node.member_keys.push_back(std::move(*member_key));
  }
  graph.emplace(std::move(*key), std::move(node));
}

/// What the groups name that is neither in `graph` nor in `seen` yet: as it was written, by key.
std::map<std::string, std::string> unseen_members(const std::vector<std::string>& groups, const Graph& graph, const std::set<std::string>& seen) {
  std::map<std::string, std::string> found;
  for (const std::string& group : groups) {
    for (const std::string& member : graph.at(group).entry.members) {
      auto key = dn_key(member);
      if (key && !graph.contains(*key) && !seen.contains(*key)) found.emplace(std::move(*key), member);
    }
  }
  return found;
}

std::vector<std::string> values_of(const std::map<std::string, std::string>& by_key) {
  std::vector<std::string> values;
  for (const auto& [key, value] : by_key) values.push_back(value);
  return values;
}

/// `root` and what is in it, up to `levels` below.
std::set<std::string> groups_below(const std::string& root, int levels, const Graph& graph) {
  std::set<std::string> reached{root};
  std::vector<std::string> level{root};
  for (int depth = 0; depth < levels && !level.empty(); ++depth) {
    std::vector<std::string> next;
    for (const std::string& group : level) {
      for (const std::string& member : graph.at(group).member_keys) {
        if (graph.contains(member) && reached.insert(member).second) next.push_back(member);
      }
    }
    level = std::move(next);
  }
  return reached;
}

}  // namespace

base::Result<std::vector<std::string>> names_with_parents(
    std::vector<GroupEntry> direct, int levels,
    const std::function<base::Result<std::vector<GroupEntry>>(const std::vector<GroupEntry>&)>& parents_of) {
  std::set<std::string> names, seen;
  std::vector<GroupEntry> found = std::move(direct);
  for (int depth = 0;; ++depth) {
    std::vector<GroupEntry> level;
    for (GroupEntry& group : found) {
      auto key = dn_key(group.dn);
      if (!key || !seen.insert(std::move(*key)).second) continue;
      names.insert(group.names.begin(), group.names.end());
      level.push_back(std::move(group));
    }
    if (level.empty() || depth >= levels) break;
    auto parents = parents_of(level);
    if (!parents.is_ok()) return parents.status();
    found = std::move(parents).value();
  }
  return std::vector<std::string>(names.begin(), names.end());
}

base::Result<std::vector<Group>> groups_with_members(std::vector<GroupEntry> roots, int levels, const std::function<bool(const std::string&)>& wanted,
                                                     const MemberSource& source) {
  Graph graph;
  for (GroupEntry& root : roots) add(graph, std::move(root));
  std::vector<std::string> root_keys, level;
  for (const auto& [key, node] : graph) root_keys.push_back(key);
  level = root_keys;

  std::map<std::string, std::string> accounts;  // name by key
  std::set<std::string> seen;                   // that are no groups
  for (int depth = 0; !level.empty(); ++depth) {
    std::map<std::string, std::string> asked = unseen_members(level, graph, seen);
    if (asked.empty()) break;
    auto found = source.accounts_at(values_of(asked));
    if (!found.is_ok()) return found.status();
    for (const auto& [dn, name] : *found) {
      auto key = dn_key(dn);
      if (!key) continue;
      accounts.emplace(*key, name);
      asked.erase(*key);
      seen.insert(std::move(*key));
    }
    level.clear();
    if (depth < levels && !asked.empty()) {
      auto groups = source.groups_at(values_of(asked));
      if (!groups.is_ok()) return groups.status();
      for (GroupEntry& group : *groups) {
        auto key = dn_key(group.dn);
        if (!key || graph.contains(*key)) continue;
        level.push_back(*key);
        add(graph, std::move(group));
      }
    }
    for (const auto& [key, dn] : asked) {
      if (!graph.contains(key)) seen.insert(key);
    }
  }

  std::set<std::string> named;
  for (const auto& [key, node] : graph) named.insert(node.entry.accounts.begin(), node.entry.accounts.end());
  std::set<std::string> in_use;
  if (!named.empty()) {
    auto checked = source.accounts_named({named.begin(), named.end()});
    if (!checked.is_ok()) return checked.status();
    in_use.insert(checked->begin(), checked->end());
  }

  std::map<std::string, std::set<std::string>> members_of;  // by the group's name
  for (const std::string& root : root_keys) {
    std::set<std::string> members;
    for (const std::string& group : groups_below(root, levels, graph)) {
      const Node& node = graph.at(group);
      for (const std::string& name : node.entry.accounts) {
        if (in_use.contains(name)) members.insert(name);
      }
      for (const std::string& key : node.member_keys) {
        if (auto account = accounts.find(key); account != accounts.end()) members.insert(account->second);
      }
    }
    for (const std::string& name : graph.at(root).entry.names) {
      if (wanted(name)) members_of[name].insert(members.begin(), members.end());
    }
  }
  std::vector<Group> groups;
  for (auto& [name, members] : members_of) groups.push_back({name, {members.begin(), members.end()}});
  return groups;
}

}  // namespace ldap
