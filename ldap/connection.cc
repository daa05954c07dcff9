#include "ldap/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cerrno>
#include <mutex>

#include "base/text.h"
#include "ldap/library.h"

namespace ldap {
namespace {

using base::Code;
using base::Status;

constexpr ber_len_t kMessageBytes = 16 << 20;  // one entry: a group of some hundred thousand members
constexpr size_t kAnswerBytes = 128 << 20;
constexpr size_t kUnderWay = 32;  // requests of one read()
constexpr const char* kSystemCertificates = "/etc/ssl/certs/ca-certificates.crt";

/// Before the first use of the library, off the loop: it looks up this machine's name.
void prepare_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    int version = 0;
    ::ldap_get_option(nullptr, LDAP_OPT_PROTOCOL_VERSION, &version);
  });
}

/// A layer over TLS that puts the password of a bind in its place, so that the library, which wipes nothing, never has it. The password is what such a
/// request ends with.
struct PasswordLayer {
  std::string placeholder;    // what the library was given; empty = no bind is being sent
  std::string_view password;  // of the same length

  static int setup(Sockbuf_IO_Desc* layer, void* self) {
    layer->sbiod_pvt = self;
    return 0;
  }
  static int control(Sockbuf_IO_Desc* layer, int option, void* argument) { return LBER_SBIOD_CTRL_NEXT(layer, option, argument); }
  static ber_slen_t read(Sockbuf_IO_Desc* layer, void* bytes, ber_len_t size) { return LBER_SBIOD_READ_NEXT(layer, bytes, size); }
  static ber_slen_t write(Sockbuf_IO_Desc* layer, void* bytes, ber_len_t size) {
    auto* self = static_cast<PasswordLayer*>(layer->sbiod_pvt);
    if (self->placeholder.empty()) return LBER_SBIOD_WRITE_NEXT(layer, bytes, size);
    std::string_view request(static_cast<const char*>(bytes), size);
    ber_slen_t written = -1;
    if (request.ends_with(self->placeholder)) {
      Secret whole(request.substr(0, request.size() - self->placeholder.size()), self->password);
      written = LBER_SBIOD_WRITE_NEXT(layer, const_cast<char*>(whole.view().data()), whole.view().size());
    }
    if (written == static_cast<ber_slen_t>(size)) return written;
    errno = EIO;  // the rest would be sent without the password
    return -1;
  }
  static int close(Sockbuf_IO_Desc*) { return 0; }
};
Sockbuf_IO password_layer = {PasswordLayer::setup, PasswordLayer::close, PasswordLayer::control, PasswordLayer::read, PasswordLayer::write, PasswordLayer::close};

int refuse_connection(LDAP*, Sockbuf*, LDAPURLDesc*, sockaddr*, ldap_conncb*) { return -1; }
void connection_ends(LDAP*, Sockbuf*, ldap_conncb*) {}

struct MessageFree {
  void operator()(LDAPMessage* message) const { ::ldap_msgfree(message); }
};
using Message = std::unique_ptr<LDAPMessage, MessageFree>;

std::string text(berval value) { return value.bv_val ? std::string(value.bv_val, value.bv_len) : std::string(); }

/// What an answer's code says of a bind that was refused because of the name or the password, or because of the account's state.
bool refuses_account(int code) {
  switch (code) {
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:     // the account has no password
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_UNWILLING_TO_PERFORM:   // 389 DS: the account is inactive
    case LDAP_CONSTRAINT_VIOLATION:   // 389 DS: locked after too many trials
      return true;
    default: return false;
  }
}

struct Page {
  std::vector<Entry> entries;
  int code = LDAP_SUCCESS;
  std::string cookie;  // of the next page; empty = this is the last
};

std::vector<char*> pointers(const std::vector<std::string>& names) {
  std::vector<char*> all;
  for (const std::string& name : names) all.push_back(const_cast<char*>(name.c_str()));
  all.push_back(nullptr);
  return all;
}

}  // namespace

struct Connection::Impl {
  Impl(const Settings& of, TimeLimits& its_limits) : settings(of), limits(its_limits) {}
  ~Impl() {
    if (!handle) return;
    TimeLimit limit(limits, std::chrono::steady_clock::now() + std::chrono::seconds(1), [this] { cut(); });
    ::ldap_unbind_ext(handle, nullptr, nullptr);
  }

  void cut() {
    was_cut = true;
    ::shutdown(second.get(), SHUT_RDWR);
  }
  /// The limit of one answer.
  TimeLimit within(Moment until) {
    Moment answer = std::chrono::steady_clock::now() + std::chrono::milliseconds(settings.answer_ms);
    return TimeLimit(limits, std::min(until, answer), [this] { cut(); });
  }

  /// Nothing more goes over this connection.
  Status lose(std::string_view why) {
    lost = true;
    if (was_cut) return {Code::kTimedOut, "it did not answer in time"};
    return {Code::kUnavailable, std::string(why)};
  }
  /// Of a server's own text nothing is repeated.
  Status failure(int code) {
    if (code == LDAP_SERVER_DOWN) return lose("it closed the connection");
    if (code < 0 || code == LDAP_OTHER || code == LDAP_BUSY || code == LDAP_UNAVAILABLE) return lose(::ldap_err2string(code));
    return {Code::kUnavailable, ::ldap_err2string(code)};
  }
  Status tls_failure() {
    char* detail = nullptr;
    ::ldap_get_option(handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &detail);
    std::string why = base::printable(base::to_utf8(detail ? detail : "", 200));
    ::ldap_memfree(detail);
    // The library checks the certificate itself, and its failure is none of the codes that GnuTLS has words for.
    if (why.empty() || why.find("unknown error code") != std::string::npos) {
      return lose("its certificate is not valid: another authority than those of ca_file signed it, it is for another host, or its time is over");
    }
    return lose("TLS: " + why);
  }
  Status library_failure() {
    int code = LDAP_OTHER;
    ::ldap_get_option(handle, LDAP_OPT_RESULT_CODE, &code);
    return failure(code < 0 ? code : LDAP_SERVER_DOWN);
  }

  Status prepare(const Server& server);
  Status secure(const Server& server, Moment until);
  base::Result<Message> answer(int request, int how_much);
  Status take(LDAPMessage* message, std::vector<Entry>& entries, size_t& bytes);
  base::Result<int> ask(const std::string& base_dn, int scope, const std::string& filter, char** attributes, int size_limit, LDAPControl** controls);
  Status read_cookie(LDAPControl** controls, Page& page);
  base::Result<Page> collect(int request, size_t& bytes, Moment until);
  base::Result<Page> page(const std::string& base_dn, const std::string& filter, char** attributes, const std::string& cookie, size_t& bytes, Moment until);

  const Settings& settings;
  TimeLimits& limits;
  LDAP* handle = nullptr;
  Socket second;  // of the same connection: it can be cut while the library is at work, and after it closed its own
  std::atomic<bool> was_cut{false};
  bool lost = false;
  PasswordLayer layer;
  ldap_conncb no_other_connection{refuse_connection, connection_ends, nullptr};
};

// Every option that a file of the library (ldap.conf, ~/.ldaprc, ./ldaprc) could have set is set here.
Status Connection::Impl::prepare(const Server& server) {
  auto set = [this](int option, const void* value) { return ::ldap_set_option(handle, option, value) == LDAP_OPT_SUCCESS; };
  auto set_number = [&set](int option, int value) { return set(option, &value); };
  timeval none{-1, 0};
  bool ok = set_number(LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3) && set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF) && set_number(LDAP_OPT_DEREF, LDAP_DEREF_NEVER) &&
            set(LDAP_OPT_RESTART, LDAP_OPT_ON) && set_number(LDAP_OPT_SIZELIMIT, 0) && set_number(LDAP_OPT_TIMELIMIT, 0) && set(LDAP_OPT_TIMEOUT, &none) &&
            set(LDAP_OPT_NETWORK_TIMEOUT, &none) && set(LDAP_OPT_CONNECT_CB, &no_other_connection);
  Sockbuf* buffer = nullptr;
  ber_len_t largest = kMessageBytes;
  ok = ok && ::ldap_get_option(handle, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS && ::ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &largest) == 1;
  if (!ok) return {Code::kUnavailable, "the LDAP library does not take its options"};
  if (::ber_sockbuf_add_io(buffer, &password_layer, LBER_SBIOD_LEVEL_APPLICATION, &layer) != 0) return {Code::kUnavailable, "the LDAP library takes no layer"};
  if (!server.tls && settings.plaintext) return {};
  const char* certificates = settings.ca_file.empty() ? kSystemCertificates : settings.ca_file.c_str();
  // Over GnuTLS the library takes no notice of the lowest version, only of a priority string.
  char* package = nullptr;
  bool gnutls = ::ldap_get_option(handle, LDAP_OPT_X_TLS_PACKAGE, &package) == LDAP_OPT_SUCCESS && package && std::string_view(package) == "GnuTLS";
  ::ldap_memfree(package);
  ok = set(LDAP_OPT_X_TLS_CIPHER_SUITE, gnutls ? "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" : nullptr) &&
       set_number(LDAP_OPT_X_TLS_REQUIRE_CERT, settings.check_certificates ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER) &&
       set_number(LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2) && set(LDAP_OPT_X_TLS_CACERTDIR, nullptr) &&
       set(LDAP_OPT_X_TLS_CERTFILE, nullptr) && set(LDAP_OPT_X_TLS_KEYFILE, nullptr) &&
       (!settings.check_certificates || set(LDAP_OPT_X_TLS_CACERTFILE, certificates)) && set_number(LDAP_OPT_X_TLS_NEWCTX, 0);
  if (!ok) return {Code::kUnavailable, fmt::format("the certificates in {} cannot be used", certificates)};
  return {};
}

Status Connection::Impl::secure(const Server& server, Moment until) {
  if (!server.tls && settings.plaintext) return {};
  TimeLimit limit(limits, until, [this] { cut(); });
  if (!server.tls) {
    int request = 0;
    if (int code = ::ldap_start_tls(handle, nullptr, nullptr, &request); code != LDAP_SUCCESS) return failure(code < 0 ? code : LDAP_SERVER_DOWN);
    LDAPMessage* raw = nullptr;
    int type = ::ldap_result(handle, request, LDAP_MSG_ALL, nullptr, &raw);
    Message message(raw);
    if (type <= 0) return library_failure();
    int code = LDAP_OTHER;
    if (type != LDAP_RES_EXTENDED || ::ldap_parse_result(handle, message.get(), &code, nullptr, nullptr, nullptr, nullptr, 0) != LDAP_SUCCESS) {
      return lose("its answer to StartTLS is no LDAP");
    }
    if (code != LDAP_SUCCESS) return lose(fmt::format("it does not take StartTLS: {}", ::ldap_err2string(code)));
  }
  ::ldap_set_option(handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, "");  // what the server said to StartTLS
  if (::ldap_install_tls(handle) != LDAP_SUCCESS) return tls_failure();
  if (!::ldap_tls_inplace(handle)) return lose("TLS did not begin");
  return {};
}

/// The next message that answers `request`. The limit is with the caller.
base::Result<Message> Connection::Impl::answer(int request, int how_much) {
  LDAPMessage* raw = nullptr;
  int type = ::ldap_result(handle, request, how_much, nullptr, &raw);
  Message message(raw);
  if (type <= 0) return library_failure();
  return message;
}

Status Connection::Impl::take(LDAPMessage* message, std::vector<Entry>& entries, size_t& bytes) {
  constexpr std::string_view kRange = ";range=";
  BerElement* rest = nullptr;
  berval dn{}, name{};
  if (::ldap_get_dn_ber(handle, message, &rest, &dn) != LDAP_SUCCESS) return lose("it sent an entry that is none");
  std::unique_ptr<BerElement, void (*)(BerElement*)> owner(rest, [](BerElement* element) { ::ber_free(element, 0); });
  Entry entry;
  entry.dn = text(dn);
  bytes += dn.bv_len;
  for (;;) {
    berval* values = nullptr;
    int code = ::ldap_get_attribute_ber(handle, message, rest, &name, &values);
    std::unique_ptr<berval, void (*)(berval*)> values_owner(values, [](berval* memory) { ::ber_memfree(memory); });
    if (code != LDAP_SUCCESS) return lose("it sent an attribute that is none");
    if (!name.bv_val) break;
    std::string key = base::ascii_lower(std::string_view(name.bv_val, name.bv_len));
    if (size_t range = key.find(kRange); range != std::string::npos) {
      entry.partial = true;
      key.resize(range);
    }
    auto& all = entry.attributes[key];
    bytes += name.bv_len;
    for (berval* value = values; value && value->bv_val; ++value) {
      all.push_back(text(*value));
      bytes += value->bv_len + sizeof(std::string);
    }
    if (bytes > kAnswerBytes) return lose("its answer is larger than 128 MiB");
  }
  entries.push_back(std::move(entry));
  return {};
}

base::Result<int> Connection::Impl::ask(const std::string& base_dn, int scope, const std::string& filter, char** attributes, int size_limit,
                                        LDAPControl** controls) {
  if (lost) return Status(Code::kUnavailable, "the connection is gone");
  int request = 0;
  int code = ::ldap_search_ext(handle, base_dn.c_str(), scope, filter.c_str(), attributes, 0, controls, nullptr, nullptr, size_limit, &request);
  if (code == LDAP_FILTER_ERROR) return Status(Code::kUnavailable, "the LDAP library takes the filter of the settings for none");
  if (code != LDAP_SUCCESS) return failure(code < 0 ? code : LDAP_SERVER_DOWN);
  return request;
}

/// Where the next page begins, if the server says so. One that cannot be read is not taken for the end.
Status Connection::Impl::read_cookie(LDAPControl** controls, Page& page) {
  LDAPControl* control = ::ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nullptr);
  if (!control) return {};
  ber_int_t estimate = 0;
  berval cookie{};
  // The library ends the process over a control without a value, or with an empty one.
  const berval& value = control->ldctl_value;
  int code = value.bv_val && value.bv_len > 0 ? ::ldap_parse_pageresponse_control(handle, control, &estimate, &cookie) : LDAP_DECODING_ERROR;
  if (code == LDAP_SUCCESS) page.cookie = text(cookie);
  ::ber_memfree(cookie.bv_val);
  return code == LDAP_SUCCESS ? Status() : lose("what it says of its next page is no LDAP");
}

/// Everything up to the final message of a search.
base::Result<Page> Connection::Impl::collect(int request, size_t& bytes, Moment until) {
  Page page;
  for (;;) {
    TimeLimit limit = within(until);
    auto message = answer(request, LDAP_MSG_ONE);
    if (!message.is_ok()) return message.status();
    int type = ::ldap_msgtype(message->get());
    if (type == LDAP_RES_SEARCH_ENTRY) {
      if (Status status = take(message->get(), page.entries, bytes); !status.is_ok()) return status;
    } else if (type == LDAP_RES_SEARCH_RESULT) {
      LDAPControl** controls = nullptr;
      if (::ldap_parse_result(handle, message->get(), &page.code, nullptr, nullptr, nullptr, &controls, 0) != LDAP_SUCCESS) {
        return lose("the end of its answer is no LDAP");
      }
      Status status = read_cookie(controls, page);
      ::ldap_controls_free(controls);
      if (!status.is_ok()) return status;
      return page;
    } else if (type != LDAP_RES_SEARCH_REFERENCE && type != LDAP_RES_INTERMEDIATE) {  // what lies on other servers is not asked
      return lose("it answered a search with something else");
    }
  }
}

base::Result<Page> Connection::Impl::page(const std::string& base_dn, const std::string& filter, char** attributes, const std::string& cookie, size_t& bytes,
                                          Moment until) {
  berval from{cookie.size(), const_cast<char*>(cookie.data())}, value{};
  if (::ldap_create_page_control_value(handle, settings.page_size, &from, &value) != LDAP_SUCCESS) return Status(Code::kUnavailable, "no memory for a page");
  std::string oid = LDAP_CONTROL_PAGEDRESULTS;
  LDAPControl control{oid.data(), value, 0};  // a server without pages sends everything at once
  LDAPControl* controls[] = {&control, nullptr};
  base::Result<int> request = [&] {
    TimeLimit limit = within(until);
    return ask(base_dn, LDAP_SCOPE_SUBTREE, filter, attributes, LDAP_NO_LIMIT, controls);
  }();
  ::ber_memfree(value.bv_val);
  if (!request.is_ok()) return request.status();
  return collect(*request, bytes, until);
}

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;
bool Connection::is_lost() const { return impl_->lost; }

base::Result<std::unique_ptr<Connection>> Connection::open(const Settings& settings, const Server& server, TimeLimits& limits, Moment until) {
  until = std::min(until, std::chrono::steady_clock::now() + std::chrono::milliseconds(settings.connect_ms));
  auto socket = dial(server.host, server.port, until, limits);
  if (!socket.is_ok()) return socket.status();
  return over(std::move(socket).value(), settings, server, limits, until);
}

base::Result<std::unique_ptr<Connection>> Connection::over(Socket socket, const Settings& settings, const Server& server, TimeLimits& limits, Moment until) {
  prepare_library();
  auto impl = std::make_unique<Impl>(settings, limits);
  impl->second = Socket(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  if (impl->second.get() < 0) return Status(Code::kUnavailable, "this process has too many files open");
  // The name is for the certificate; the scheme would only matter if the library connected by itself.
  bool v6 = server.host.find(':') != std::string::npos;
  std::string name = fmt::format("ldap://{}{}{}:{}/", v6 ? "[" : "", server.host, v6 ? "]" : "", server.port);
  int code = ::ldap_init_fd(socket.get(), 1 /* LDAP_PROTO_TCP */, name.c_str(), &impl->handle);
  if (code != LDAP_SUCCESS) return Status(Code::kUnavailable, ::ldap_err2string(code));
  socket.release();
  if (Status status = impl->prepare(server); !status.is_ok()) return status;
  if (Status status = impl->secure(server, until); !status.is_ok()) return status;
  return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

base::Result<bool> Connection::bind(const std::string& dn, std::string_view password, Moment until) {
  if (dn.empty() || password.empty()) return false;
  if (impl_->lost) return Status(Code::kUnavailable, "the connection is gone");
  TimeLimit limit = impl_->within(until);
  PasswordLayer& layer = impl_->layer;
  layer.placeholder.assign(password.size(), '?');
  layer.password = password;
  berval credentials{layer.placeholder.size(), layer.placeholder.data()};
  int request = 0;
  int sent = ::ldap_sasl_bind(impl_->handle, dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, &request);
  layer.placeholder.clear();
  layer.password = {};
  if (sent != LDAP_SUCCESS) return impl_->failure(sent < 0 ? sent : LDAP_SERVER_DOWN);
  auto message = impl_->answer(request, LDAP_MSG_ALL);
  if (!message.is_ok()) return message.status();
  int code = LDAP_OTHER;
  if (::ldap_msgtype(message->get()) != LDAP_RES_BIND ||
      ::ldap_parse_result(impl_->handle, message->get(), &code, nullptr, nullptr, nullptr, nullptr, 0) != LDAP_SUCCESS) {
    return impl_->lose("its answer to a bind is no LDAP");
  }
  if (code == LDAP_SUCCESS) return true;
  if (refuses_account(code)) return false;
  return impl_->failure(code);
}

base::Result<std::vector<Entry>> Connection::search(const std::string& base_dn, const std::string& filter, const std::vector<std::string>& attributes,
                                                    Moment until) {
  std::vector<char*> wanted = pointers(attributes);
  std::vector<Entry> all;
  std::string cookie;
  size_t bytes = 0;
  do {
    auto page = impl_->page(base_dn, filter, wanted.data(), cookie, bytes, until);
    if (!page.is_ok()) return page.status();
    switch (page->code) {
      case LDAP_SUCCESS: break;
      case LDAP_SIZELIMIT_EXCEEDED:
      case LDAP_ADMINLIMIT_EXCEEDED:
      case LDAP_TIMELIMIT_EXCEEDED:
        return Status(Code::kUnavailable, fmt::format("it cut its answer short ({}); raise its limits for the name that searches", ::ldap_err2string(page->code)));
      case LDAP_NO_SUCH_OBJECT: return Status(Code::kUnavailable, fmt::format("it has no {}, or does not show it to the name that searches", base_dn));
      default: return impl_->failure(page->code);
    }
    for (Entry& entry : page->entries) all.push_back(std::move(entry));
    cookie = std::move(page->cookie);
  } while (!cookie.empty());
  return all;
}

base::Result<std::vector<Entry>> Connection::search_two(const std::string& base_dn, const std::string& filter,
                                                        const std::vector<std::string>& attributes, Moment until) {
  std::vector<char*> wanted = pointers(attributes);
  base::Result<int> request = [&] {
    TimeLimit limit = impl_->within(until);
    return impl_->ask(base_dn, LDAP_SCOPE_SUBTREE, filter, wanted.data(), 2, nullptr);
  }();
  if (!request.is_ok()) return request.status();
  size_t bytes = 0;
  auto page = impl_->collect(*request, bytes, until);
  if (!page.is_ok()) return page.status();
  bool enough = page->code == LDAP_SIZELIMIT_EXCEEDED && page->entries.size() >= 2;
  if (page->code == LDAP_SUCCESS || enough) return std::move(page->entries);
  if (page->code == LDAP_NO_SUCH_OBJECT) return Status(Code::kUnavailable, fmt::format("it has no {}, or does not show it to the name that searches", base_dn));
  return impl_->failure(page->code);
}

base::Result<std::vector<std::optional<Entry>>> Connection::read(const std::vector<std::string>& dns, const std::string& filter,
                                                                 const std::vector<std::string>& attributes, Moment until) {
  std::vector<char*> wanted = pointers(attributes);
  std::vector<std::optional<Entry>> found(dns.size());
  std::vector<int> requests;
  size_t bytes = 0;
  for (size_t next = 0; next < dns.size(); ++next) {
    while (requests.size() < dns.size() && requests.size() < next + kUnderWay) {
      TimeLimit limit = impl_->within(until);
      auto request = impl_->ask(dns[requests.size()], LDAP_SCOPE_BASE, filter, wanted.data(), 1, nullptr);
      if (!request.is_ok()) return request.status();
      requests.push_back(*request);
    }
    auto page = impl_->collect(requests[next], bytes, until);
    if (!page.is_ok()) return page.status();
    if (page->code == LDAP_NO_SUCH_OBJECT || page->code == LDAP_INVALID_DN_SYNTAX) continue;
    if (page->code != LDAP_SUCCESS) return impl_->lose(::ldap_err2string(page->code));  // answers to the other requests are still to come
    if (!page->entries.empty()) found[next] = std::move(page->entries.front());
  }
  return found;
}

}  // namespace ldap
