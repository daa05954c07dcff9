// The facility's directory: who somebody is, and in which groups.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/secret.h"

namespace ldap {

using base::Secret;

/// How to reach a directory and how it is laid out. Filters are those of RFC 4515.
struct Settings {
  std::vector<std::string> servers;  // "ldaps://host[:port]", or "ldap://host[:port]" with StartTLS; the one that answered last is asked first.
                                     // In a certificate, localhost must be written as this machine's own name
  bool plaintext = false;            // ldap:// without StartTLS: passwords can be read on the way
  std::string ca_file;               // certificates that vouch for the servers, PEM; empty = those of the system
  bool check_certificates = true;
  std::string bind_name;             // DN that searches; empty = anonymous
  std::string bind_password_file;    // read at each new connection

  std::string user_base;
  std::string user_filter = "(uid={user})";  // {user}: the name that was typed, escaped
  std::string user_attribute = "uid";

  std::string group_base;
  std::string group_filter = "(|(objectClass=posixGroup)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))";
  std::string group_attribute = "cn";
  bool member_of = false;  // the server keeps memberOf: an account's and a group's own groups are read there
  int nested_levels = 5;   // groups in groups, above or below those that name the account

  int page_size = 500;
  int connect_ms = 3000;  // TCP and TLS, to one server
  int answer_ms = 5000;   // each answer of a server
  int whole_ms = 20000;   // a request with its wait in the queue, over all servers
  int refusal_ms = 500;   // a refused password is answered at the next whole multiple of this, so that the time tells nothing; 0 = at once
};

struct Account {
  std::string name;  // as the directory spells it
  std::string dn;
  std::vector<std::string> groups;  // names, sorted, each once, those of groups in groups too
};

struct Group {
  std::string name;
  std::vector<std::string> members;  // account names, sorted, each once, those of groups in groups too
};

template <typename T>
using Done = std::function<void(base::Result<T>)>;

/// Answers about accounts and groups. An interface, so that a test can bring its own; open_directory() gives the real one.
///
/// Owns:    connections, a queue and the threads that wait for the servers.
/// Threads: any. `done` is called once, on a thread of the directory, never before the call returned; it is short and does not destroy the directory.
///          The destructor ends what is under way, calls every outstanding `done`, and waits for no server.
/// Errors:  kUnavailable or kTimedOut: no server gave the whole answer; the message says of each why. kUnavailable too when too many requests wait,
///          and when the directory is closing. No message holds a password or anything of an entry.
class Directory {
 public:
  virtual ~Directory() = default;
  /// Finds the account, binds as it, reads its groups. kPermissionDenied, with the one text of refused(): no such account, several, an empty or
  /// wrong password, an account that is locked, expired or disabled; neither text nor time says which.
  virtual void authenticate(std::string name, Secret password, Done<Account> done) = 0;
  /// kNotFound: no such account, or the directory says that it is disabled. kConflict: several have this name, which says nothing of any of them.
  virtual void find(std::string name, Done<Account> done) = 0;
  /// Every group whose name matches one of the patterns (a word in braces stands for anything), with all its accounts that are not disabled; sorted
  /// by name. kInvalidArgument: not a pattern. Never a part of them: where a server cuts an answer short, that is kUnavailable.
  virtual void groups(std::vector<std::string> patterns, Done<std::vector<Group>> done) = 0;
};

/// Connects when it is first asked something. kInvalidArgument: what is wrong with the settings.
base::Result<std::unique_ptr<Directory>> open_directory(Settings settings);

/// What authenticate() answers to whoever may not come in.
base::Status refused();

}  // namespace ldap
