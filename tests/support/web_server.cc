#include "tests/support/web_server.h"

#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace support {
namespace {

constexpr const char* kServer = R"python(
import http.server, os, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        name = self.path.partition("?")[0]
        if name in ("/open/text", "/closed/text"):
            Handler.asked += 1
            self.answer(b"the text")
        elif name == "/open/asked":
            self.answer(str(Handler.asked).encode())
        elif name == "/open/long":
            self.answer(bytes(17 << 20), length=False)
        elif name in ("/open/hop", "/open/away", "/open/circle"):
            self.send_response(302)
            self.send_header("Location", {"/open/hop": "text", "/open/away": "/closed/text", "/open/circle": "circle"}[name])
            self.end_headers()
        else:
            self.send_error(404)
    def answer(self, body, length=True):
        self.send_response(200)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
)python";

}  // namespace

WebServer::WebServer() {
  int in[2], out[2];
  if (pipe(in) != 0 || pipe(out) != 0) throw std::runtime_error("no pipes");
  process_ = fork();
  if (process_ == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    for (int descriptor : {in[0], in[1], out[0], out[1]}) close(descriptor);
    execl("/usr/bin/python3", "python3", "-c", kServer, nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  input_ = in[1];
  char byte = 0;
  while (read(out[0], &byte, 1) == 1 && byte != '\n') port_ += byte;
  close(out[0]);
  if (port_.empty()) throw std::runtime_error("the web server does not start");
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(name);
}

WebServer::~WebServer() {
  close(input_);
  waitpid(process_, nullptr, 0);
}

}  // namespace support
