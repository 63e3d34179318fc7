// Ctrl-C, and what counts as it: SIGINT, SIGTERM and SIGHUP ask the running mode to end early, with
// what it has.
#pragma once

namespace loratune {

// From now on these signals are noted in place of ending the process. One that comes two seconds or
// more after the first ends it at once, with kExitInterrupted: timeout(1) and schedulers signal a
// process and then its group, and that counts as once.
void note_interrupts();

// Whether such a signal has come.
bool interrupted();

// Thrown where work is left because of it.
struct Interrupted {};

}  // namespace loratune
