#include "daemons/host.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <strings.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "base/secret_file.h"
#include "base/version.h"
#include "daemons/refusal.h"
#include "rpc/answers.h"
#include "rpc/transport.h"

namespace daemons {
namespace {

constexpr const char* kPoolThreads = "16";  // a file server that does not answer keeps one for each instrument it serves
constexpr auto kFirstPause = 100 * kj::MILLISECONDS;
constexpr auto kLongestPause = 5 * kj::SECONDS;

std::string host_name() {
  char name[256] = "localhost";
  gethostname(name, sizeof name - 1);
  return name;
}

struct Keeper {
  rpc::Loop& loop;
  std::string name;
  std::function<kj::Promise<schema::Session::Client>()> enter;
  std::function<kj::Promise<void>(schema::Session::Client)> work;
  bool ending = false;
};

kj::Promise<void> again(Keeper& keeper, kj::Duration pause) {
  kj::TimePoint began = keeper.loop.timer().now();
  return keeper.enter()
      .then([&keeper](schema::Session::Client session) { return keeper.work(kj::mv(session)); })
      .then([] { return kj::String(kj::str("its work came to an end")); }, [](kj::Exception&& problem) { return kj::str(problem.getDescription()); })
      .then([&keeper, began, pause](kj::String why) -> kj::Promise<void> {
        if (keeper.ending) return kj::READY_NOW;
        spdlog::warn("{}: {}; trying again", keeper.name, why.cStr());
        bool was_stable = keeper.loop.timer().now() - began > 2 * kLongestPause;
        kj::Duration wait = was_stable ? kFirstPause : pause;
        return keeper.loop.timer()
            .afterDelay(wait)
            .exclusiveJoin(keeper.loop.termination().ignoreResult())
            .then([&keeper, wait]() -> kj::Promise<void> {
              if (keeper.ending) return kj::READY_NOW;
              return again(keeper, std::min(wait * 2, kLongestPause));
            });
      });
}

}  // namespace

HostOptions parse_host_options(int argc, char** argv, const char* program, const char* purpose) {
  setenv("UV_THREADPOOL_SIZE", kPoolThreads, 0);  // read at the pool's first use
  CLI::App app(purpose, program);
  std::string folder, level = "info";
  HostOptions options;
  options.name = host_name();
  app.add_option("--site", folder, "site folder; default: RUNLEDGER_SITE, or the one this folder is in");
  app.add_option("--connect", options.connect, "address of the ledger, unix:PATH or tls:HOST:PORT; default: the site's first");
  app.add_option("--name", options.name, "name of this worker; default: the host's");
  app.add_option("--token-file", options.token_file, "file with this daemon's token (mode 0600), which it logs in with; default: what the connection proves");
  app.add_option("--tls-ca", options.tls.ca_file, "certificates that vouch for the ledger, over tls:; default: the system's");
  app.add_option("--tls-name", options.tls.server_name, "name or address the ledger's certificate must have; default: that of --connect");
  app.add_option("--tls-certificate", options.tls.certificate, "certificate this daemon shows, its own first");
  app.add_option("--tls-key", options.tls.key, "key of that certificate");
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
  if (!found.is_ok()) {
    fail(options.connect.empty() ? found.status()
                                 : base::Status(found.status().code(), fmt::format("{}; --connect is where the ledger is, site.toml has what is of this machine",
                                                                                   found.status().message())));
  }
  auto site = site::load(*found);
  if (!site.is_ok()) fail(site.status());
  options.site = std::move(*site);
  if (options.connect.empty()) options.connect = options.site.listen.front();
  return options;
}

kj::Promise<schema::Session::Client> log_in(schema::Gateway::Client gateway, const std::string& token_file) {
  auto request = gateway.loginRequest();
  if (!token_file.empty()) {
    auto token = base::read_secret_file(token_file);
    if (!token.is_ok()) return failure(token.status());
    request.initCredentials().setToken(*token);
    explicit_bzero(token->data(), token->size());
  }
  return request.send().then([](auto&& response) -> schema::Session::Client {
    if (base::Status status = rpc::status_of(response.getRefusal()); !status.is_ok()) give_up(status);
    return response.getSession();
  });
}

kj::Promise<void> keep_running(rpc::Loop& loop, std::string name, std::function<kj::Promise<schema::Session::Client>()> enter,
                               std::function<kj::Promise<void>(schema::Session::Client)> work) {
  auto keeper = kj::heap<Keeper>(Keeper{loop, std::move(name), std::move(enter), std::move(work)});
  auto told = loop.termination().then([&keeper = *keeper](int) { keeper.ending = true; }).eagerlyEvaluate(nullptr);
  auto running = again(*keeper, kFirstPause);
  return running.attach(kj::mv(told)).attach(kj::mv(keeper));
}

int run_daemon(rpc::Loop& loop, const HostOptions& options, std::function<kj::Promise<void>(schema::Session::Client)> work) {
  std::optional<rpc::Connection> connection;
  auto enter = [&loop, &options, &connection]() -> kj::Promise<schema::Session::Client> {
    connection.reset();
    return rpc::connect(loop, options.connect, {.tls = options.tls}).then([&options, &connection](rpc::Connection opened) {
      connection.emplace(kj::mv(opened));
      return log_in(connection->bootstrap().castAs<schema::Gateway>(), options.token_file);
    });
  };
  loop.wait(keep_running(loop, spdlog::default_logger()->name(), enter, std::move(work)));
  return 0;
}

}  // namespace daemons
