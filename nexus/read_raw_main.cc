// runledger-read-raw: examines raw files in a process of its own, so that a file that crashes or stalls libhdf5 costs only this.
// With no file named it answers framed RawFileRequest messages on stdin with RawFileReport messages on stdout until stdin ends;
// whoever started it sets the time limit per answer and starts another one when this is gone.

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>
#include <kj/io.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/version.h"
#include "nexus/raw_file.h"
#include "nexus/report_text.h"

namespace {

constexpr rlim_t kAddressSpaceBytes = rlim_t{4} << 30;
constexpr size_t kRequestWordsMost = 8192;  // two paths

std::string_view bytes_of(capnp::Data::Reader data) { return {data.asChars().begin(), data.size()}; }

void limit_process() {
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // both reserve terabytes
  rlimit memory{kAddressSpaceBytes, kAddressSpaceBytes};
  setrlimit(RLIMIT_AS, &memory);
#endif
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_DFL);
  setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);  // the environment wins over what a program asks for
  setenv("HDF5_PLUGIN_PRELOAD", "::", 1);       // no plugins
  unsetenv("HDF5_PLUGIN_PATH");
}

/// Fills the report by `examine`; whatever that throws becomes a refusal.
template <typename Examine>
void answer(schema::RawFileReport::Builder report, Examine&& examine) {
  auto exception = kj::runCatchingExceptions([&] { examine(report); });
  KJ_IF_MAYBE (fault, exception) {
    auto reason = report.initOutcome().initRefused();
    reason.setCode("reader_failed");
    reason.setText(kj::str("the raw-file reader failed: ", fault->getDescription()));
  }
}

/// Exit status: 0 at the end of the input, 2 when what came was no request.
int serve() {
  kj::FdInputStream input(STDIN_FILENO);
  kj::BufferedInputStreamWrapper buffered(input);
  capnp::ReaderOptions options;
  options.traversalLimitInWords = kRequestWordsMost;
  auto exception = kj::runCatchingExceptions([&] {
    while (buffered.tryGetReadBuffer().size() > 0) {
      capnp::InputStreamMessageReader input_message(buffered, options);
      capnp::MallocMessageBuilder message;
      answer(message.initRoot<schema::RawFileReport>(), [&](auto report) {
        auto request = input_message.getRoot<schema::RawFileRequest>();
        nexus::examine(bytes_of(request.getPath()), bytes_of(request.getRoot()), {}, report);
      });
      capnp::writeMessageToFd(STDOUT_FILENO, message);
    }
  });
  KJ_IF_MAYBE (fault, exception) {
    std::fprintf(stderr, "runledger-read-raw: what came on stdin is no request (%s)\n", fault->getDescription().cStr());
    return 2;
  }
  return 0;
}

/// Exit status: 0 every file is a run, 1 one is not.
int print_reports(const std::vector<std::string>& files, const std::string& root) {
  int status = 0;
  std::string folder = root.empty() ? "" : std::filesystem::absolute(root).string();
  for (const std::string& file : files) {
    capnp::MallocMessageBuilder message;
    auto report = message.initRoot<schema::RawFileReport>();
    answer(report, [&](auto into) { nexus::examine(std::filesystem::absolute(file).string(), folder, {}, into); });
    std::printf("%s%s", file == files.front() ? "" : "\n", nexus::report_text(report).c_str());
    if (!report.getOutcome().isRun()) status = 1;
  }
  return status;
}

}  // namespace

int main(int count, char** arguments) {
  CLI::App app(
      "Says what raw data files are: runs with their metadata, not complete yet, or no runs.\n"
      "Without FILE it serves requests on stdin, for runledger itself.");
  std::vector<std::string> files;
  std::string root;
  app.add_option("FILE", files, "Files to examine");
  app.add_option("--root", root, "Refuse what is not inside this folder");
  app.set_version_flag("--version", std::string(base::version()));
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  limit_process();
  return files.empty() ? serve() : print_reports(files, root);
}
