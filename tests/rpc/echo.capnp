# What the transport tests talk about.
@0xc4f0d1be2f6a9b37;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("echo");

interface Echo {
  say @0 (text :Text) -> (text :Text, calls :UInt32);   # `calls`: calls of say on this connection so far.
  bytes @1 (data :Data) -> (data :Data);
  make @2 (size :UInt32) -> (data :Data);               # That many bytes.
  me @3 () -> (uid :UInt32, gid :UInt32, pid :Int32, name :Text);
  next @4 () -> (echo :Echo, depth :UInt32);
  hang @5 () -> ();                                     # Answers never; cancelling it is seen by the server.
  fail @6 () -> ();
  stay @7 () -> ();                                     # Answers when the test says so, and cannot be cancelled.
}
