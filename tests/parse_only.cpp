// Says whether lora-bench would take a command line: prints the mode that it chooses, or the help
// that it asks for, and does nothing more. tests/check_docs.py asks about commands that it does not
// run.
#include <cstdio>

#include "harness/base/failure.h"
#include "harness/cli/mode_set.h"
#include "harness/cli/parse.h"

int main(int argc, char** argv) {
  try {
    const loratune::Options options = loratune::parse_command_line(argc, argv);
    const bool help = options.command == loratune::Command::help;
    std::printf("%s\n", help ? options.help.c_str() : loratune::words_of(options.command).c_str());
    return 0;
  } catch (const loratune::Failure& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return failure.code();
  }
}
