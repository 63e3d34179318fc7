// The compiled programs of an engine: each is compiled once, whoever asks for it first.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/internal/opencl.h"
#include "engine/internal/program_cache.h"
#include "loratune/engine/engine.h"

namespace loratune {

// Any number of threads may ask at a time.
class Programs {
 public:
  // Throws std::invalid_argument where the cache's folder is refused.
  Programs(cl_context context, const Device& device, const EngineOptions& options);

  // The plan's program, which lives as long as this object, or null with the build log. While one
  // thread compiles a program, others that ask for it wait; a program that could not be compiled is
  // tried again by whoever asks next. Throws OpenclError, also where there was no memory to compile
  // with, and std::invalid_argument for options that no plan may have.
  cl_program get(const LaunchPlan& plan, std::string& log);

 private:
  struct Compiled {
    Handle<cl_program> program;  // null with the log
    std::string log;
  };
  Compiled compile(const LaunchPlan& plan) const;
  Handle<cl_program> from_cache(const std::string& key, const std::string& options) const;
  void to_cache(const std::string& key, cl_program program) const;

  cl_context context_;
  Device device_;
  std::optional<ProgramCache> cache_;
  std::mutex mutex_;
  std::map<std::string, std::shared_future<std::shared_ptr<const Compiled>>> programs_;
};

}  // namespace loratune
