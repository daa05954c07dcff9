#include <fmt/format.h>

#include <fstream>

#include "site/site.h"

namespace site {
namespace {

constexpr const char* kExample = R"toml(# A RunLedger site. Relative paths are relative to this folder. Start it with: runledger up {folder}

[facility]
name = "My facility"
ledger = "ledger"                        # the record: back this folder up
listen = ["unix:run/ledger.sock"]        # only the account that runs the ledger, and root, may connect, unless there is [access]

# [witness]
# file = "witness/checkpoints"           # signed checkpoints of the record: keep copies of it on another machine
# every = "10m"

# [retention]                            # what is forgotten by itself, each time on record; without it nothing is
# commands = "90d"                       # ids of commands, by which one sent again is known
# logs = "2y"                            # what scripts printed; scripts, variables and results are always kept

# [follow]                               # this ledger is a read-only copy of another one; it has no [[instrument]] tables of its own
# address = "unix:/srv/source/run/ledger.sock"
# public_key_file = "source.pub"         # the source's key line: runledger prove --key --output source.pub, asked of the source

# [access]                               # others may connect and log in: docs/operations/access.md
# login = "12h"                          # how long a login lasts
# machine_token = "1y"                   # the longest that a program's token may last
# refresh = "5m"                         # how often the directory is read; group changes reach everybody within it
# member_reruns = 20                     # reductions of one experiment that a member may have waiting
# scientist_reruns = 10000               # runs in one campaign of a scientist
# certificate = "tls/ledger.pem"         # for addresses such as listen = ["unix:run/ledger.sock", "tls:ledger.example.org:4433"]
# key = "tls/ledger.key"
# client_ca = "tls/daemons-ca.pem"       # who signs the daemons' own certificates

# [access.ldap]                          # without it, accounts are those of this machine
# servers = ["ldaps://ldap1.example.org", "ldaps://ldap2.example.org"]
# ca = "tls/ldap-ca.pem"                 # default: the system's
# bind_name = "cn=runledger,ou=services,dc=example,dc=org"
# bind_password_file = "secrets/ldap"
# user_base = "ou=people,dc=example,dc=org"
# user_filter = "(uid={{user}})"
# user_attribute = "uid"
# group_base = "ou=groups,dc=example,dc=org"
# group_filter = "(|(objectClass=posixGroup)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))"   # Active Directory: "(objectClass=group)"
# group_attribute = "cn"
# member_of = false                      # true: the server keeps memberOf
# nested_levels = 5                      # groups in groups
# page_size = 500
# connect_time_limit = "3s"              # to one server
# answer_time_limit = "5s"               # for one answer of it
# whole_time_limit = "20s"               # over all servers
# plaintext = false                      # true: ldap:// without TLS; passwords can then be read on the way

# [[access.role]]                        # one table for each kind of group, or for accounts
# role = "scientist"                     # member | scientist | operator | auditor | administrator
# groups = ["sns_{{instrument}}_team"]
# [[access.role]]
# role = "member"
# groups = ["IPTS-{{experiment}}"]
# experiment = "IPTS-{{experiment}}"       # as the runs' metadata say it; default: what the group's name has in that place
# [[access.role]]
# role = "administrator"
# accounts = ["alice"]                   # scientists given so need instrument = "MARI", members experiment = "2010001"

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
# contract = "isis"                      # isis: main(input_file, output_dir) | sns: reduce_INST.py FILE OUTDIR/ | fia: a text whose assignments are filled
# raw = ["archive/NDXMARI/Instrument/data"]        # folders watched, cycle folders below included
# files = ["*.nxs", "*.raw"]             # default: the contract's usual names
# detect = "directory"                   # directory | lastrun
# run_number = "^MAR0*([0-9]+)"          # default: the last digits of the file's name
# script = "archive/NDXMARI/user/scripts/autoreduction/reduce.py"
# output = "instrument/{{instrument}}/RBNumber/RB{{experiment}}/autoreduced/{{run}}/run-version-{{version}}"
# python = "/usr/bin/python3"
# conda_python = "/opt/conda/envs/{{env}}/bin/python"       # of a script that says CONDA_ENV = "NAME"; default: such a line is passed over
# interpreters = {{ nightly = "/opt/mantidnightly/bin/python" }}   # others that a re-run or a stage may name
# time_limit = "60m"
# memory_limit = "8GiB"
# stderr_fails = true                    # what is printed to standard error fails the attempt, as at the SNS (default: false) ...
# stderr_allowed = ["^WARNING"]          # ... unless one of these regular expressions is found in it
# flat = "instrument/{{instrument}}/RB{{experiment}}/newest"    # links to the files of each run's newest version, all in one folder
# support_urls = ["https://raw.githubusercontent.com/my-facility/"]   # a variable's url must begin with one of these to be fetched

# A script over results, started by itself. Those an instrument has by `runledger stage set` are apart from these.
# [[instrument.stage]]
# name = "merge"
# after = ["reduction"]                  # or other stages; [] with over = "runs": it takes the raw files
# over = "experiment"                    # run: each by itself | experiment: when none of its runs is left | runs: those that somebody names
# script = "archive/NDXMARI/user/scripts/autoreduction/merge.py"
# contract = "isis"                      # default: the instrument's
# python = "nightly"                     # one of `interpreters`; default: the instrument's own
# inputs = ["*.nxspe"]                   # which files of the results; default: all
# output = "instrument/{{instrument}}/RB{{experiment}}/merged/{{run}}/{{stage}}-{{version}}"   # default: the instrument's, with {{run}}/{{stage}} for {{run}}
# time_limit = "60m"                     # default: the instrument's
# memory_limit = "8GiB"

# [trials]
# folder = "trials"                      # what `runledger try` makes
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
