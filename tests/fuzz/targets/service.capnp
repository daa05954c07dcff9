# What the fuzzed connection serves: each way in which capabilities cross a connection.
@0xd3a7c5e91b4f6082;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("fuzz");

interface Service {
  say @0 (text :Text) -> (text :Text);
  next @1 () -> (service :Service);                               # A new one, served by us.
  relay @2 (other :Service, text :Text) -> (text :Text);          # Says `text` to the caller's own object.
  keep @3 (other :Service) -> ();                                 # Holds it until the connection has ended.
  kept @4 () -> (other :Service);                                 # The one kept last.
  copy @5 (value :AnyPointer) -> (value :AnyPointer);
  hang @6 () -> ();                                               # Answers never.
  fail @7 () -> ();
}
