#include "loratune/dispatch/device_match.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "loratune/dispatch/dispatcher.h"
#include "unit/fictional.h"

namespace loratune {
namespace {

using fictional::device;

TEST(MatchDevice, WhatCounts) {
  DeviceInfo whole = device();
  whole.device_version = "OpenCL 1.2 Fictional";
  whole.nv_compute_capability = 20;
  const TunedDevice self = tuned_device(whole);
  const auto match = [&](auto change) {
    TunedDevice other = self;
    change(other);
    EXPECT_EQ(match_device(other, self), match_device(self, other));
    return match_device(other, self);
  };
  EXPECT_EQ(match([](TunedDevice&) {}), DeviceMatch::exact);
  EXPECT_EQ(match([](TunedDevice& d) { d.driver = "2"; }), DeviceMatch::other_driver);
  EXPECT_EQ(match([](TunedDevice& d) { d.extensions.clear(); }), DeviceMatch::other_driver);
  EXPECT_EQ(match([](TunedDevice& d) { d.device_version = "OpenCL 3.0 Fictional"; }),
            DeviceMatch::other_driver);
  EXPECT_EQ(match([](TunedDevice& d) { d.platform = "other"; }), DeviceMatch::similar);
  EXPECT_EQ(match([](TunedDevice& d) { d.name = "Fictional F900X"; }), DeviceMatch::similar);
  EXPECT_EQ(match([](TunedDevice& d) { d.max_work_group_size *= 2; }), DeviceMatch::similar);
  EXPECT_EQ(match([](TunedDevice& d) { d.compute_units = 40; }), DeviceMatch::similar);
  EXPECT_EQ(match([](TunedDevice& d) { d.compute_units = 10; }), DeviceMatch::similar);
  EXPECT_EQ(match([](TunedDevice& d) { d.compute_units = 41; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.compute_units = 9; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.compute_units = INT32_MAX; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.local_mem_bytes /= 2; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.vendor_id = 1; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.vendor = "Factual Inc"; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.architecture = "sm_21"; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.sub_group_size = 64; }), DeviceMatch::none);
}

// A member that a file of an earlier build lacks makes no difference where the name says a model.
TEST(MatchDevice, WhatIsUnknown) {
  DeviceInfo whole = device();
  whole.device_version = "OpenCL 1.2 Fictional";
  whole.nv_compute_capability = 20;
  const TunedDevice self = tuned_device(whole);
  TunedDevice old = self;
  old.device_version.clear();
  old.architecture.clear();
  old.sub_group_size = 0;
  const auto match = [&](auto change) {
    TunedDevice other = old;
    change(other);
    EXPECT_EQ(match_device(other, self), match_device(self, other));
    return match_device(other, self);
  };
  EXPECT_EQ(match([](TunedDevice&) {}), DeviceMatch::exact);
  EXPECT_EQ(match([](TunedDevice& d) { d.driver = "2"; }), DeviceMatch::other_driver);
  EXPECT_EQ(match([](TunedDevice& d) { d.compute_units = 40; }), DeviceMatch::similar);
  EXPECT_EQ(match([](TunedDevice& d) { d.name = "Fictional F100 Ultra"; }), DeviceMatch::similar);
  EXPECT_EQ(match([](TunedDevice& d) { d.name = "Fictional F101"; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.name = "Fictional"; }), DeviceMatch::none);
  EXPECT_EQ(match([](TunedDevice& d) { d.name = ""; }), DeviceMatch::none);

  TunedDevice nameless = self;
  nameless.name = "Fictional Device";
  nameless.architecture.clear();
  EXPECT_EQ(match_device(nameless, nameless), DeviceMatch::exact);
  TunedDevice old_nameless = nameless;
  old_nameless.device_version.clear();
  EXPECT_EQ(match_device(old_nameless, nameless), DeviceMatch::none);
  EXPECT_EQ(match_device(old_nameless, old_nameless), DeviceMatch::none)
      << "two that say no model may be any two chips";
}

// What was measured with a part of the CPUs to use is not exact for all of them, nor the other way
// round.
TEST(MatchDevice, WhatTheProcessMayUse) {
  DeviceInfo whole = device();
  whole.type = DeviceType::cpu;
  DeviceInfo part = whole;
  part.usable_cpus = 1.5;
  const TunedDevice of_whole = tuned_device(whole);
  const TunedDevice of_part = tuned_device(part);
  EXPECT_EQ(match_device(of_part, of_whole), DeviceMatch::similar);
  EXPECT_EQ(match_device(of_whole, of_part), DeviceMatch::similar);
  EXPECT_EQ(match_device(of_part, of_part), DeviceMatch::exact);
  EXPECT_EQ(limit_text(of_part), "1.5 of 20 CPUs");
  EXPECT_EQ(limit_text(of_whole), "");
  DeviceInfo one_unit = whole;
  one_unit.compute_units = 1;
  one_unit.usable_cpus = 16;
  EXPECT_EQ(limit_text(tuned_device(one_unit)), "16 CPUs beside 1 compute unit");

  TunedFile file = fictional::file();
  file.devices = {{"d0", of_part}};
  file.records = {fictional::record("d0", fictional::problem(), 8)};
  file.rules.clear();
  const Variant& naive = *find_variant("naive");
  file.kernels["naive"] = {std::string(naive.source_sha256), naive.revision};
  const ParsedTunedFile again = parse_tuned_file(serialize(file));
  ASSERT_TRUE(again.file) << again.error;
  EXPECT_EQ(again.file->devices.at("d0"), of_part);
  const auto match_line = [&](const DeviceInfo& here) {
    const std::string text = Dispatcher(*again.file, here).explain(fictional::problem());
    const std::size_t at = text.find("device match");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(match_line(part), "device match: exact, d0 = Fictional F100, driver 1.0");
  EXPECT_EQ(match_line(whole),
            "device match: similar, d0 = Fictional F100, driver 1.0, measured with 1.5 of 20 CPUs "
            "to use, here it is all CPUs");
}

TEST(MatchDevice, WhatTheOtherKnowsBesides) {
  DeviceInfo whole = device();
  whole.device_version = "OpenCL 1.2 Fictional";
  whole.nv_compute_capability = 20;
  const TunedDevice self = tuned_device(whole);
  TunedDevice old = self;
  old.device_version.clear();
  old.architecture.clear();
  old.sub_group_size = 0;
  TunedDevice kept = self;
  add_known(kept, old);
  EXPECT_EQ(kept, self);
  add_known(old, self);
  EXPECT_EQ(old, self);
}

// What real drivers say of real devices.
struct Real {
  std::string platform, vendor;
  std::uint32_t vendor_id;
  std::string name, driver, version;
  int compute_units, sub_group;
  std::int64_t work_group, local_kib;
  int nv = 0;
  std::uint32_t intel_ip = 0;
};

constexpr std::uint32_t intel_ip(unsigned architecture, unsigned release, unsigned revision) {
  return architecture << 22U | release << 12U | revision;
}

// By short names. Two drivers of one device have names that end in ' and ''.
std::map<std::string, TunedDevice> real_devices() {
  const std::string cuda = "NVIDIA CUDA", nvidia = "NVIDIA Corporation";
  const std::string amd = "AMD Accelerated Parallel Processing";
  const std::string amd_inc = "Advanced Micro Devices, Inc.", intel = "Intel(R) Corporation";
  const std::string neo = "Intel(R) OpenCL Graphics", arm = "ARM Platform", apple = "Apple";
  const std::string adreno = "QUALCOMM Adreno(TM)", snapdragon = "QUALCOMM Snapdragon(TM)";
  const std::string pocl = "Portable Computing Language", cl_cuda = "OpenCL 3.0 CUDA";
  const std::uint32_t mali_id = 0x72120000;
  const std::map<std::string, Real> all = {
      {"A100",
       {cuda, nvidia, 4318, "NVIDIA A100-SXM4-40GB", "535.129.03", cl_cuda, 108, 32, 1024, 48, 80}},
      {"A100'",
       {cuda, nvidia, 4318, "NVIDIA A100-SXM4-40GB", "550.54.15", cl_cuda, 108, 32, 1024, 48, 80}},
      {"A100-80GB",
       {cuda, nvidia, 4318, "NVIDIA A100 80GB PCIe", "535.129.03", cl_cuda, 108, 32, 1024, 48, 80}},
      {"A10", {cuda, nvidia, 4318, "NVIDIA A10", "535.129.03", cl_cuda, 72, 32, 1024, 48, 86}},
      {"H100",
       {cuda, nvidia, 4318, "NVIDIA H100 80GB HBM3", "535.129.03", cl_cuda, 132, 32, 1024, 48, 90}},
      {"H200", {cuda, nvidia, 4318, "NVIDIA H200", "580.159.04", cl_cuda, 132, 32, 1024, 48, 90}},
      {"GTX 1660",
       {cuda, nvidia, 4318, "NVIDIA GeForce GTX 1660", "535.129.03", cl_cuda, 22, 32, 1024, 48,
        75}},
      {"T4", {cuda, nvidia, 4318, "Tesla T4", "535.129.03", cl_cuda, 40, 32, 1024, 48, 75}},
      {"GTX 980",
       {cuda, nvidia, 4318, "NVIDIA GeForce GTX 980", "535.129.03", cl_cuda, 16, 32, 1024, 48, 52}},
      {"RTX 3090",
       {cuda, nvidia, 4318, "NVIDIA GeForce RTX 3090", "535.129.03", cl_cuda, 82, 32, 1024, 48,
        86}},
      {"RTX 4090",
       {cuda, nvidia, 4318, "NVIDIA GeForce RTX 4090", "535.129.03", cl_cuda, 128, 32, 1024, 48,
        89}},
      {"L4", {cuda, nvidia, 4318, "NVIDIA L4", "535.129.03", cl_cuda, 58, 32, 1024, 48, 89}},
      {"gfx906",
       {amd, amd_inc, 4098, "gfx906:sramecc+:xnack-", "3590.0 (HSA1.1,LC)", "OpenCL 2.0 ", 60, 1,
        256, 64}},
      {"gfx1030",
       {amd, amd_inc, 4098, "gfx1030", "3590.0 (HSA1.1,LC)", "OpenCL 2.0 ", 36, 1, 256, 64}},
      {"gfx1030 of 40",
       {amd, amd_inc, 4098, "gfx1030", "3590.0 (HSA1.1,LC)", "OpenCL 2.0 ", 40, 1, 256, 64}},
      {"gfx90a",
       {amd, amd_inc, 4098, "gfx90a:sramecc+:xnack-", "3590.0 (HSA1.1,LC)", "OpenCL 2.0 ", 104, 1,
        256, 64}},
      {"gfx90a xnack",
       {amd, amd_inc, 4098, "gfx90a:sramecc+:xnack+", "3590.0 (HSA1.1,LC)", "OpenCL 2.0 ", 104, 1,
        256, 64}},
      {"gfx1100",
       {amd, amd_inc, 4098, "gfx1100", "3590.0 (HSA1.1,LC)", "OpenCL 2.0 ", 48, 1, 256, 64}},
      {"Ellesmere",
       {amd, amd_inc, 4098, "Ellesmere", "3004.8", "OpenCL 2.0 AMD-APP (3004.8)", 36, 1, 256, 32}},
      {"Ellesmere'",
       {amd, amd_inc, 4098, "Ellesmere", "3240.7", "OpenCL 2.0 AMD-APP (3240.7)", 36, 1, 256, 32}},
      {"Hawaii",
       {amd, amd_inc, 4098, "Hawaii", "3004.8", "OpenCL 2.0 AMD-APP (3004.8)", 44, 1, 256, 32}},
      {"RX 6800 XT",
       {"rusticl", "AMD", 4098,
        "AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 15.0.6, DRM 3.49, "
        "6.1.0-13-amd64)",
        "22.3.6", "OpenCL 3.0 ", 72, 64, 1024, 64}},
      {"RX 6800 XT'",
       {"rusticl", "AMD", 4098,
        "AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 16.0.6, DRM 3.54, "
        "6.5.0-1-amd64)",
        "23.2.1", "OpenCL 3.0 ", 72, 64, 1024, 64}},
      {"Renoir",
       {"rusticl", "AMD", 4098,
        "AMD Radeon Graphics (radeonsi, renoir, LLVM 15.0.6, DRM 3.49, 6.1.0-13-amd64)", "22.3.6",
        "OpenCL 3.0 ", 8, 64, 1024, 64}},
      {"Raphael",
       {"rusticl", "AMD", 4098,
        "AMD Radeon Graphics (radeonsi, raphael_mendocino, LLVM 15.0.6, DRM 3.49, "
        "6.1.0-13-amd64)",
        "22.3.6", "OpenCL 3.0 ", 8, 64, 1024, 64}},
      {"Arc A770",
       {neo, intel, 0x8086, "Intel(R) Arc(TM) A770 Graphics", "23.30.26918.9", "OpenCL 3.0 NEO ",
        512, 64, 1024, 64, 0, intel_ip(12, 55, 8)}},
      {"Arc A750",
       {neo, intel, 0x8086, "Intel(R) Arc(TM) A750 Graphics", "23.30.26918.9", "OpenCL 3.0 NEO ",
        448, 64, 1024, 64, 0, intel_ip(12, 55, 8)}},
      {"Iris Xe",
       {neo, intel, 0x8086, "Intel(R) Iris(R) Xe Graphics", "23.30.26918.9", "OpenCL 3.0 NEO ", 96,
        64, 512, 64, 0, intel_ip(12, 0, 0)}},
      {"Iris Xe, old driver",
       {neo, intel, 0x8086, "Intel(R) Iris(R) Xe Graphics", "21.49.21786", "OpenCL 3.0 NEO ", 96,
        64, 512, 64}},
      {"UHD 630",
       {neo, intel, 0x8086, "Intel(R) UHD Graphics 630", "23.30.26918.9", "OpenCL 3.0 NEO ", 24, 32,
        256, 64, 0, intel_ip(9, 2, 9)}},
      {"G72",
       {arm, "ARM", mali_id, "Mali-G72", "2.1",
        "OpenCL 2.0 v1.r26p0-01eac0.2819f9d4dbe0b5a2f89c835d8484f9cd", 12, 1, 384, 32}},
      {"G78",
       {arm, "ARM", mali_id, "Mali-G78", "2.1",
        "OpenCL 2.1 v1.r26p0-01eac0.2819f9d4dbe0b5a2f89c835d8484f9cd", 14, 1, 384, 32}},
      {"G78'",
       {arm, "ARM", mali_id, "Mali-G78", "3.0",
        "OpenCL 3.0 v1.r38p1-01eac0.5c0a8bd5e8a9fd1e0ee1fa63bb5a8a8c", 14, 1, 384, 32}},
      {"G78 of 20",
       {arm, "ARM", mali_id, "Mali-G78", "2.1",
        "OpenCL 2.1 v1.r26p0-01eac0.2819f9d4dbe0b5a2f89c835d8484f9cd", 20, 1, 384, 32}},
      {"G710",
       {arm, "ARM", mali_id, "Mali-G710", "3.0",
        "OpenCL 3.0 v1.r38p1-01eac0.5c0a8bd5e8a9fd1e0ee1fa63bb5a8a8c", 10, 16, 1024, 32}},
      {"Adreno 640",
       {snapdragon, "QUALCOMM", 0x5143, adreno, "E031.37.12.01", "OpenCL 2.0 Adreno(TM) 640", 2, 1,
        1024, 32}},
      {"Adreno 640'",
       {snapdragon, "QUALCOMM", 0x5143, adreno, "E031.41.03.00", "OpenCL 2.0 Adreno(TM) 640", 2, 1,
        1024, 32}},
      {"Adreno 650",
       {snapdragon, "QUALCOMM", 0x5143, adreno, "E031.37.12.01", "OpenCL 2.0 Adreno(TM) 650", 3, 1,
        1024, 32}},
      {"Adreno 630",
       {snapdragon, "QUALCOMM", 0x5143, adreno, "E031.37.12.01", "OpenCL 2.0 Adreno(TM) 630", 2, 1,
        1024, 32}},
      {"M1", {apple, apple, 0x1027f00, "Apple M1", "1.2 1.0", "OpenCL 1.2 ", 8, 1, 256, 32}},
      {"M1 Pro",
       {apple, apple, 0x1027f00, "Apple M1 Pro", "1.2 1.0", "OpenCL 1.2 ", 16, 1, 256, 32}},
      {"M1 Max",
       {apple, apple, 0x1027f00, "Apple M1 Max", "1.2 1.0", "OpenCL 1.2 ", 32, 1, 256, 32}},
      {"M2", {apple, apple, 0x1027f00, "Apple M2", "1.2 1.0", "OpenCL 1.2 ", 10, 1, 256, 32}},
      {"PoCL haswell",
       {pocl, "AuthenticAMD", 0x6c636f70,
        "cpu-haswell-AMD EPYC 7763 64-Core "
        "Processor",
        "5.0+debian", "OpenCL 3.0 PoCL HSTR: cpu-x86_64-pc-linux-gnu-haswell", 4, 8, 4096, 512}},
      {"PoCL znver3",
       {pocl, "AuthenticAMD", 0x6c636f70,
        "cpu-znver3-AMD EPYC 7763 64-Core "
        "Processor",
        "5.0+debian", "OpenCL 3.0 PoCL HSTR: cpu-x86_64-pc-linux-gnu-znver3", 4, 8, 4096, 512}},
      {"PoCL znver3 of 8",
       {pocl, "AuthenticAMD", 0x6c636f70, "cpu-znver3-AMD EPYC 7B13", "5.0+debian",
        "OpenCL 3.0 PoCL HSTR: cpu-x86_64-pc-linux-gnu-znver3", 8, 8, 4096, 512}},
      {"PoCL znver2",
       {pocl, "AuthenticAMD", 0x6c636f70,
        "cpu-znver2-AMD EPYC 7702 64-Core "
        "Processor",
        "5.0+debian", "OpenCL 3.0 PoCL HSTR: cpu-x86_64-pc-linux-gnu-znver2", 4, 8, 4096, 512}},
      {"PoCL 3 AMD",
       {pocl, "AuthenticAMD", 0x8086, "pthread-skylake-avx512-AMD EPYC", "3.1+debian",
        "OpenCL 2.0 PoCL HSTR: pthread-x86_64-pc-linux-gnu-"
        "skylake-avx512",
        2, 8, 4096, 1024}},
      {"PoCL 3 Intel",
       {pocl, "GenuineIntel", 0x8086,
        "pthread-skylake-avx512-Intel(R) Xeon(R) "
        "Processor @ 2.50GHz",
        "3.1+debian", "OpenCL 2.0 PoCL HSTR: pthread-x86_64-pc-linux-gnu-skylake-avx512", 2, 8,
        4096, 1024}},
      {"Xeon E5",
       {"Intel(R) OpenCL", intel, 0x8086, "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz",
        "2023.16.10.0.17_160000", "OpenCL 3.0 (Build 0)", 28, 1, 8192, 32}},
      {"Core i9",
       {"Intel(R) OpenCL", intel, 0x8086, "Intel(R) Core(TM) i9-10980XE CPU @ 3.00GHz",
        "2023.16.10.0.17_160000", "OpenCL 3.0 (Build 0)", 36, 1, 8192, 32}},
      {"llvmpipe",
       {"rusticl", "Mesa", 0xffffffff, "llvmpipe (LLVM 15.0.6, 256 bits)", "22.3.6", "OpenCL 3.0 ",
        4, 1, 1024, 32}},
      {"llvmpipe'",
       {"rusticl", "Mesa", 0xffffffff, "llvmpipe (LLVM 17.0.6, 256 bits)", "24.0.5", "OpenCL 3.0 ",
        4, 1, 1024, 32}},
      {"llvmpipe of 512",
       {"rusticl", "Mesa", 0xffffffff, "llvmpipe (LLVM 15.0.6, 512 bits)", "22.3.6", "OpenCL 3.0 ",
        4, 1, 1024, 32}},
  };
  std::map<std::string, TunedDevice> devices;
  for (const auto& [name, real] : all) {
    DeviceInfo info;
    info.platform = real.platform;
    info.vendor = real.vendor;
    info.vendor_id = real.vendor_id;
    info.name = real.name;
    info.driver = real.driver;
    info.device_version = real.version;
    info.compute_units = real.compute_units;
    info.preferred_multiple = real.sub_group;
    info.max_work_group_size = real.work_group;
    info.local_mem_bytes = real.local_kib * 1024;
    info.nv_compute_capability = real.nv;
    info.intel_ip_version = real.intel_ip;
    devices[name] = tuned_device(info);
  }
  return devices;
}

// All pairs that match; no other pair does.
TEST(MatchDevice, RealDevices) {
  const std::map<std::pair<std::string, std::string>, DeviceMatch> alike = {
      {{"A100", "A100'"}, DeviceMatch::other_driver},
      {{"A100", "A100-80GB"}, DeviceMatch::similar},
      {{"A100'", "A100-80GB"}, DeviceMatch::similar},
      {{"A10", "RTX 3090"}, DeviceMatch::similar},
      {{"H100", "H200"}, DeviceMatch::similar},
      {{"GTX 1660", "T4"}, DeviceMatch::similar},
      {{"gfx1030", "gfx1030 of 40"}, DeviceMatch::similar},
      {{"gfx90a", "gfx90a xnack"}, DeviceMatch::similar},
      {{"Ellesmere", "Ellesmere'"}, DeviceMatch::other_driver},
      {{"RX 6800 XT", "RX 6800 XT'"}, DeviceMatch::other_driver},
      {{"Arc A750", "Arc A770"}, DeviceMatch::similar},
      {{"Iris Xe", "Iris Xe, old driver"}, DeviceMatch::other_driver},
      {{"G78", "G78'"}, DeviceMatch::other_driver},
      {{"G78", "G78 of 20"}, DeviceMatch::similar},
      {{"G78 of 20", "G78'"}, DeviceMatch::similar},
      {{"Adreno 640", "Adreno 640'"}, DeviceMatch::other_driver},
      {{"M1", "M1 Pro"}, DeviceMatch::similar},
      {{"M1 Max", "M1 Pro"}, DeviceMatch::similar},
      {{"PoCL znver3", "PoCL znver3 of 8"}, DeviceMatch::similar},
      {{"llvmpipe", "llvmpipe'"}, DeviceMatch::other_driver},
  };
  const auto devices = real_devices();
  std::size_t found = 0;
  for (const auto& [name, device] : devices) {
    EXPECT_EQ(match_device(device, device), DeviceMatch::exact) << name;
    for (const auto& [other_name, other] : devices) {
      if (other_name == name) continue;
      const auto expected = alike.find(std::minmax(name, other_name));
      const DeviceMatch match = match_device(device, other);
      EXPECT_EQ(match, expected == alike.end() ? DeviceMatch::none : expected->second)
          << name << " and " << other_name << ": " << to_string(match);
      if (expected != alike.end()) ++found;
    }
  }
  EXPECT_EQ(found, 2 * alike.size()) << "a pair names a device that is not listed";
}

// In a file of an earlier build a real device is found again where its name says its model, and no
// other one is taken for it.
TEST(MatchDevice, RealDevicesOfEarlierBuilds) {
  const auto devices = real_devices();
  for (const auto& [name, device] : devices) {
    TunedDevice old = device;
    old.device_version.clear();
    old.architecture.clear();
    old.sub_group_size = 0;
    const bool says_model = device.name.find_first_of("0123456789") != std::string::npos &&
                            name != "Renoir" && name != "Raphael";
    EXPECT_EQ(match_device(old, device), says_model ? DeviceMatch::exact : DeviceMatch::none)
        << name;
    for (const auto& [other_name, other] : devices) {
      if (other_name == name) continue;
      const DeviceMatch now = match_device(device, other);
      const DeviceMatch then = match_device(old, other);
      EXPECT_TRUE(then == now || then == DeviceMatch::none) << name << " and " << other_name;
    }
  }
}

// The shipped files, each on the device that it is of, and with what that device says besides.
TEST(MatchDevice, ShippedFilesMatchThemselves) {
  const std::map<std::string, std::string> shipped = {{"nvidia-h200", "NVIDIA H200"},
                                                      {"pocl-epyc-2-cores", "AMD EPYC"}};
  for (const auto& [stem, name] : shipped) {
    const ParsedTunedFile parsed =
        load_tuned_file(LORATUNE_SOURCE_DIR "/results/tuned/" + stem + ".json");
    ASSERT_TRUE(parsed.file) << parsed.error;
    ASSERT_EQ(parsed.file->devices.size(), 1U);
    const TunedDevice& tuned = parsed.file->devices.begin()->second;
    EXPECT_NE(tuned.name.find(name), std::string::npos) << tuned.name;
    EXPECT_EQ(match_device(tuned, tuned), DeviceMatch::exact) << stem;
    TunedDevice whole = tuned;
    add_known(whole, real_devices().at(stem == "nvidia-h200" ? "H200" : "PoCL 3 AMD"));
    EXPECT_EQ(match_device(tuned, whole), DeviceMatch::exact) << stem;
    EXPECT_EQ(match_device(tuned, real_devices().at("H100")),
              stem == "nvidia-h200" ? DeviceMatch::similar : DeviceMatch::none);
  }
}

}  // namespace
}  // namespace loratune
