# How people and daemons talk to ledgerd. The bootstrap capability is Gateway; what a Session hands out is exactly what its
# caller may do. In-process callers hold the same capabilities as remote ones.
#
# Every expected "no" is a Refusal in the result (code ok = fine); an RPC exception means a fault.
# Lists come in pages: `next` is empty at the end, else it goes into the next call's `after`.
@0x936802a64a4c50aa;

using Cxx = import "/capnp/c++.capnp";
using Event = import "event.capnp";
using Row = import "row.capnp";
using Command = import "command.capnp";
$Cxx.namespace("schema");

interface Gateway {
  info @0 () -> (info :ServerInfo);
  login @1 (credentials :Credentials) -> (session :Session, refusal :Command.Refusal);
  # A wrong password, an unknown name and a token that is not (or no longer) good are one refusal: permissionDenied. Many of them from one
  # source or for one name are answered later and later.
}

struct Credentials {
  union {
    connection @0 :Void;   # What the connection itself proves: the kernel's peer credentials on the Unix socket, a client certificate, this process.
    password :group { name @1 :Text; password @2 :Text; }
    token @3 :Text;        # As issueToken answered it.
  }
}

struct ServerInfo {
  version @0 :Text;        # "0.1.0"
  schemaVersion @1 :UInt32;
  facility @2 :Text;
  ledgerId @3 :Text;
  processId @4 :UInt32;
}

interface Session {
  whoami @0 () -> (actor :Event.Actor, rights :Rights);
  runs @1 () -> (runs :Runs);
  instrument @2 (name :Text) -> (instrument :Instrument, refusal :Command.Refusal);
  operator @3 () -> (operator :Operator, refusal :Command.Refusal);
  daemon @4 (role :DaemonRole, name :Text) -> (port :DaemonPort, refusal :Command.Refusal);
  at @5 (moment :Moment) -> (session :Session, seq :UInt64, time :Int64, refusal :Command.Refusal);
  # A session that reads the ledger as it stood after event `seq`, recorded at `time`, and changes nothing.

  auditor @6 () -> (auditor :Auditor, refusal :Command.Refusal);
  administrator @7 () -> (administrator :Administrator, refusal :Command.Refusal);

  issueToken @8 (commandId :Text, request :TokenRequest) -> (token :Text, record :Row.TokenRow, refusal :Command.Refusal);
  # The token is answered this once. Sent again with the same id it is refused (alreadyExists): revoke it and ask for another.
  tokens @9 (account :Text) -> (tokens :List(Row.TokenRow), refusal :Command.Refusal);
  # Those not revoked nor expired; account empty = the caller's own, "*" = everybody's.
  revokeToken @10 (commandId :Text, token :Text, reason :Text) -> (answer :Command.Answer);
  # By its id. Its sessions end at once.

  campaigns @11 () -> (campaigns :Campaigns);
}

struct TokenRequest {
  kind @0 :Event.TokenIssued.Kind;
  scope @1 :Event.TokenScope;
  lifetimeMs @2 :UInt64;   # 0 = the site's, which is also the most.
  label @3 :Text;
  replaces @4 :Text;       # Id of a token of the caller that ends with this one; a login token is renewed so.
}

struct Rights {
  # What this session may, and why.
  everything @0 :Bool;     # The account that runs the ledger.
  grants @1 :List(Row.GrantRow);    # Of the account now.
  scope @2 :Event.TokenScope;       # Of the token it came by; null = none.
  token @3 :Text;          # Its id; empty = none.
  expiresAt @4 :Int64;     # Of the session; 0 = with its connection.
  enforced @5 :Bool;       # False: this site has no [access]; only the account that runs the ledger connects.
  directory @6 :AccessStatus;
}

struct AccessStatus {
  # How roles on record stand to the directory.
  configured @0 :Bool;     # There is one.
  refreshedAt @1 :Int64;   # When it was last read to the end; 0 = not since this ledgerd started.
  problem @2 :Text;        # Why it was not read since; empty = it was.
}

struct Moment {
  # A point of the log to look back to: after an event, or after the last one recorded at or before a time.
  union {
    seq @0 :UInt64;
    time @1 :Int64;
  }
}

enum DaemonRole { monitor @0; coordinator @1; worker @2; }

struct RunFilter {
  # Fields that are set must all match.
  instrument @0 :Text;     # Empty = all.
  experiment @1 :Text;     # Empty = all.
  firstRun @2 :UInt64;     # 0 = from the first.
  lastRun @3 :UInt64;      # 0 = to the last.
  states @4 :List(Row.RunState);    # Empty = all.
  ranges @5 :List(RunRange);        # Empty = all.
  reason @6 :Text;         # Code of the run's reason; empty = any.
  script @7 :Data;         # First bytes of a SHA-256: of the script, or a file beside it; empty = any.
  variables @8 :List(VariableMatch);   # All of these values.
  detectedFrom @9 :Int64;  # 0 = from the first.
  detectedTo @10 :Int64;   # 0 = to the last.
  supportFile @11 :Text;   # Its path, or 8 or more digits of its SHA-256 in hex; empty = any.
  stale @12 :Bool;         # Only results that are not what would be made today.
  # script, variables, supportFile and stale are about the newest version that succeeded, or else the newest.
}
struct RunRange { first @0 :UInt64; last @1 :UInt64; }
struct VariableMatch { name @0 :Text; value @1 :Text; }   # JSON.

interface Runs {
  list @0 (filter :RunFilter, limit :UInt32, after :Data) -> (runs :List(Row.RunRow), next :Data, refusal :Command.Refusal);
  # Sorted by instrument, run number. limit 0 = 200, at most 1000.

  show @1 (run :Event.RunKey) -> (run :Row.RunRow, versions :List(Row.JobRow), refusal :Command.Refusal);
  history @2 (subject :Subject, limit :UInt32, after :UInt64) -> (events :List(Data), next :UInt64, refusal :Command.Refusal);
  # The stored bytes of every event about a subject, oldest first. limit 0 = 500, at most 5000; next 0 = the end.

  blob @3 (sha256 :Data, offset :UInt64, limit :UInt32) -> (bytes :Data, totalBytes :UInt64, refusal :Command.Refusal);
  # At most 1 MiB a call.

  watch @4 (from :UInt64, filter :EventFilter, sink :EventSink) -> (subscription :Subscription, head :UInt64, refusal :Command.Refusal);
  # Every event with seq >= from that passes the filter, then live ones as they become durable. from 0 = only what comes.
  # One push is in flight at a time and nothing waits behind it: a slow sink holds up nobody, and reads later from the log what it missed.

  rerun @5 (commandId :Text, request :Event.ReductionRequested) -> (answer :Command.Answer);
  status @6 () -> (status :Status);
  instruments @7 () -> (instruments :List(Row.InstrumentRow));
  experiments @8 (limit :UInt32, after :Data) -> (experiments :List(Row.ExperimentRow), next :Data);

  stale @9 (filter :RunFilter, limit :UInt32, after :Data) -> (results :List(StaleResult), considered :UInt64, next :Data, refusal :Command.Refusal);
  # Results whose script, variables or support files are not what would be chosen now, sorted as runs are. limit as in `list`. A page ends
  # early when many runs had to be looked at; `considered` counts these.
  trial @10 (commandId :Text, request :Event.TrialRequested, files :List(Data)) -> (answer :Command.Answer);
  # `files`: the texts the request names, which the ledger may have already.
  combine @11 (commandId :Text, request :Event.CombinationRequested) -> (answer :Command.Answer);
  job @12 (job :UInt64) -> (job :Row.JobRow, refusal :Command.Refusal);
  stageResults @13 (instrument :Text, stage :Text, limit :UInt32, after :Data)
      -> (results :List(Row.StageResultRow), next :Data, refusal :Command.Refusal);
  # stage empty = of all.
}

struct StaleResult {
  run @0 :Event.RunKey;
  version @1 :UInt16;
  job @2 :UInt64;
  why @3 :List(StaleReason);
}
struct StaleReason {
  kind @0 :Kind;
  name @1 :Text;           # Of the file beside the script, the variable, or the support file's path; empty = the script itself.
  was @2 :Text;            # JSON value, or the hash in hex; empty = there was none.
  now @3 :Text;
  event @4 :UInt64;        # That brought what is chosen now; 0 = none did.
  enum Kind { script @0; scriptFile @1; variable @2; supportFile @3; }
}

struct Subject {
  union {
    run @0 :Event.RunKey;
    job @1 :UInt64;
    instrument @2 :Text;
    experiment @3 :Text;
    worker @4 :Text;
    actor @5 :Text;
    seq @6 :UInt64;        # One event.
    denials @7 :Void;      # Every accessDenied.
    campaign @8 :UInt64;   # Its own events, and the queueing of its jobs.
  }
}

struct EventFilter {
  # What is set must all hold.
  instrument @0 :Text;     # Events about it; empty = all.
  kinds @1 :List(UInt16);  # Ordinals of Event.body members, at most 256; empty = all.
  subjects @2 :List(Subject);  # Events about each of these, at most 8 and no `seq`; empty = all. What is about a job is also about its runs and
                           # experiment, what is about a run also about its experiment, as `history` has them.
}

interface EventSink {
  push @0 (events :List(Data), head :UInt64) -> ();    # Canonical Event bytes; `head` = the last seq when they were read.
}
interface Subscription {}  # Dropping it ends the watch.

struct Status {
  head @0 :UInt64;         # Last seq.
  ledger @1 :Text;         # "ok", "read-only", "storage-low".
  ledgerDetail @2 :Text;   # Why, when not ok.
  counts @3 :List(StateCount);
  instruments @4 :List(InstrumentStatus);
  daemons @5 :List(DaemonStatus);
  facility @6 :Text;
  now @7 :Int64;
  startedAt @8 :Int64;     # Of this ledgerd.
  follow @9 :FollowStatus; # Null unless this ledger is the copy of another one.
  access @10 :AccessStatus; # Null for a site without [access].
}
struct FollowStatus {
  source @0 :Text;         # Its address.
  state @1 :FollowState;
  since @2 :Int64;         # In this state.
  detail @3 :Text;         # Why it is unreachable or stopped.
  sourceHead @4 :UInt64;   # Last seq of the source, as last heard; 0 = not heard since this ledgerd started.
  checkpointSize @5 :UInt64;  # Events of the last checkpoint of the source that was verified; 0 = none.
  checkpointAt @6 :Int64;  # When that was; 0 = before this ledgerd started.
}
enum FollowState {
  connecting @0;           # For the first time.
  catchingUp @1;           # The source is known to have more.
  following @2;            # Everything it has is here; more comes as it becomes durable.
  unreachable @3;          # Tried again and again.
  stopped @4;              # What the source says contradicts what is held here. Nothing is copied until ledgerd is started again.
}
struct StateCount { state @0 :Row.RunState; runs @1 :UInt64; }
struct InstrumentStatus { instrument @0 :Text; paused @1 :Bool; pauseReason @2 :Text; lastRun @3 :UInt64; runs @4 :UInt64; waiting @5 :UInt64; }
struct DaemonStatus {
  name @0 :Text;           # "monitord", "coordinatord", "workerd/NAME"
  connected @1 :Bool;
  lastSeenAt @2 :Int64;
  detail @3 :Text;         # What it says of itself: "3 folders, 1 file waiting".
}

interface Instrument {
  show @0 () -> (instrument :Row.InstrumentRow, refusal :Command.Refusal);
  pause @1 (commandId :Text, comment :Text) -> (answer :Command.Answer);
  resume @2 (commandId :Text, comment :Text) -> (answer :Command.Answer);
  variableRules @3 () -> (rules :List(Row.VariableRule), refusal :Command.Refusal);
  resolve @4 (runNumber :UInt64, experiment :Text) -> (set :Data, scriptSeq :UInt64, refusal :Command.Refusal);
  # The VariableSet document a run would get if it were queued now. experiment empty = the run's own, if it is known.
  setVariables @5 (commandId :Text, change :Event.VariablesSet) -> (answer :Command.Answer);
  clearVariables @6 (commandId :Text, change :Event.VariablesCleared) -> (answer :Command.Answer);
  scripts @7 () -> (scripts :List(Row.ScriptRow), refusal :Command.Refusal);      # Oldest first.
  blame @8 (name :Text) -> (values :List(VariableHistory), refusal :Command.Refusal);
  # Every value a variable of that name had, oldest first, with the versions reduced under it.
  preview @9 (change :Event.VariablesSet) -> (effect :VariablesEffect, refusal :Command.Refusal);
  # What setVariables would do; nothing is recorded.
  supportFiles @10 (limit :UInt32, after :Data) -> (files :List(Row.SupportFileRow), next :Data, refusal :Command.Refusal);
  stages @11 () -> (stages :List(Row.StageRow), refusal :Command.Refusal);
  setStage @12 (commandId :Text, rule :Event.StageRule) -> (answer :Command.Answer);
  removeStage @13 (commandId :Text, name :Text, comment :Text) -> (answer :Command.Answer);
}

struct VariableHistory {
  rule @0 :Row.VariableRule;        # seq = event that set it; scope and comment as given then. A script's default: seq of its registration.
  fromScript @1 :Bool;
  endedSeq @2 :UInt64;     # Event that cleared or replaced it; 0 = it holds.
  versions @3 :List(RunVersion);    # Reduced with it, oldest first; at most 1000.
  versionCount @4 :UInt64;
}
struct RunVersion { run @0 :Event.RunKey; version @1 :UInt16; job @2 :UInt64; }

struct VariablesEffect {
  changes @0 :List(ChangedRun);     # Runs of the record that would get another value if they were reduced afresh; at most 1000.
  changeCount @1 :UInt64;
  considered @2 :UInt64;   # Runs in the scope.
  coming @3 :List(Text);   # One sentence for each variable: which coming runs get what.
  problems @4 :List(Text); # Why setVariables would refuse it; empty = it would not.
}
struct ChangedRun { run @0 :Event.RunKey; name @1 :Text; before @2 :Text; after @3 :Text; }   # Values in JSON; empty = none.

interface Campaigns {
  plan @0 (request :CampaignRequest, progress :Progress) -> (plan :CampaignEstimate, refusal :Command.Refusal);
  # What start would do; nothing is recorded. progress may be null.
  start @1 (commandId :Text, request :CampaignRequest) -> (answer :Command.Answer, campaign :UInt64);
  list @2 (limit :UInt32, after :Data) -> (campaigns :List(Row.CampaignRow), next :Data);     # Newest first.
  show @3 (campaign :UInt64) -> (campaign :Row.CampaignRow, refusal :Command.Refusal);
  runs @4 (campaign :UInt64, limit :UInt32, after :Data) -> (runs :List(Row.CampaignRunRow), next :Data, refusal :Command.Refusal);
  report @5 (campaign :UInt64, limit :UInt32, after :Data) -> (runs :List(ComparedRun), next :Data, refusal :Command.Refusal);
  # How the outputs differ from those of the version each run had before.
  pause @6 (commandId :Text, campaign :UInt64, comment :Text) -> (answer :Command.Answer);
  resume @7 (commandId :Text, campaign :UInt64, comment :Text) -> (answer :Command.Answer);
  stop @8 (commandId :Text, campaign :UInt64, keepQueued :Bool, comment :Text) -> (answer :Command.Answer);
}

struct CampaignRequest {
  purpose @0 :Text;
  kind @1 :Event.CampaignStarted.Kind;
  filter @2 :RunFilter;
  selection @3 :Text;      # The filter in words, for people.
  script @4 :Event.ReductionRequested.ScriptChoice;
  variables @5 :List(Event.Variable);
  freshVariables @6 :Bool;
  interpreter @7 :Text;
}
struct CampaignEstimate {
  runs @0 :List(PlannedVersion);    # At most 1000.
  runCount @1 :UInt64;
  passed @2 :List(PassedRun);       # Chosen, but not to be had: at most 1000.
  passedCount @3 :UInt64;
  considered @4 :UInt64;
  estimateMs @5 :UInt64;   # Sum of past durations; runs without one count as their instrument's others do on the average.
  unknownDurations @6 :UInt64;      # Runs of which, and of whose instrument, no duration is known.
  workers @7 :UInt32;      # Jobs that run at once now; 0 = no worker is there.
  problems @8 :List(Text); # Why start would refuse it; empty = it would not.
}
struct PlannedVersion { run @0 :Event.RunKey; basis @1 :UInt16; lastMs @2 :UInt64; }
struct PassedRun { run @0 :Event.RunKey; reason @1 :Event.Reason; }

struct ComparedRun {
  run @0 :Event.RunKey;
  before @1 :UInt16;       # Version it had; 0 = none.
  after @2 :UInt16;        # The campaign's.
  outcome @3 :Outcome;
  equal @4 :UInt32;        # Files of the same path and bytes.
  changed @5 :UInt32;      # Of the same path and other bytes.
  added @6 :UInt32;
  missing @7 :UInt32;
  bytesBefore @8 :UInt64;
  bytesAfter @9 :UInt64;
  paths @10 :List(Text);   # Of what differs, at most 20: "~ a.nxs", "+ b.nxs", "- c.nxs".
  enum Outcome { unfinished @0; same @1; differs @2; onlyAfter @3; failed @4; }   # onlyAfter: no version before had succeeded.
}

interface Operator {
  queue @0 (limit :UInt32, after :Data) -> (waiting :List(Row.QueueRow), next :Data);
  workers @1 () -> (workers :List(Row.WorkerRow));
  cancel @2 (commandId :Text, job :UInt64, comment :Text) -> (answer :Command.Answer);
}

interface DaemonPort {
  # What a daemon of one role may ask. Commands that are not its role's are refused.
  submit @0 (commands :List(Command.Command)) -> (answers :List(Command.Answer));
  # Decided in order, all durable when answered. A daemon may keep many calls in flight.

  position @1 () -> (seq :UInt64);                      # As last stored with one of its commands; 0 = none.
  files @2 (instrument :Text, limit :UInt32, after :Data) -> (files :List(Row.FileRow), next :Data, refusal :Command.Refusal);
  job @3 (job :UInt64) -> (job :Row.JobRow, refusal :Command.Refusal);
  nextJob @4 (commandId :Text, worker :Text, host :Text, environments :List(InterpreterEnvironment), leaseMs :UInt64)
      -> (job :Row.JobRow, attempt :UInt16, fence :UInt64, refusal :Command.Refusal);
  # Worker only. Returns once a waiting job is leased to the caller (attemptStarted is durable then); waits while there is none.
  # Cancelling the call (dropping its promise) stops the waiting.
  alive @5 (detail :Text) -> (cancelled :List(UInt64));
  # Sign of life, at most leaseMs apart: extends the leases of the caller's attempts. Answers the jobs among them that no longer are its own.
}

struct InterpreterEnvironment {
  interpreter @0 :Text;    # Path as in the instrument's configuration.
  document @1 :Data;       # Environment document bytes, stored with the attempt.
}

interface Progress { report @0 (what :Text, done :UInt64, total :UInt64) -> (); }   # total 0 = unknown.

interface Auditor {
  # Proofs. Formats: docs/formats/proofs.md. Nothing here changes what the log says.
  key @0 () -> (origin :Text, publicKey :Text);
  checkpoint @1 () -> (note :Text, refusal :Command.Refusal);
  # Of the newest events, once their stored bytes have been read back; also put into the witness file.

  prove @2 (events :List(UInt64)) -> (checkpoint :Text, proofs :List(EventProof), refusal :Command.Refusal);
  # At most 1000 events a call.
  consistency @3 (fromSize :UInt64, toSize :UInt64) -> (path :List(Data), refusal :Command.Refusal);
  verify @4 (from :UInt64, progress :Progress) -> (report :VerifyReport, refusal :Command.Refusal);
  # Reads every stored byte again; from 0 or 1 = all, else events from there on, under the checkpoint of the size before.
  copy @5 (from :UInt64, sink :CopySink) -> (subscription :Subscription, head :UInt64, refusal :Command.Refusal);
  # Every event from `from` on with the blobs it names, then live ones: for followers and exports.

  whoCouldSee @6 (experiment :Text, moment :Moment) -> (accounts :List(Row.GrantRow), seq :UInt64, time :Int64, refusal :Command.Refusal);
  # Every role that let an account see something of the experiment after event `seq`, recorded at `time`. moment null = now.
}

struct EventProof { event @0 :Data; path @1 :List(Data); }

struct VerifyReport {
  ok @0 :Bool;
  events @1 :UInt64;       # Read and found good, from the first.
  root @2 :Data;           # Over all of them; empty when not ok.
  firstBad @3 :UInt64;     # 0 = none.
  findings @4 :List(Text); # What is wrong, one sentence each; at most 100.
  findingCount @5 :UInt64;
  trusted @6 :UInt64;      # So many of the events were not read, a checkpoint speaks for them; 0 = all were.
  losses @7 :List(Text);   # That the log states, one sentence each: no findings, and no silence either.
}

interface CopySink {
  push @0 (events :List(Data), blobs :List(Data), checkpoint :Text, path :List(Data)) -> ();
  # Events in order; blobs they name that were not sent before; a checkpoint of at least these events, and the proof that the log up to the
  # last of them is the beginning of it (empty where that is all of it). Without a checkpoint: this ledger signs none now.
}

interface Administrator {
  rebuild @0 (views :List(Text), checkOnly :Bool, progress :Progress) -> (findings :List(Text), refusal :Command.Refusal);
  # Views by name, empty = all. checkOnly compares and names the first event that makes a difference.
  backup @1 (folder :Text, progress :Progress) -> (events :UInt64, root :Data, refusal :Command.Refusal);
  # A whole ledger folder, made on the machine of ledgerd; the folder must not be there.
  eraseBlobs @2 (commandId :Text, blobs :List(Data), reason :Text) -> (answer :Command.Answer);
  forgetCommands @3 (commandId :Text, upTo :UInt64, reason :Text) -> (answer :Command.Answer);
  refreshRoles @4 (believe :Bool) -> (granted :UInt32, revoked :UInt32, refusal :Command.Refusal);
  # Reads the directory now and puts the roles it gives on record. An answer that would take away most roles is refused (conflict) unless
  # believe is set.
}
