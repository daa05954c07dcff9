// One connection to one server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ldap/dial.h"
#include "ldap/directory.h"
#include "ldap/entry.h"
#include "ldap/server.h"
#include "ldap/time_limits.h"

namespace ldap {

/// Binds and searches; each call waits for the server.
///
/// Owns:    the socket; borrows the settings and the time limits.
/// Threads: one at a time.
/// Errors:  kTimedOut: the server did not answer in time. kUnavailable: whatever else kept it from answering. The message has only the cause, in the
///          words of the library, never those of the server. After an error without an answer is_lost(), and every further call fails: nothing is ever
///          sent on another connection than the one that was made safe here.
class Connection {
 public:
  /// Connects; with TLS, its certificate checked and its host name compared, unless the settings say otherwise.
  static base::Result<std::unique_ptr<Connection>> open(const Settings& settings, const Server& server, TimeLimits& limits, Moment until);
  /// The same on a stream socket that is connected to somebody who should be that server.
  static base::Result<std::unique_ptr<Connection>> over(Socket socket, const Settings& settings, const Server& server, TimeLimits& limits, Moment until);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// True: the server accepts the password for this name. False: it does not. An empty password is never sent: servers take that for anonymous.
  base::Result<bool> bind(const std::string& dn, std::string_view password, Moment until);

  /// Entries below `base_dn`, in pages. An answer that the server cut short is kUnavailable.
  base::Result<std::vector<Entry>> search(const std::string& base_dn, const std::string& filter, const std::vector<std::string>& attributes, Moment until);
  /// As search(), but the first two at most, in no particular order: enough to know whether there is none, one or more.
  base::Result<std::vector<Entry>> search_two(const std::string& base_dn, const std::string& filter, const std::vector<std::string>& attributes,
                                              Moment until);
  /// The entries of these names that match the filter, in the order of the names; many requests are under way at a time.
  base::Result<std::vector<std::optional<Entry>>> read(const std::vector<std::string>& dns, const std::string& filter,
                                                       const std::vector<std::string>& attributes, Moment until);

  bool is_lost() const;

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ldap
