// Reading raw files in processes of their own: a file that crashes, blocks or exhausts its reader takes nothing else with it.
#pragma once

#include <capnp/message.h>
#include <kj/async.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "schema/rawfile.capnp.h"

namespace rpc {
class Loop;
}

namespace daemons {

class ProcessLauncher;

/// Owns: its processes. Threads: loop thread. A simulation has its own.
/// Errors: read() answers whatever becomes of the reader; it is rejected only by a fault of ours.
class RawFileReader {
 public:
  virtual ~RawFileReader() noexcept(false) = default;
  /// A message with a schema::RawFileReport. `path` and `root` as in schema::RawFileRequest; `size_bytes` as last seen.
  virtual kj::Promise<kj::Own<capnp::MessageReader>> read(std::string path, std::string root, uint64_t size_bytes) = 0;
  /// Files it reads at once.
  virtual size_t capacity() const = 0;
  /// Why nothing can be read at present; empty = it can.
  virtual std::string trouble() const = 0;
};

struct ReaderPoolSettings {
  std::filesystem::path program;     // speaks framed RawFileRequest on stdin, RawFileReport on stdout
  std::vector<std::string> arguments;
  size_t children = 2;
  int64_t time_limit_ms = 60'000;    // for one file ...
  int64_t bytes_per_second = 20'000'000;  // ... plus its size at this rate, for hashing from a slow disk
  int64_t first_restart_ms = 100;    // after a child that would not start, doubled each time
  int64_t last_restart_ms = 30'000;
};

/// A pool of child processes, started in advance and kept. A new child has to answer for /dev/null before it gets a file, so a
/// program that does not run at all is our trouble and no file's. A file that ends two children is answered refused, reader_failed.
std::unique_ptr<RawFileReader> make_reader_pool(rpc::Loop& loop, ProcessLauncher& launcher, ReaderPoolSettings settings);

}  // namespace daemons
