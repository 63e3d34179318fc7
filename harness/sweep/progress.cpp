#include "harness/sweep/progress.h"

#include <vector>

namespace loratune {
namespace {

constexpr int kBarWidth = 10;
constexpr double kBetweenLines = 0.1;  // seconds

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

std::string short_key(const std::string& key) {
  return key.starts_with("fwd_") ? key.substr(4) : key;
}

std::string progress_line(const SweepProgress& progress, const Terminal& terminal) {
  std::vector<Piece> pieces = {
      {bar(progress.decided, progress.problems, kBarWidth), Style::good},
      {" " + std::to_string(progress.decided) + "/" + std::to_string(progress.problems)}};
  if (progress.elapsed_s > 0 && progress.tried > 0) {
    pieces.push_back(
        {number(", %.1f configs/s", static_cast<double>(progress.tried) / progress.elapsed_s)});
  }
  pieces.push_back({", " + clock_text(progress.left_s) + " left"});
  if (progress.best > 0) pieces.push_back({number(", best %.2fx", progress.best), Style::strong});
  if (!progress.problem.empty()) pieces.push_back({", " + short_key(progress.problem)});
  if (!progress.doing.empty()) pieces.push_back({": " + progress.doing, Style::faint});
  return one_line(terminal, pieces);
}

void ProgressDisplay::show(const SweepProgress& progress, double now_s) {
  const bool decided = progress.decided != decided_;
  decided_ = progress.decided;
  if (!progress.note.empty()) {
    std::fprintf(to_, "%s%s\n", terminal_.live ? "\r\033[K" : "", progress.note.c_str());
  }
  if (terminal_.live) {
    if (!decided && now_s - shown_s_ < kBetweenLines) return;
    shown_s_ = now_s;
    std::fprintf(to_, "\r%s\033[K", progress_line(progress, terminal_).c_str());
    std::fflush(to_);
  } else if (decided) {
    std::fprintf(to_, "%zu of %zu problems after %s\n", progress.decided, progress.problems,
                 clock_text(progress.elapsed_s).c_str());
  }
}

ProgressDisplay::~ProgressDisplay() {
  if (terminal_.live) std::fprintf(to_, "\r\033[K");
}

}  // namespace loratune
