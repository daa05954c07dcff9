// What every target wants of the sanitizers, unless it says otherwise itself. Freed memory is held back less than by default, so that a limit on
// memory means something.
extern "C" __attribute__((weak)) const char* __asan_default_options() { return "quarantine_size_mb=16"; }
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }
