// Two suites that time on one device at once measure each other. Each mode that times holds the
// device's lock while it does.
#pragma once

#include <string>

#include "loratune/engine/device.h"

namespace loratune {

// A name for this very device, another one for each of several equal devices of a machine: by its
// place on the PCI bus where the driver tells, else by its number within its platform.
std::string device_place(const Device& device);

// The lock of a device is a name in the machine's list of abstract sockets, bound while a process
// times on the device. So it needs no folder, all users see it, and it ends with the process,
// however that ends. Containers with a network of their own do not see each other's.
class DeviceLock {
 public:
  // Waits, saying so on stderr, while another process holds the lock of `place`. Throws Failure
  // (kExitInconclusive) once that has taken `wait_s` seconds. Where $LORATUNE_LOCK is set, the lock
  // is seen by processes of the same value only: for tests of this suite beside each other.
  DeviceLock(const std::string& place, double wait_s);
  ~DeviceLock();
  DeviceLock(const DeviceLock&) = delete;
  DeviceLock& operator=(const DeviceLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace loratune
