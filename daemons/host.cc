#include "daemons/host.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/version.h"
#include "rpc/transport.h"

namespace daemons {
namespace {

constexpr auto kFirstPause = 100 * kj::MILLISECONDS;
constexpr auto kLongestPause = 5 * kj::SECONDS;

std::string host_name() {
  char name[256] = "localhost";
  gethostname(name, sizeof name - 1);
  return name;
}

kj::Promise<void> once(std::function<kj::Promise<schema::Gateway::Client>()> connect,
                       std::function<kj::Promise<void>(schema::Session::Client)> work) {
  return connect().then([](schema::Gateway::Client gateway) { return gateway.loginRequest().send(); }).then([work](auto&& response) {
    return work(response.getSession());
  });
}

kj::Promise<void> again(rpc::Loop& loop, std::string name, std::function<kj::Promise<schema::Gateway::Client>()> connect,
                        std::function<kj::Promise<void>(schema::Session::Client)> work, kj::Duration pause) {
  kj::TimePoint began = loop.timer().now();
  return once(connect, work)
      .then([name] { spdlog::warn("{}: its work came to an end; starting it again", name); },
            [name](kj::Exception&& problem) { spdlog::warn("{}: {}; trying again", name, problem.getDescription().cStr()); })
      .then([&loop, began, pause] {
        bool was_stable = loop.timer().now() - began > 2 * kLongestPause;
        return loop.timer().afterDelay(was_stable ? kFirstPause : pause);
      })
      .then([&loop, name, connect, work, pause] { return again(loop, name, connect, work, std::min(pause * 2, kLongestPause)); });
}

}  // namespace

HostOptions parse_host_options(int argc, char** argv, const char* program, const char* purpose) {
  CLI::App app(purpose, program);
  std::string folder, level = "info";
  HostOptions options;
  options.name = host_name();
  app.add_option("--site", folder, "site folder; default: RUNLEDGER_SITE, or the one this folder is in");
  app.add_option("--connect", options.connect, "address of the ledger, unix:PATH; default: the site's first");
  app.add_option("--name", options.name, "name of this worker; default: the host's");
  app.add_option("--log-level", level, "debug, info, warn or error")->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.set_version_flag("--version", std::string(base::version()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    std::exit(app.exit(problem) == 0 ? 0 : 2);
  }
  spdlog::set_default_logger(spdlog::stderr_color_st(program));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n %l: %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(level));
  auto fail = [&](const base::Status& status) {
    fmt::print(stderr, "{}: {}\n", program, status.message());
    std::exit(2);
  };
  auto found = site::find(folder.empty() ? std::nullopt : std::optional(folder), ".");
  if (!found.is_ok()) fail(found.status());
  auto site = site::load(*found);
  if (!site.is_ok()) fail(site.status());
  options.site = std::move(*site);
  if (options.connect.empty()) options.connect = options.site.listen.front();
  return options;
}

kj::Promise<void> keep_running(rpc::Loop& loop, std::string name, std::function<kj::Promise<schema::Gateway::Client>()> connect,
                               std::function<kj::Promise<void>(schema::Session::Client)> work) {
  return again(loop, std::move(name), std::move(connect), std::move(work), kFirstPause);
}

int run_daemon(rpc::Loop& loop, const HostOptions& options, std::function<kj::Promise<void>(schema::Session::Client)> work) {
  auto termination = loop.termination();
  std::optional<rpc::Connection> connection;
  auto connect = [&loop, &options, &connection]() -> kj::Promise<schema::Gateway::Client> {
    connection.reset();
    return rpc::connect(loop, options.connect).then([&connection](rpc::Connection opened) {
      connection.emplace(kj::mv(opened));
      return connection->bootstrap().castAs<schema::Gateway>();
    });
  };
  auto running = keep_running(loop, "daemon", connect, std::move(work)).eagerlyEvaluate(nullptr);
  loop.wait(kj::mv(termination));
  return 0;
}

}  // namespace daemons
