# What is shown: the rows of the views, and the answers of the RPC. A row is a fold of the log and nothing else (promise P3):
# dropped and rebuilt from the events it has the same bytes. Rows may change shape between releases; views are then rebuilt.
@0x85b4056b11b57dd8;

using Cxx = import "/capnp/c++.capnp";
using Event = import "event.capnp";
$Cxx.namespace("schema");

enum RunState {            # Also the state of one version. Stored in keys: never renumber.
  detected @0;             # Seen, no decision yet.
  refused @1;              # Its file cannot be taken as a run; `reason` says why.
  held @2;
  queued @3;
  running @4;
  succeeded @5;
  failed @6;
  skipped @7;
  cancelled @8;
}

struct Decision {          # A Reason with the event that carries it.
  code @0 :Text;
  text @1 :Text;
  event @2 :UInt64;
}

struct RunRow {
  run @0 :Event.RunKey;
  experiment @1 :Text;     # Empty = unknown.
  title @2 :Text;          # Empty = unknown.
  state @3 :RunState;      # Of the latest version; detected, refused or skipped while there is none.
  version @4 :UInt16;      # Latest that was not taken back before it started; 0 = none yet.
  job @5 :UInt64;          # Of that version; 0 = none.
  detectedAt @6 :Int64;
  startedAt @7 :Int64;     # Latest attempt; 0 = not started.
  finishedAt @8 :Int64;    # 0 = not finished.
  rawFiles @9 :List(Event.RawFile);
  problems @10 :List(Text);
  reason @11 :Decision;
  metadata @12 :Event.RunMetadata;
  jobs @13 :List(UInt64);  # Every version's job, version 1 first.
  detectedSeq @14 :UInt64; # The runDetected (or rawFileRefused) event that made the row.
  revisedSeq @15 :UInt64;  # The latest runDetected / runRevised: what a job's inputs come from.
  pendingRequest @16 :UInt64;       # A reductionRequested that has no job yet; 0 = none.
  fileProblems @17 :UInt32;         # How many of `problems`, from the first, come from reading the file; a revision replaces these.
  result @18 :UInt64;      # Job of the newest version that succeeded; 0 = none did.
  otherJobs @19 :List(UInt64);      # Stages and trials it is part of, oldest first.
}

struct StateCounts {
  # How the runs of an instrument stood at a moment. One row a moment: one of these for each instrument.
  instrument @0 :Text;
  runs @1 :List(UInt64);   # By number of the RunState.
  lastRun @2 :UInt64;      # Largest run number detected.
}
struct RunMoment { instruments @0 :List(StateCounts); }
struct QueueMoment { jobs @0 :List(UInt64); }   # Jobs that waited, were held or ran, in the order of their ids.

struct AttemptRow {
  number @0 :UInt16;
  fence @1 :UInt64;
  worker @2 :Text;
  host @3 :Text;
  startedAt @4 :Int64;
  finishedAt @5 :Int64;
  outcome @6 :Outcome;
  kind @7 :Event.FailureKind;
  message @8 :Text;
  traceback @9 :Data;
  log @10 :Data;
  outputs @11 :Event.OutputSummary;
  environment @12 :Data;
  exitStatus @13 :Int32;
  staging @14 :Text;
  leaseMs @15 :UInt64;
  handedBack @16 :Bool;    # Lost because its worker left in good order: says nothing against the job, so it is not one of its tries.
  enum Outcome { running @0; publishing @1; succeeded @2; failed @3; lost @4; skipped @5; }
}

struct JobRow {
  job @0 :UInt64;
  queued @1 :Event.JobQueued;       # The request, word for word.
  state @2 :RunState;
  reason @3 :Decision;
  requestedBy @4 :Event.Actor;      # The person who asked, else the daemon that reacted to the detection.
  queuedAt @5 :Int64;
  startedAt @6 :Int64;
  finishedAt @7 :Int64;
  attempts @8 :List(AttemptRow);
  queueSeq @9 :UInt64;     # Event by which it last entered the queue.
  supersededBy @10 :UInt64;         # Job of the newer version (of the run, or of the stage's result) that succeeded; 0 = its result is the current one.
}

struct QueueRow {          # One waiting job.
  job @0 :UInt64;
  run @1 :Event.RunKey;
  version @2 :UInt16;
  experiment @3 :Text;
  priority @4 :UInt8;
  queuedAt @5 :Int64;
  reason @6 :Decision;
  held @7 :Bool;
  campaign @8 :UInt64;     # 0 = none.
  stage @9 :Text;          # Empty = none.
  kind @10 :Event.JobKind;
}

struct InstrumentRow {
  config @0 :Event.InstrumentConfigured;
  paused @1 :Bool;
  pauseReason @2 :Decision;
  pausedBy @3 :Text;
  pausedAt @4 :Int64;
  script @5 :Event.ScriptRegistered;        # The latest registered.
  scriptSeq @6 :UInt64;
  configuredSeq @7 :UInt64;
}

struct ScriptRow {
  seq @0 :UInt64;
  registeredAt @1 :Int64;
  script @2 :Event.ScriptRegistered;
}

struct VariableRule {
  # One live setting: the latest value of a name in a scope.
  scope @0 :Event.Scope;
  variable @1 :Event.Variable;
  setBy @2 :Text;
  setAt @3 :Int64;
  seq @4 :UInt64;
  comment @5 :Text;
}
struct VariableRules { rules @0 :List(VariableRule); }      # One row an instrument, sorted by scope kind, scope value, group, name.

struct FileRow {
  # What was last decided about a file of a watched folder.
  file @0 :Event.RawFile;
  runNumber @1 :UInt64;    # 0 = refused and no number in its name.
  refused @2 :Bool;
  seq @3 :UInt64;
  reason @4 :Decision;     # Why, when refused.
}

struct ExperimentRow {
  experiment @0 :Text;
  runs @1 :UInt64;
  firstSeenAt @2 :Int64;
  lastSeenAt @3 :Int64;
  instruments @4 :List(Text);       # Sorted.
}

struct WorkerRow {
  worker @0 :Event.WorkerJoined;
  joinedAt @1 :Int64;
  joinedSeq @2 :UInt64;
  left @3 :Bool;
  jobs @4 :List(UInt64);   # Attempts it has open.
}

struct GrantRow {          # One role an account has.
  account @0 :Text;
  grant @1 :Event.Grant;
  seq @2 :UInt64;          # Its roleGranted event.
  since @3 :Int64;
}

struct TokenRow {
  issued @0 :Event.TokenIssued;
  seq @1 :UInt64;
  issuedAt @2 :Int64;
  issuedBy @3 :Text;
  revokedSeq @4 :UInt64;   # 0 = not revoked.
  revokedAt @5 :Int64;
}

# ---- stages ----

struct StageRow {
  rule @0 :Event.StageRule;
  setBy @1 :Text;
  setAt @2 :Int64;
  seq @3 :UInt64;
}

struct StageResultRow {
  # What a stage made of a run, an experiment, or some runs.
  instrument @0 :Text;
  stage @1 :Text;
  over @2 :Event.StageRule.Over;
  runs @3 :List(UInt64);   # Of the latest version, or asked for.
  experiment @4 :Text;
  state @5 :RunState;      # Of the latest version; detected while it waits for its inputs.
  version @6 :UInt16;      # 0 = none yet.
  job @7 :UInt64;
  jobs @8 :List(UInt64);   # Every version's job, version 1 first.
  result @9 :UInt64;       # Job of the newest version that succeeded; 0 = none.
  pendingRequest @10 :UInt64;       # A combinationRequested that has no job yet; 0 = none.
  reason @11 :Decision;
}

# ---- support files ----

struct SupportFileRow {
  file @0 :Event.SupportFileSeen;   # The latest.
  seq @1 :UInt64;
  seenAt @2 :Int64;
}

# ---- campaigns ----

struct CampaignRow {
  campaign @0 :UInt64;
  started @1 :Event.CampaignStarted;
  owner @2 :Event.Actor;
  startedAt @3 :Int64;
  state @4 :State;
  reason @5 :Decision;     # Of the state: who paused or stopped it, and why.
  counts @6 :CampaignCounts;
  finishedAt @7 :Int64;    # 0 = it is not finished.
  workedMs @8 :UInt64;     # Sum of its ended jobs' durations, from the start of their last attempt.
  enum State { running @0; paused @1; stopped @2; finished @3; }
}
struct CampaignCounts {
  # Its runs; they add up to the runs of the plan.
  notQueued @0 :UInt32;    # No job yet.
  waiting @1 :UInt32;      # Queued or held.
  running @2 :UInt32;
  succeeded @3 :UInt32;
  failed @4 :UInt32;
  skipped @5 :UInt32;
  cancelled @6 :UInt32;
  passed @7 :UInt32;       # No job is made for them.
}
struct CampaignRunRow {    # One run of a campaign that has a job, or was passed.
  run @0 :Event.RunKey;
  job @1 :UInt64;          # 0 = passed.
  version @2 :UInt16;
  state @3 :RunState;      # skipped while job is 0.
  reason @4 :Decision;
}
