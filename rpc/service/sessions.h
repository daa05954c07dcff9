// The sessions there are, by whom they are of.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "rpc/access/caller.h"

namespace rpc {

class Authority;

/// Owns: nothing; an Authority is in it as long as it lives. Threads: loop thread. Errors: none.
class Sessions {
 public:
  void enter(Authority& session);
  void leave(Authority& session);

  /// Of persons.
  std::vector<std::string> accounts() const;
  size_t of_account(const std::string& account) const;
  /// By which some of them came.
  std::vector<std::string> tokens() const;
  /// The roles of an account are these now.
  void become(const std::string& account, const std::vector<Grant>& grants);
  void end_account(const std::string& account, const std::string& why);
  /// Those that came by it are from now on as if they had come by `next`; each lasts no longer than it would have.
  void renew_token(const std::string& token, const std::string& next);
  /// Those that came by it, but for one that is to hear its answer first.
  void end_token(const std::string& token, const std::string& why, const Authority* but = nullptr);

 private:
  std::map<std::string, std::set<Authority*>> by_account_, by_token_;
};

}  // namespace rpc
