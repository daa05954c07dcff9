// A raw-file reader whose files are text: the first word says what becomes of it.
//   run N [INSTRUMENT]   a run with that number inside
//   notyet | refused     an incomplete or wrong file
//   crash | hang | exit  the end of this process, or not
//   once FILE            crash, but only while FILE does not exist
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/io.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "base/sha256.h"
#include "schema/rawfile.capnp.h"

namespace {

void answer(const std::string& path, schema::RawFileReport::Builder report) {
  struct stat status {};
  auto file = report.initFile();
  file.setPath("as the reader writes it");
  std::ifstream stream(path, std::ios::binary);
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || !stream) {
    auto reason = report.initOutcome().initNotYet();
    reason.setCode("unreadable");
    reason.setText("it cannot be opened");
    return;
  }
  std::ostringstream all;
  all << stream.rdbuf();
  base::Sha256 hash = base::sha256(all.str());
  file.setSizeBytes(static_cast<uint64_t>(status.st_size));
  file.setModifiedAt(static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec);
  report.setInode(status.st_ino);

  std::istringstream words(all.str());
  std::string what, second, third;
  words >> what >> second >> third;
  if (what == "crash" || (what == "once" && !std::ifstream(second))) {
    if (what == "once") std::ofstream(second) << "crashed";
    raise(SIGABRT);
  }
  if (what == "exit") _exit(3);
  while (what == "hang") pause();
  if (what == "run") {
    file.setSha256(kj::arrayPtr(hash.data(), hash.size()));
    auto run = report.initOutcome().initRun();
    if (!second.empty()) {
      run.getRunNumber().setKnown(second.find_first_not_of("0123456789") == std::string::npos);
      if (run.getRunNumber().getKnown()) run.getRunNumber().setValue(std::stoll(second));
      run.getRunNumber().setRaw(second.c_str());
    }
    if (!third.empty()) {
      run.getInstrument().setKnown(true);
      run.getInstrument().setValue(third.c_str());
    }
    return;
  }
  bool refused = what == "refused";
  if (refused) file.setSha256(kj::arrayPtr(hash.data(), hash.size()));
  auto reason = refused ? report.initOutcome().initRefused() : report.initOutcome().initNotYet();
  reason.setCode(refused ? "not_hdf5" : "truncated");
  reason.setText(refused ? "it is no HDF5 file" : "it is cut short");
}

}  // namespace

int main(int count, char**) {
  if (count > 1) return 1;  // a program that does not run
  kj::FdInputStream input(STDIN_FILENO);
  kj::BufferedInputStreamWrapper buffered(input);
  while (buffered.tryGetReadBuffer().size() > 0) {
    capnp::InputStreamMessageReader request(buffered);
    auto path = request.getRoot<schema::RawFileRequest>().getPath();
    capnp::MallocMessageBuilder message;
    answer(std::string(reinterpret_cast<const char*>(path.begin()), path.size()), message.initRoot<schema::RawFileReport>());
    capnp::writeMessageToFd(STDOUT_FILENO, message);
  }
}
