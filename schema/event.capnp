# The log: everything that ever happened, one Event per entry. Bytes on disk: docs/formats/event_log.md.
#
# Rules that keep old logs readable for ever (promise P11):
#  - ordinals, enumerant numbers and defaults never change and are never re-used; new fields get the next ordinal;
#  - an Event is canonicalised once, when it is appended; those bytes are stored, hashed and handed out for ever;
#  - an Event stays under 64 KiB: scripts, logs, variable sets, output lists and environments are documents
#    (document.capnp) or plain text in the blob store, named here by their SHA-256;
#  - no floating point in Event, Actor or Reason; measured numbers appear only inside RunMetadata, as they were given.
#
# Units: `...At` and `time` are UTC nanoseconds since 1970; `...Bytes` are bytes; a SHA-256 is 32 bytes of Data, empty = none.
@0xd2f1a7c3b96e4801;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("schema");

struct Event {
  seq @0 :UInt64;          # Position in the log, gapless from 1. Filled by the writer.
  time @1 :Int64;          # When it was recorded (log time). Never goes back from one event to the next.
  commandId @2 :Text;      # Id of the command that caused it, chosen by its sender; up to 128 bytes.
  actor @3 :Actor;         # Who asked, and how they proved it.
  cause @4 :UInt64;        # The event that led to this one; 0 = a person or the outside world did.

  body :union {
    unset @5 :Void;        # Never appended. A body this reader does not know also reads as an unknown `which`.
    instrumentConfigured @6 :InstrumentConfigured;
    instrumentPaused @7 :InstrumentPaused;
    instrumentResumed @8 :InstrumentResumed;
    scriptRegistered @9 :ScriptRegistered;
    variablesSet @10 :VariablesSet;
    variablesCleared @11 :VariablesCleared;
    runDetected @12 :RunDetected;
    runRevised @13 :RunDetected;          # The same file was written again with other bytes.
    runAnnotated @14 :RunAnnotated;
    rawFileRefused @15 :RawFileRefused;
    runSkipped @16 :RunSkipped;
    reductionRequested @17 :ReductionRequested;
    jobQueued @18 :JobQueued;
    jobHeld @19 :JobHeld;
    jobReleased @20 :JobReleased;
    attemptStarted @21 :AttemptStarted;
    attemptLost @22 :AttemptLost;
    attemptFailed @23 :AttemptFailed;
    attemptSucceeded @24 :AttemptSucceeded;
    resultRejected @25 :ResultRejected;
    jobSucceeded @26 :JobSucceeded;
    jobFailed @27 :JobFailed;
    jobSkipped @28 :JobSkipped;
    jobCancelled @29 :JobCancelled;
    workerJoined @30 :WorkerJoined;
    workerLeft @31 :WorkerLeft;
    lossAccepted @32 :LossAccepted;
    blobsErased @33 :BlobsErased;
    commandsForgotten @34 :CommandsForgotten;
    sessionOpened @35 :SessionOpened;
    accessDenied @36 :AccessDenied;
    roleGranted @37 :RoleGranted;
    roleRevoked @38 :RoleRevoked;
    tokenIssued @39 :TokenIssued;
    tokenRevoked @40 :TokenRevoked;
    supportFileSeen @41 :SupportFileSeen;
    stageSet @42 :StageRule;
    stageRemoved @43 :StageRemoved;
    combinationRequested @44 :CombinationRequested;
    trialRequested @45 :TrialRequested;
    campaignStarted @46 :CampaignStarted;
    campaignPaused @47 :CampaignPaused;
    campaignResumed @48 :CampaignResumed;
    campaignStopped @49 :CampaignStopped;
    campaignRunPassed @50 :CampaignRunPassed;
    campaignFinished @51 :CampaignFinished;
  }
}

struct Actor {
  kind @0 :Kind;
  name @1 :Text;           # Account name of a person; "monitord", "coordinatord", "workerd/NAME" for a daemon.
  proof @2 :Text;          # How the name was known: "peer uid 1000", "password, checked by ldaps://ldap1", "token 7f3a...". Never a secret.
  enum Kind {
    unknown @0;
    person @1;
    daemon @2;             # A part of RunLedger acting on an event (promise: the event is in `cause`).
  }
  right @3 :Text;          # The role that allowed it and what gave the role, as it was then: "scientist of MARI by group isis_mari_team".
                           # Empty = no role was asked for: a failed login, many denials as one, what the site file, [retention] or doctor do;
                           # or the event is from before there were roles. Since schema 2.
}

struct Reason {
  # Why a decision was taken (promise P12). The event that led to it is the Event's `cause`.
  code @0 :Text;           # Stable lower_snake_case word: docs/reasons.md lists them.
  text @1 :Text;           # One sentence for people: subject, cause, next step.
}

struct RunKey {
  instrument @0 :Text;     # Upper case, as in the site file.
  runNumber @1 :UInt64;    # Unique only with its instrument.
}

# ---- instruments ----

enum Contract {            # What a reduction script expects of its caller; docs/contracts/.
  unset @0;
  isis @1;                 # main(input_file, output_dir), reduce_vars.py
  sns @2;                  # reduce_INST.py FILE OUTDIR/
  fia @3;                  # Top-level text; its assignments are the variables, its global `output` the result. Since schema 3.
}

struct InstrumentConfigured {
  # One [[instrument]] table of the site file, as it stood when ledgerd read it. Paths are absolute.
  instrument @0 :Text;
  contract @1 :Contract;
  rawFolders @2 :List(Text);
  filePatterns @3 :List(Text);      # Shell patterns matched against the file's name, case-insensitively.
  scriptPath @4 :Text;
  outputPattern @5 :Text;           # With {instrument} {experiment} {run} {version}.
  interpreter @6 :Text;
  timeLimitMs @7 :UInt64;           # 0 = none.
  memoryLimitBytes @8 :UInt64;      # 0 = none.
  runNumberPattern @9 :Text;        # Regular expression with one group; empty = the last digits of the file's stem.
  detect @10 :Text;                 # "directory" or "lastrun".
  retired @11 :Bool;                # The table was taken out of the site file; the rest is as it last stood. Nothing new is taken for it.

  # Since schema 3:
  condaPython @12 :Text;   # "/opt/conda/envs/{env}/bin/python": the interpreter of a script that says CONDA_ENV = "...". Empty = such a line is passed over.
  interpreters @13 :List(NamedInterpreter);   # Others that a re-run may name.
  stderrFails @14 :Bool;   # What is printed to standard error fails the attempt, whatever its exit status says (sns) ...
  stderrAllowed @15 :List(Text);    # ... unless one of these regular expressions is found in it.
  flatFolder @16 :Text;    # With {instrument} {experiment}: where links to the files of each run's newest version are kept. Empty = nowhere.
  supportUrls @17 :List(Text);      # What a variable's url must begin with to be fetched. Empty = none is.
}

struct NamedInterpreter { name @0 :Text; path @1 :Text; }

struct InstrumentPaused { instrument @0 :Text; reason @1 :Reason; }
struct InstrumentResumed { instrument @0 :Text; reason @1 :Reason; }

# ---- scripts and variables ----

struct ScriptFile {
  name @0 :Text;           # Path below the script's folder ("reduce_vars.py"; since schema 3 also "mr_reduction/__init__.py").
  sha256 @1 :Data;         # Its exact bytes, in the blob store.
}

struct ScriptRegistered {
  # A script text seen for the first time (or again, after another) at an instrument's script path.
  instrument @0 :Text;
  contract @1 :Contract;
  path @2 :Text;           # Where it was read from.
  sha256 @3 :Data;         # Of the main script's bytes.
  siblings @4 :List(ScriptFile);   # Files it needs from its folder: reduce_vars.py; since schema 3 all it imports or names. Sorted by name.
  defaults @5 :Data;       # SHA-256 of the script's own variables as a VariableSet document; empty = it has none.
  problem @6 :Text;        # Why the defaults could not be read (syntax error in reduce_vars.py, ...); empty = they could.
}

struct Variable {
  group @0 :Group;
  name @1 :Text;           # As in the script; may hold blanks.
  value @2 :Text;          # JSON: keeps str, int, float, bool, None (null) and lists apart. {"python": "repr"} = has no JSON form; left to the script.
  enum Group { standard @0; advanced @1; }
  followsScript @3 :Bool;  # The value is the script's own, whatever it is then; `value` is empty. Since schema 3.
}

struct SupportFile {
  # A file that a variable's value names, by the content it had. Since schema 3.
  group @0 :Variable.Group;
  name @1 :Text;           # Of the variable.
  path @2 :Text;           # As the value names it, made absolute; or the url.
  sha256 @3 :Data;
  sizeBytes @4 :UInt64;
  kept @5 :Bool;           # Its bytes are in the blob store, and the job gets these. False: too large for that; the job gets the file itself, if it still has this hash.
}

struct SupportFileSeen {
  # Another content than the one last on record at this path, or its first. Since schema 3.
  instrument @0 :Text;
  path @1 :Text;
  sha256 @2 :Data;         # Empty = it cannot be read now; `problem` says why.
  sizeBytes @3 :UInt64;
  kept @4 :Bool;
  problem @5 :Text;
}

struct Scope {
  # Which runs a setting is for. The most particular one wins: experiment, then the largest `fromRun` at or below the run, then default.
  union {
    default @0 :Void;
    fromRun @1 :UInt64;    # This run number and all later ones ...
    experiment @3 :Text;   # Experiment as written in the run's metadata.
  }
  toRun @2 :UInt64;        # ... up to and with this one; 0 = no end. Only with fromRun.
}

struct VariablesSet {
  instrument @0 :Text;
  scope @1 :Scope;
  variables @2 :List(Variable);
  comment @3 :Text;
}

struct VariablesCleared {
  instrument @0 :Text;
  scope @1 :Scope;
  names @2 :List(Text);    # Empty = every variable set for that scope.
  comment @3 :Text;
}

# ---- runs ----

struct RawFile {
  path @0 :Text;           # Absolute, as opened. Bytes that are not UTF-8 are written \xHH.
  sizeBytes @1 :UInt64;
  sha256 @2 :Data;         # Of all bytes.
  modifiedAt @3 :Int64;    # The file's own clock; identity hint only, never used for order.
}

# A field as the file gave it: `raw` is the text or number as stored, `path` the HDF5 path it was read from.
# Unknown stays unknown, with the raw text kept; it is never 0 or guessed.
struct TextField { known @0 :Bool; value @1 :Text; raw @2 :Text; path @3 :Text; }
struct IntegerField { known @0 :Bool; value @1 :Int64; raw @2 :Text; path @3 :Text; }
struct RealField { known @0 :Bool; value @1 :Float64; unit @2 :Text; raw @3 :Text; path @4 :Text; }
struct TimeField {
  known @0 :Bool;          # The text is a time.
  zoned @1 :Bool;          # The text says its zone. If not, `value` is the clock face read as if it were UTC: show it without Z.
  value @2 :Int64;         # UTC nanoseconds since 1970 when zoned.
  raw @3 :Text;
  path @4 :Text;
}

struct RunMetadata {
  # What a data file says of its run. docs/formats/nexus_inputs.md has each field's source, unit and shape per layout.
  entryPath @0 :Text;      # The NXentry read.
  entryCount @1 :UInt32;   # NXentry groups in the file; above 1 a problem says which one was taken.
  definition @2 :TextField;
  runNumber @3 :IntegerField;
  experiment @4 :TextField;         # RB number, IPTS, visit, proposal: text as received.
  title @5 :TextField;
  instrument @6 :TextField;
  startTime @7 :TimeField;
  endTime @8 :TimeField;
  protonCharge @9 :RealField;       # As stored; the unit is the file's own (uAh, picoCoulomb).
  rawFrames @10 :IntegerField;
  goodFrames @11 :IntegerField;
  totalCounts @12 :IntegerField;    # Detector events or the file's own total; unknown where only histograms would have to be summed.
  duration @13 :RealField;
  users @14 :List(Text);
}

struct RunDetected {
  run @0 :RunKey;
  files @1 :List(RawFile);
  metadata @2 :RunMetadata;
  source @3 :Text;         # What noticed it: "inotify", "scan", "lastrun".
  problems @4 :List(Text); # What is odd about it, one sentence each; the run is reduced all the same.
}

struct RunAnnotated {
  run @0 :RunKey;
  kind @1 :Kind;
  text @2 :Text;
  file @3 :RawFile;        # The file it is about; path empty = none.
  enum Kind { note @0; problem @1; }
}

struct RawFileRefused {
  # A file in a watched folder that is not taken as a run, and why. Looked at again when it changes.
  instrument @0 :Text;
  file @1 :RawFile;        # sha256 empty where the bytes could not be read to the end.
  runNumber @2 :UInt64;    # From the file's name; 0 = it has none.
  reason @3 :Reason;
}

struct RunSkipped { run @0 :RunKey; reason @1 :Reason; }   # No job is made for it.

struct ReductionRequested {
  # A person asks for one more version of a run.
  run @0 :RunKey;
  script @1 :ScriptChoice;
  basis @2 :UInt16;        # Version whose script (when stored) and variables are taken; 0 = the latest.
  variables @3 :List(Variable);     # Values given with the request; they win over everything.
  freshVariables @4 :Bool; # True: resolve again from what is set now; false: those of `basis`.
  comment @5 :Text;
  enum ScriptChoice { stored @0; current @1; }
  interpreter @6 :Text;    # Name of one of the instrument's interpreters, or "instrument" for its own; empty = with a stored script that of the
                           # version repeated, else the instrument's. Since schema 3.
}

struct TrialRequested {
  # Somebody tries a script on a run, in a place of his own. It is no version: nothing the run shows changes. Since schema 3.
  run @0 :RunKey;
  scriptPath @1 :Text;     # Where the text came from, on the machine of who asks.
  scriptSha256 @2 :Data;
  siblings @3 :List(ScriptFile);
  variables @4 :List(Variable);     # Values given; the rest is as it is set for the run, over the script's own.
  interpreter @5 :Text;    # As in ReductionRequested.
  comment @6 :Text;
}

# ---- stages: scripts over results (since schema 3) ----

struct StageRule {
  # When results are there, start another script with them. Set again under the same name it replaces the former rule.
  instrument @0 :Text;
  name @1 :Text;           # lower_snake_case, unique with the instrument; not "reduction", which is what every run gets by itself.
  after @2 :List(Text);    # Stages whose results it takes, "reduction" among them; all must have succeeded. Empty = it takes the raw files.
  over @3 :Over;
  scriptPath @4 :Text;
  contract @5 :Contract;
  interpreter @6 :Text;    # Empty = the instrument's.
  inputPatterns @7 :List(Text);     # Which of the files it is given; shell patterns on the path below the result's directory. Empty = all.
  outputPattern @8 :Text;  # With {instrument} {experiment} {run} {stage} {version}. {run} is "28001", or "28001-28004" for several.
  timeLimitMs @9 :UInt64;
  memoryLimitBytes @10 :UInt64;
  fromSite @11 :Bool;      # It stands in the site file, and goes when it is taken out there.
  enum Over {
    run @0;                # Each run by itself, as soon as the stages before it succeeded.
    experiment @1;         # All runs of the experiment on this instrument, whenever none of them is left to reduce.
    runs @2;               # The runs that somebody names (combinationRequested), once all of them have what it takes.
  }
}
struct StageRemoved { instrument @0 :Text; name @1 :Text; reason @2 :Reason; }

struct CombinationRequested {
  # Somebody asks for one result of several runs. It waits until all have what the stage takes.
  instrument @0 :Text;
  stage @1 :Text;          # A rule over `runs`.
  runs @2 :List(UInt64);   # Run numbers, ascending, each once.
  comment @3 :Text;
}

# ---- jobs and attempts ----

struct JobQueued {
  # The job's id is the seq of this event.
  runs @0 :List(RunKey);
  version @1 :UInt16;      # Counts the reductions asked of the run, or the results of the stage, from 1; a trial has 0.
  contract @2 :Contract;
  scriptPath @3 :Text;
  scriptSha256 @4 :Data;
  siblings @5 :List(ScriptFile);
  variables @6 :Data;      # SHA-256 of the full resolved VariableSet document; empty = the contract has none.
  inputs @7 :List(RawFile);
  outputDirectory @8 :Text;         # Where the version's output will appear whole.
  interpreter @9 :Text;
  timeLimitMs @10 :UInt64;
  memoryLimitBytes @11 :UInt64;
  priority @12 :UInt8;     # Smaller is sooner. 10 new run, 12 trial, 15 stage, 20 re-run, 30 campaign.
  reason @13 :Reason;
  experiment @14 :Text;

  # Since schema 3:
  kind @15 :JobKind;
  stage @16 :Text;         # Of kind stage: the rule's name.
  sources @17 :Data;       # SHA-256 of a JobSources document: the results it takes; empty = the raw files in `inputs`.
  inputPatterns @18 :List(Text);    # Which files of these results.
  supportFiles @19 :List(SupportFile);
  campaign @20 :UInt64;    # The campaign it belongs to (seq of its campaignStarted); 0 = none.
  flatFolder @21 :Text;    # Where links to its files are kept; empty = nowhere.
  stderrFails @22 :Bool;
  stderrAllowed @23 :List(Text);
}
enum JobKind {
  reduction @0;            # A version of its run.
  stage @1;                # A version of a stage's result: of a run, an experiment, or some runs.
  trial @2;                # Nobody's version.
}

struct JobHeld { job @0 :UInt64; reason @1 :Reason; }
struct JobReleased { job @0 :UInt64; reason @1 :Reason; }

struct AttemptStarted {
  # One execution begins. The fencing token is the seq of this event: a result bearing an older one changes nothing.
  job @0 :UInt64;
  attempt @1 :UInt16;      # From 1.
  worker @2 :Text;
  host @3 :Text;
  environment @4 :Data;    # SHA-256 of an Environment document.
  leaseMs @5 :UInt64;      # Silence after which the attempt counts as lost.
}

struct AttemptLost { job @0 :UInt64; attempt @1 :UInt16; worker @2 :Text; reason @3 :Reason; }

enum FailureKind {
  unset @0;
  scriptSyntax @1;         # The script (or reduce_vars.py) is not valid for its interpreter.
  scriptException @2;
  scriptExit @3;           # Ended with an exit status other than 0.
  scriptSignal @4;         # Killed by a signal it did not get from us.
  contract @5;             # No main(), missing script, ... : not what the contract asks for.
  timeLimit @6;
  memoryLimit @7;
  interpreter @8;          # The interpreter could not be started.
  input @9;                # A raw file is gone or is no longer the bytes recorded.
  output @10;              # The output could not be published.
  worker @11;              # The worker's own trouble.
}

struct OutputSummary {
  # What an attempt wrote. The list itself (path, size, SHA-256 each) is an OutputManifest document.
  manifest @0 :Data;
  files @1 :UInt32;
  totalBytes @2 :UInt64;
  directory @3 :Text;      # Where they lie (or will, once published).
  outside @4 :UInt32;      # Files it is known to have written elsewhere; the manifest has them. Since schema 3.
  remarks @5 :UInt32;      # What is odd about its output, one sentence each in the manifest. Since schema 3.
}

struct AttemptFailed {
  job @0 :UInt64;
  attempt @1 :UInt16;
  fence @2 :UInt64;
  kind @3 :FailureKind;
  message @4 :Text;        # Last line of the traceback, or what we say of it.
  traceback @5 :Data;      # Blob; empty = none.
  log @6 :Data;            # The reduction log (stdout and stderr), blob; empty = nothing was printed.
  outputs @7 :OutputSummary;        # What it wrote before it failed.
  willRetry @8 :Bool;
  exitStatus @9 :Int32;    # As waitpid gave it; 0 if it never ran.
}

struct AttemptSucceeded {
  # The result is accepted; its directory is published next (rename), then jobSucceeded follows.
  job @0 :UInt64;
  attempt @1 :UInt16;
  fence @2 :UInt64;
  outputs @3 :OutputSummary;
  log @4 :Data;
  staging @5 :Text;        # The directory that will be renamed to outputs.directory.
  message @6 :Text;        # What the script returned, if it said anything.
}

struct ResultRejected {
  # A result came with a stale fencing token: recorded, and it decides nothing (promise P5). Its log is kept with its attempt.
  job @0 :UInt64; attempt @1 :UInt16; fence @2 :UInt64; worker @3 :Text; reason @4 :Reason;
  log @5 :Data;            # Reduction log of the attempt that came too late or was abandoned, blob; empty = none.
}

struct JobSucceeded { job @0 :UInt64; attempt @1 :UInt16; }        # Output is in place.
struct JobFailed { job @0 :UInt64; attempt @1 :UInt16; kind @2 :FailureKind; reason @3 :Reason; }
struct JobSkipped { job @0 :UInt64; attempt @1 :UInt16; reason @2 :Reason; log @3 :Data; }   # The script said "Skip: ...".
struct JobCancelled { job @0 :UInt64; reason @1 :Reason; }

# ---- workers ----

struct WorkerJoined {
  worker @0 :Text;         # Name, unique in the facility; joining again under it ends what the former bearer left open.
  host @1 :Text;
  processId @2 :UInt32;
  slots @3 :UInt16;        # Jobs it runs at once.
}
struct WorkerLeft { worker @0 :Text; reason @1 :Reason; }

# ---- the ledger itself ----

struct LossAccepted {
  # Somebody opened a ledger that holds less than it once promised, and accepts that. Appended before anything else.
  promisedEvents @0 :UInt64;        # As HEAD (or a checkpoint) had it.
  promisedRoot @1 :Data;
  keptEvents @2 :UInt64;            # Events that are whole, from 1; this event is the next one.
  keptRoot @3 :Data;
  reason @4 :Reason;
}

struct BlobsErased {
  # Bytes taken out of the blob store; the events that name them stay, and so do all proofs.
  blobs @0 :List(ErasedBlob);
  reason @1 :Reason;
}
struct ErasedBlob { sha256 @0 :Data; sizeBytes @1 :UInt64; }

struct CommandsForgotten {
  # Records of commands (promise P4) older than the stated time are gone: one of their ids, sent again, counts as new.
  upTo @0 :UInt64;         # Those answered when the log ended at or before this event.
  reason @1 :Reason;
}

# ---- access (since schema 2) ----

enum Role {                # Stored in keys: never renumber.
  unset @0;
  member @1;               # Of an experiment.
  scientist @2;            # Of an instrument.
  operator @3;
  auditor @4;
  administrator @5;
}

struct Grant {
  # A role of an account, and what gives it.
  role @0 :Role;
  instrument @1 :Text;     # Of a scientist; else empty.
  experiment @2 :Text;     # Of a member, as the runs' metadata say it; else empty.
  group @3 :Text;          # The directory's group; empty = the site file names the account.
}

struct SessionOpened {
  # The actor logged in. Sessions of a token belong to the login that issued it: only the first of a day from a source is recorded.
  source @0 :Text;         # Where from: "unix", "192.0.2.1".
  token @1 :Text;          # Id of the token used; empty = none.
}

struct AccessDenied {
  # The actor was refused. The first is recorded at once, more of the same kind within a minute as one event with their count.
  action @0 :Text;         # What was tried: "see_run", "set_variables", "log_in": docs/operations/access.md lists them.
  subject @1 :Text;        # On what: "MARI 28001", "MARI"; empty = nothing in particular. Of several, the first.
  reason @2 :Reason;       # What the caller was not told where telling would say that something is there.
  source @3 :Text;
  count @4 :UInt64;        # At least 1.
  firstAt @5 :Int64;       # When the first of them was; 0 = now.
}

struct RoleGranted { account @0 :Text; grant @1 :Grant; reason @2 :Reason; }
struct RoleRevoked { account @0 :Text; grant @1 :Grant; reason @2 :Reason; }   # The grant as it was granted.

struct TokenScope {
  # What a token may at most; its owner's roles bound it further, at the time of use.
  readOnly @0 :Bool;
  instruments @1 :List(Text);       # Only about these; empty = all its owner may.
  daemon @2 :Text;         # "workerd/NAME", "monitord", "coordinatord": acts as this daemon and nothing else; empty = as its owner.
}

struct TokenIssued {
  token @0 :Text;          # Its id: 16 hex digits, chosen at random. Not the secret.
  account @1 :Text;        # Whose roles it has.
  kind @2 :Kind;
  secretSha256 @3 :Data;   # Of the 32 random bytes that only the bearer knows.
  scope @4 :TokenScope;
  expiresAt @5 :Int64;
  label @6 :Text;          # What it is for, in its owner's words.
  replaces @7 :Text;       # Id of the token this one renews, which ends with this event; empty = none.
  enum Kind {
    unset @0;
    login @1;              # A person's, made by `runledger login`; may be renewed while it lasts.
    machine @2;            # A program's.
  }
}
struct TokenRevoked { token @0 :Text; account @1 :Text; reason @2 :Reason; }

# ---- campaigns (since schema 3) ----

struct CampaignStarted {
  # Many runs are to be reduced again, as one thing. Its id is the seq of this event; its owner is the actor.
  purpose @0 :Text;        # In its owner's words.
  kind @1 :Kind;
  selection @2 :Text;      # How the runs were chosen, in words: "MARI 28001-28010, state failed".
  plan @3 :Data;           # SHA-256 of a CampaignPlan document: the runs themselves.
  runs @4 :UInt32;         # In the plan.
  instruments @5 :List(Text);       # Of these runs, sorted.
  script @6 :ReductionRequested.ScriptChoice;   # current: the instrument's script as it is when the first of its runs is queued, for all of them.
  variables @7 :List(Variable);
  freshVariables @8 :Bool;
  interpreter @9 :Text;
  estimateMs @10 :UInt64;  # Sum of the runs' past durations; 0 = nothing is known of them.
  enum Kind {
    reprocess @0;
    replay @1;             # What went wrong is tried again: what failed with its own script and values, what was passed over as if it were new.
  }
}
struct CampaignPaused { campaign @0 :UInt64; reason @1 :Reason; }
struct CampaignResumed { campaign @0 :UInt64; reason @1 :Reason; }
struct CampaignStopped {
  # Nothing more is queued for it. Its waiting jobs are cancelled (their runs are as they were before) unless they are kept.
  campaign @0 :UInt64;
  keepQueued @1 :Bool;
  reason @2 :Reason;
}
struct CampaignRunPassed { campaign @0 :UInt64; run @1 :RunKey; reason @2 :Reason; }   # No job is made for this run of its plan.
struct CampaignFinished { campaign @0 :UInt64; reason @1 :Reason; }   # Every run of the plan has a job that ended, or was passed; or it was stopped and none is open.
