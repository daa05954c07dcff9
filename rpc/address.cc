#include "rpc/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace rpc {
namespace {

using base::Code;
using base::Status;

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kTls = "tls:";

std::optional<uint16_t> port_of(std::string_view text) {
  uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return port;
}

bool may_be_a_host(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' || c == '/' || c == '@' || c == '[' || c == ']';
  });
}

/// HOST:PORT, where a HOST with colons stands in brackets.
std::optional<TlsPlace> tls_place(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  auto port = port_of(text.substr(colon + 1));
  auto host = text.substr(0, colon);
  bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (!port || !may_be_a_host(host) || (host.find(':') != std::string_view::npos) != in_brackets) return {};
  return TlsPlace{std::string(host), *port};
}

}  // namespace

base::Result<Place> place_of(std::string_view address) {
  if (address.starts_with(kUnix) && address.size() > kUnix.size())
    return Place(UnixPlace{std::string(address.substr(kUnix.size()))});
  if (address.starts_with(kTls)) {
    if (auto place = tls_place(address.substr(kTls.size()))) return Place(std::move(*place));
    return Status(Code::kInvalidArgument,
                  fmt::format("\"{}\" is not an address: write tls:HOST:PORT with a port up to 65535, an IPv6 address in brackets "
                              "(tls:[2001:db8::1]:4433)",
                              base::printable(address)));
  }
  return Status(
      Code::kInvalidArgument,
      fmt::format("\"{}\" is not an address this version knows; it knows unix:PATH and tls:HOST:PORT", base::printable(address)));
}

std::string address_of(const TlsPlace& place) {
  bool has_colons = place.host.find(':') != std::string::npos;
  return has_colons ? fmt::format("tls:[{}]:{}", place.host, place.port) : fmt::format("tls:{}:{}", place.host, place.port);
}

}  // namespace rpc
