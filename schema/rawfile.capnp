# What was found out about one file of a watched folder: the answer of the raw-file reader (nexus/), which runs in a process of its own.
@0x953867edd07fb895;

using Cxx = import "/capnp/c++.capnp";
using Event = import "event.capnp";
$Cxx.namespace("schema");

struct RawFileReport {
  file @0 :Event.RawFile;  # sha256 empty unless outcome is run or refused and the bytes were read to the end.
  inode @1 :UInt64;
  outcome :union {
    notYet @2 :Event.Reason;        # Not complete, or not readable yet; look again. Codes: empty, growing, truncated, being_written,
                                    # locked, unreadable, preallocated, damaged_structure, unclosed_writer.
    refused @3 :Event.Reason;       # Is no raw file whatever happens: hdf4, isis_raw, git_lfs_pointer, html, gzip, zip, text_mode, not_hdf5,
                                    # no_entry, not_regular, outside_archive, unsupported_version, reader_failed.
    run @4 :Event.RunMetadata;
  }
  problems @5 :List(Text); # Odd, but readable: "title is not UTF-8", "2 NXentry groups", "proton_charge is 0 with counts".
}

struct RawFileRequest {
  path @0 :Data;           # Absolute; bytes as the file system gives them, not necessarily UTF-8.
  root @1 :Data;           # The watched folder the path must stay inside after symlinks are resolved; empty = not checked.
}
