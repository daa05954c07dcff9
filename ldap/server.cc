#include "ldap/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/text.h"

namespace ldap {

base::Result<Server> parse_server(std::string_view text) {
  auto refusal = [text](std::string_view why) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("directory server \"{}\": {}; write ldaps://host[:port] or ldap://host[:port]",
                                                                  base::printable(base::to_utf8(text, 200)), why));
  };
  Server server;
  server.text = text;
  std::string_view rest = text;
  if (rest.starts_with("ldaps://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("ldap://")) {
    rest.remove_prefix(7);
    server.tls = false;
    server.port = 389;
  } else {
    return refusal("it begins otherwise");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  std::string_view port;
  if (rest.starts_with('[')) {
    size_t end = rest.find(']');
    if (end == std::string_view::npos) return refusal("the bracket is not closed");
    server.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return refusal("after the bracket comes a port or nothing");
  } else {
    size_t colon = rest.find(':');
    server.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  constexpr std::string_view kHost = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:";
  if (server.host.empty() || server.host.size() > 253 || server.host.find_first_not_of(kHost) != std::string::npos) return refusal("the host is no name or address");
  if (!port.empty()) {
    port.remove_prefix(1);
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), server.port);
    if (port.empty() || error != std::errc() || end != port.data() + port.size() || server.port == 0) return refusal("the port is no number from 1 to 65535");
  }
  return server;
}

ServerOrder::ServerOrder(size_t servers) : order_(servers) { std::iota(order_.begin(), order_.end(), size_t{0}); }

std::vector<size_t> ServerOrder::now() const {
  std::lock_guard lock(mutex_);
  return order_;
}

void ServerOrder::answered(size_t server) {
  std::lock_guard lock(mutex_);
  auto at = std::find(order_.begin(), order_.end(), server);
  std::rotate(order_.begin(), at, at + 1);
}

void ServerOrder::failed(size_t server) {
  std::lock_guard lock(mutex_);
  auto at = std::find(order_.begin(), order_.end(), server);
  std::rotate(at, at + 1, order_.end());
}

}  // namespace ldap
