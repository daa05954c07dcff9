// The command `runledger`: streams, terminal and connection; everything else is in tools::run_program.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>

#include "site/site.h"
#include "tools/ledger_commands.h"
#include "tools/output.h"
#include "tools/program.h"
#include "tools/site_commands.h"

namespace {

base::Result<std::string> find_address(const tools::GlobalOptions& options) {
  if (options.address) return *options.address;
  std::error_code unused;
  base::Result<std::filesystem::path> folder = site::find(options.site, std::filesystem::current_path(unused));
  if (!folder.is_ok()) {
    return base::Status(folder.status().code(), folder.status().message() + "; to reach a ledger elsewhere set RUNLEDGER_CONNECT, or give --connect ADDRESS");
  }
  base::Result<site::Site> site = site::load(*folder);
  if (!site.is_ok()) return site.status();
  if (site->listen.empty()) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("{}/site.toml: [facility] listen is empty; ledgerd cannot be reached", folder->string()));
  }
  return site->listen.front();
}

base::Result<std::unique_ptr<tools::Client>> open_client(const std::string& address, const tools::GlobalOptions& options) {
  return tools::connect(address, tools::tls_files(options));
}

tools::Terminal terminal_of(int descriptor) {
  winsize size{};
  if (isatty(descriptor) == 0) return {};
  return {ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : size_t{0}, true};
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, [](int) {});  // a reader that goes away is seen by write(); not ignored, which a program started by exec would inherit
  tools::FileBuffer buffer(STDOUT_FILENO);
  std::ostream out(&buffer);
  tools::Context context(out, std::cerr, terminal_of(STDOUT_FILENO), {find_address, open_client}, tools::TokenStore::of_environment());
  constexpr tools::AddCommand kSiteCommands[] = {tools::add_verify, tools::add_init,   tools::add_up,     tools::add_export,
                                                 tools::add_import, tools::add_restore, tools::add_doctor};
  int exit_code = tools::run_program({argv + std::min(argc, 1), argv + argc}, context, kSiteCommands);
  out.flush();
  if (buffer.error() == 0 || buffer.error() == EPIPE) return exit_code;
  context.say(fmt::format("standard output: {}", strerror(buffer.error())));
  return tools::kError;
}
