// An exit() that is none of ours: a driver or a library that calls it would end a mode in the
// middle with the code of its choice, and 0 would say that all is well.
#pragma once

namespace loratune {

// From now on an exit() before expect_exit() ends the process with kExitDeviceFault and a line.
void refuse_exit();

// The exit() that follows is ours.
void expect_exit();

}  // namespace loratune
