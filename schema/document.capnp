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
  value @2 :Text;          # JSON, as in Variable. Empty = the script has none (a template's place): one must be set.
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
  declared @3 :Bool;       # The script named it as a result (returned value, `output`, manifest file). Since schema 3.
}
struct OutsideFile {
  # A file the script wrote elsewhere, as far as its interpreter tells: what compiled code opens by itself is not seen. Since schema 3.
  path @0 :Text;
  what @1 :What;
  sizeBytes @2 :UInt64;
  sha256 @3 :Data;         # Empty = not read: over the limit for this, or not readable.
  enum What { created @0; changed @1; removed @2; }
}
struct OutputManifest {
  files @0 :List(OutputFile);       # Sorted by path.
  outside @1 :List(OutsideFile);    # Sorted by path, at most 1000. Since schema 3.
  remarks @2 :List(Text);           # What is odd: "named as a result, but not made: x.nxs". Since schema 3.
}

struct JobSource {
  # A result that a stage takes. Since schema 3.
  run @0 :Event.RunKey;    # The (first) run.
  stage @1 :Text;          # "reduction", or the stage's name.
  version @2 :UInt16;
  job @3 :UInt64;
  manifest @4 :Data;       # OutputManifest; its files that fit the job's patterns are the inputs, in the order of the manifest.
  directory @5 :Text;
}
struct JobSources { sources @0 :List(JobSource); }             # By run number, then stage. Since schema 3.

struct PlannedRun {
  run @0 :Event.RunKey;
  basis @1 :UInt16;        # The version there was when it was planned; 0 = none.
}
struct CampaignPlan { runs @0 :List(PlannedRun); }             # Sorted by instrument and run number, the order in which they are queued. Since schema 3.

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
