// A web server on this machine, for whatever fetches.
#pragma once

#include <string>

namespace support {

/// Python's http.server on a free port of 127.0.0.1. Below /open/ it has: text ("the text"), long (17 MiB), hop (redirected to text), away
/// (redirected to /closed/text), circle (redirected to itself), asked (how many requests for text it has had). Whatever else: 404.
class WebServer {
 public:
  WebServer();
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;
  /// "http://127.0.0.1:PORT/" + path
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + port_ + "/" + path; }

 private:
  std::string port_;
  int input_ = -1;  // its end ends the server
  int process_ = -1;
};

}  // namespace support
