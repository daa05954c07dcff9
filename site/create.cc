#include <fmt/format.h>

#include <fstream>

#include "site/site.h"

namespace site {
namespace {

constexpr const char* kExample = R"toml(# A RunLedger site. Relative paths are relative to this folder. Start it with: runledger up {folder}

[facility]
name = "My facility"
ledger = "ledger"                        # the record: back this folder up
listen = ["unix:run/ledger.sock"]        # only the account that runs the ledger, and root, may connect

# [witness]
# file = "witness/checkpoints"           # signed checkpoints of the record: keep copies of it on another machine
# every = "10m"

# [retention]                            # what is forgotten by itself, each time on record; without it nothing is
# commands = "90d"                       # ids of commands, by which one sent again is known
# logs = "2y"                            # what scripts printed; scripts, variables and results are always kept

# [follow]                               # this ledger is a read-only copy of another one; it has no [[instrument]] tables of its own
# address = "unix:/srv/source/run/ledger.sock"
# public_key_file = "source.pub"         # the source's key line: runledger prove --key --output source.pub, asked of the source

# [monitor]
# settle = "2s"                          # a file that no close or rename announced must stand still this long
# give_up_after = "30s"                  # an incomplete file that no longer changes is refused after this; a change starts again
# sweep = "60s"                          # full look at the folders, for network file systems that send no notice

# [worker]
# slots = 2                              # jobs at once; default: one a processor
# scratch = "scratch"                    # where scripts have their working directory, HOME and TMPDIR
# lease = "30s"                          # a worker silent for this long loses its jobs to another

# One table an instrument. Without its table an instrument is watched no more; what is on record of it stays.
# [[instrument]]
# name = "MARI"
# contract = "isis"                      # isis: main(input_file, output_dir) | sns: reduce_INST.py FILE OUTDIR/
# raw = ["archive/NDXMARI/Instrument/data"]        # folders watched, cycle folders below included
# files = ["*.nxs", "*.raw"]             # default: the contract's usual names
# detect = "directory"                   # directory | lastrun
# run_number = "^MAR0*([0-9]+)"          # default: the last digits of the file's name
# script = "archive/NDXMARI/user/scripts/autoreduction/reduce.py"
# output = "instrument/{{instrument}}/RBNumber/RB{{experiment}}/autoreduced/{{run}}/run-version-{{version}}"
# python = "/usr/bin/python3"
# time_limit = "60m"
# memory_limit = "8GiB"
)toml";

}  // namespace

base::Status create(const std::filesystem::path& folder) {
  std::filesystem::path file = folder / "site.toml";
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    return {base::Code::kAlreadyExists, fmt::format("{}: there is a site already; nothing was changed", file.string())};
  }
  for (const char* part : {"run", "scratch", "archive"}) {
    std::filesystem::create_directories(folder / part, error);
    if (error) return {base::Code::kUnavailable, fmt::format("{}: {}", (folder / part).string(), error.message())};
  }
  std::ofstream out(file);
  out << fmt::format(kExample, fmt::arg("folder", folder.string()));
  out.close();
  if (!out) return {base::Code::kUnavailable, fmt::format("{}: cannot be written", file.string())};
  return base::Status::ok();
}

}  // namespace site
