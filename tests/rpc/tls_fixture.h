// A listener on TLS on a free port, and what its clients need to know.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/rpc/echo_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/temporary_folder.h"

namespace echo {

/// Keeps the lines of the daemon log instead of showing them.
class LogLines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  size_t count() const { return lines_.size(); }
  bool has(const std::string& text) const {
    return std::any_of(lines_.begin(), lines_.end(), [&](const auto& line) { return line.find(text) != std::string::npos; });
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    lines_.emplace_back(message.payload.data(), message.payload.size());
  }
  void flush_() override {}
  std::vector<std::string> lines_;
};

class TlsFixture : public EchoTest {
 protected:
  TlsFixture() { spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log_)); }
  ~TlsFixture() noexcept override {
    listener_ = nullptr;
    spdlog::set_default_logger(before_);
  }

  rpc::TlsServerFiles shown(const support::CertificateFiles& files) const {
    return {files.certificate, files.key, authority_.certificate()};
  }
  rpc::TlsClientFiles trusting() const { return {.ca_file = authority_.certificate()}; }
  rpc::TlsClientFiles showing(const support::CertificateFiles& files) const {
    return {.ca_file = authority_.certificate(), .certificate = files.certificate, .key = files.key};
  }

  void listen(rpc::ListenOptions options = {}, const std::string& host = "127.0.0.1") {
    if (options.tls.certificate.empty()) options.tls = shown(server_);
    auto opened = rpc::Listener::open(loop_, "tls:" + host + ":0", factory(), options);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    listener_ = std::move(opened).value();
  }
  const std::string& address() const { return listener_->address(); }
  uint16_t port() const { return static_cast<uint16_t>(std::stoi(address().substr(address().rfind(':') + 1))); }

  Client client() { return client(trusting()); }
  Client client(rpc::TlsClientFiles files) { return EchoTest::client(address(), {.tls = std::move(files)}); }
  std::string connect_failure(rpc::TlsClientFiles files) {
    return failure(rpc::connect(loop_, address(), {.tls = std::move(files)}));
  }

  /// A plain TCP connection to the listener, from this address of the machine.
  kj::Own<kj::AsyncIoStream> raw(const char* from = "127.0.0.1") {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, from, &address.sin_addr);
    KJ_ASSERT(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    address.sin_port = htons(port());
    KJ_ASSERT(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    return loop_.low_level_io().wrapSocketFd(
        fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP | kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC);
  }

  support::TemporaryFolder folder_;
  support::CertificateAuthority authority_{folder_.path()};
  support::CertificateAuthority other_authority_{folder_.path(), "other-ca"};
  support::CertificateFiles server_ = authority_.server("server");
  std::shared_ptr<LogLines> log_ = std::make_shared<LogLines>();
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

}  // namespace echo
