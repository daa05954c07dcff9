# Documents in the blob store: canonical Cap'n Proto messages named by the SHA-256 of their bytes, stored once, lz4-compressed
# by the storage engine. Plain text (scripts, reduction logs, tracebacks) is stored as it is, without a message around it.
# The evolution rules of event.capnp hold here too.
@0xe7b0c4d15a2f9302;

using Cxx = import "/capnp/c++.capnp";
using Event = import "event.capnp";
$Cxx.namespace("schema");

struct ResolvedVariable {
  group @0 :Event.Variable.Group;
  name @1 :Text;
  value @2 :Text;          # JSON, as in Variable.
  rule @3 :Rule;           # Which rule chose this value.
  setBy @4 :Text;          # Account that set it; empty for a script default.
  setAt @5 :Int64;         # When; 0 for a script default.
  setSeq @6 :UInt64;       # The variablesSet / reductionRequested / scriptRegistered event; 0 = unknown.
  help @7 :Text;           # The script's own help text for it.
  enum Rule {
    scriptDefault @0;
    defaultScope @1;       # Set with --default.
    fromRun @2;
    experiment @3;
    given @4;              # Given with the request.
  }
}

struct VariableSet { variables @0 :List(ResolvedVariable); }   # Sorted by group, then name.

struct OutputFile {
  path @0 :Text;           # Relative to the output directory.
  sizeBytes @1 :UInt64;
  sha256 @2 :Data;
}
struct OutputManifest { files @0 :List(OutputFile); }          # Sorted by path.

struct Environment {
  # What an attempt ran in, known before it starts.
  host @0 :Text;
  kernel @1 :Text;
  interpreterPath @2 :Text;
  interpreterVersion @3 :Text;      # First line of `PYTHON --version`.
  runledgerVersion @4 :Text;
  variables @5 :List(Text);         # NAME=VALUE set for the script, sorted.
  workingDirectory @6 :Text;        # Pattern, without job numbers, so that equal environments are one document.
}
