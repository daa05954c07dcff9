# Warnings and sanitizers as interface targets: every target of ours links runledger::options.
add_library(runledger_options INTERFACE)
add_library(runledger::options ALIAS runledger_options)
target_include_directories(runledger_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
# No -Wnon-virtual-dtor: KJ's interfaces are destroyed by their kj::Own, and every capability server would be named.
# No -Wrestrict: g++ 12 finds overlaps inside std::string that are not there (GCC bug 105651). No -Wmaybe-uninitialized in
# optimised builds: it takes the unused half of KJ's and the library's optional values for read.
target_compile_options(runledger_options INTERFACE -Wall -Wextra -Wshadow -Woverloaded-virtual -Wno-restrict
  $<$<NOT:$<CONFIG:Debug>>:-Wno-maybe-uninitialized>)
if(RUNLEDGER_WERROR)
  target_compile_options(runledger_options INTERFACE -Werror)
endif()
if(RUNLEDGER_SANITIZE)
  target_compile_options(runledger_options INTERFACE -fsanitize=${RUNLEDGER_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(runledger_options INTERFACE -fsanitize=${RUNLEDGER_SANITIZE})
endif()
