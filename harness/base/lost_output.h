// Output that is lost on its way to where the user sent it: a full disk, a descriptor that is
// closed.
#pragma once

#include <string>

namespace loratune {

// Puts /dev/null in place of standard streams that the caller closed: a file that is opened later
// would get such a stream's number, and what is printed would be written into it. What is written
// to such a stream is still an error.
void hold_closed_streams();

// Writes out what stdout still holds. One line if any of stdout was lost since the process began;
// empty otherwise.
std::string lost_output();

}  // namespace loratune
