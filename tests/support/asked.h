// A directory asked and waited for.
#pragma once

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "ldap/directory.h"

namespace support {

template <typename T>
struct Answer {
  std::promise<base::Result<T>> promise;
  std::future<base::Result<T>> future = promise.get_future();
  ldap::Done<T> done() {
    return [this](base::Result<T> result) { promise.set_value(std::move(result)); };
  }
  base::Result<T> wait() { return future.get(); }
};

inline base::Result<ldap::Account> authenticate(ldap::Directory& directory, std::string name, std::string_view password) {
  Answer<ldap::Account> answer;
  directory.authenticate(std::move(name), ldap::Secret(password), answer.done());
  return answer.wait();
}
inline base::Result<ldap::Account> find(ldap::Directory& directory, std::string name) {
  Answer<ldap::Account> answer;
  directory.find(std::move(name), answer.done());
  return answer.wait();
}
inline base::Result<std::vector<ldap::Group>> groups(ldap::Directory& directory, std::vector<std::string> patterns) {
  Answer<std::vector<ldap::Group>> answer;
  directory.groups(std::move(patterns), answer.done());
  return answer.wait();
}

}  // namespace support
