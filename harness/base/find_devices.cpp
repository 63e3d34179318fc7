#include "harness/base/find_devices.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "dispatch/internal/printable.h"
#include "engine/internal/list_devices.h"
#include "harness/base/platform_guard.h"

namespace loratune {
namespace {

// Whether a file can be made in the folder, which is made if need be.
bool is_writable(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::string name = (folder / "loratune-XXXXXX").string();
  const int file = mkstemp(name.data());
  if (file < 0) return false;
  close(file);
  unlink(name.c_str());
  return true;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As the process began, before MPI or anything else may have asked for devices. The loader of
// Khronos takes this list apart where it stands, and who inherits the environment would know of the
// first driver alone.
const std::string kDrivers = environment("OCL_ICD_FILENAMES");

constexpr const char* kPocl = "Portable Computing Language";

// PoCL has no device, or not even a platform, where it cannot write its cache, and does not say so:
// the end of a complaint that does, or nothing.
std::string cache_fault() {
  std::filesystem::path folder = environment("POCL_CACHE_DIR");
  const std::filesystem::path shared = environment("XDG_CACHE_HOME");
  const std::filesystem::path home = environment("HOME");
  if (folder.empty() && !shared.empty()) folder = shared / "pocl";
  if (folder.empty() && !home.empty()) folder = home / ".cache" / "pocl";
  if (folder.empty() || is_writable(folder)) return {};
  return ", since its cache folder " + printable(folder.string(), 300) +
         " cannot be written (POCL_CACHE_DIR names another)";
}

// The files that tell the ICD loader of drivers.
std::vector<std::filesystem::path> icd_files() {
  const std::filesystem::path usual = "/etc/OpenCL/vendors";
  const std::filesystem::path place = usual / environment("OCL_ICD_VENDORS");
  std::error_code error;
  if (std::filesystem::is_regular_file(place, error)) return {place};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(place, error)) {
    if (entry.path().extension() == ".icd") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A driver that the loader knows of and that shows no platform is told of where it is the only
// hope, and where the reason is known.
void add_silent_drivers(const std::vector<std::string>& platforms,
                        std::vector<std::string>& complaints) {
  for (const std::filesystem::path& file : icd_files()) {
    std::string why;
    if (file.filename().string().find("pocl") != std::string::npos &&
        std::find(platforms.begin(), platforms.end(), kPocl) == platforms.end()) {
      why = cache_fault();
    }
    if (platforms.empty() || !why.empty()) {
      complaints.push_back("the driver of " + printable(file.string(), 300) + " has no platform" +
                           why);
    }
  }
}

}  // namespace

std::vector<Device> find_devices(std::vector<std::string>& complaints) {
  // PoCL takes an empty name for that of a folder, where every other variable would not count.
  if (environment("POCL_CACHE_DIR").empty()) unsetenv("POCL_CACHE_DIR");
  std::vector<std::string> platforms;
  PlatformGuard guard;
  std::vector<Device> devices =
      list_devices(complaints, platforms, [&](std::size_t number, const std::string& name) {
        if (environment("OCL_ICD_FILENAMES") != kDrivers) {
          setenv("OCL_ICD_FILENAMES", kDrivers.c_str(), 1);
        }
        return guard.before(number, name);
      });
  const std::string empty = std::string("platform ") + kPocl + " has no device";
  for (std::string& complaint : complaints) {
    if (complaint == empty) complaint += cache_fault();
  }
  add_silent_drivers(platforms, complaints);
  return devices;
}

}  // namespace loratune
