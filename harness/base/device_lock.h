// Two suites that time on one device at once measure each other. Each mode that times holds the
// device's lock while it does.
#pragma once

#include <string>

#include "loratune/engine/device.h"

namespace loratune {

// A name for this very device, another one for each of several equal devices of a machine: by its
// place on the PCI bus where the driver tells, else by its number within its platform.
std::string device_place(const Device& device);

// The folder of the locks, made where it is not there: loratune/ in $XDG_RUNTIME_DIR, else
// /tmp/loratune-<user id>. Other users' suites are not seen. Throws Failure (kExitUsage) where it
// cannot be made or is another user's.
std::string lock_folder();

// A lock by flock(): it ends with the process, however that ends.
class DeviceLock {
 public:
  // Waits, saying so on stderr, while another process holds the lock of `place`. Throws Failure
  // (kExitDeviceFault) once that has taken `wait_s` seconds.
  DeviceLock(const std::string& place, double wait_s);
  ~DeviceLock();
  DeviceLock(const DeviceLock&) = delete;
  DeviceLock& operator=(const DeviceLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace loratune
