#include "loratune/engine/route.h"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>
#include <vector>

#include "engine/internal/opencl.h"
#include "loratune/variants/launch_plan.h"

namespace loratune {
namespace {

constexpr std::size_t kSizes = std::bit_width(static_cast<unsigned>(kMostRouteRows));
constexpr std::int64_t kBlockInts = 3;  // slot, first, rows

std::size_t size_index(std::int64_t size) {
  return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(size)) - 1);
}

}  // namespace

struct Route::State {
  // Waits for the last write, which reads `table`.
  void settle() {
    if (!written) return;
    cl_event event = written.get();
    clWaitForEvents(1, &event);
    written.reset();
  }
  // What a step of no rows has.
  void forget() {
    rows = 0;
    active = 0;
    only = -1;
    blocks.fill(0);
  }

  Handle<cl_context> context;
  std::int64_t most_rows = 0, rows = 0;
  int slots = 0, active = 0, only = -1;
  std::array<std::int64_t, kSizes> first{}, blocks{};  // by size
  std::vector<std::int32_t> ends;                      // of each slot's rows
  std::vector<std::int32_t> table;                     // what the buffer has
  Handle<cl_mem> buffer;
  Handle<cl_event> written;
};

Route::Route(cl_context context, std::int64_t most_rows, int slots)
    : state_(std::make_unique<State>()) {
  if (most_rows < 1 || most_rows > kMostRows || slots < 1 || slots > kMostRows) {
    throw std::invalid_argument("route: " + std::to_string(most_rows) + " rows over " +
                                std::to_string(slots) + " slots, each is in [1, 2^24]");
  }
  State& state = *state_;
  state.most_rows = most_rows;
  state.slots = slots;
  state.ends.resize(static_cast<std::size_t>(slots));
  std::int64_t size = most_rows;
  for (std::size_t i = 0; i < kSizes; ++i) {
    state.first[i] = size;
    // Each slot with rows may end in a block that is not full.
    size += kBlockInts * ((most_rows >> i) + std::min<std::int64_t>(most_rows, slots));
  }
  state.table.resize(static_cast<std::size_t>(size));
  state.context = retain(context);
  state.buffer =
      make_buffer(context, state.table.size() * sizeof(std::int32_t), nullptr, CL_MEM_READ_ONLY);
}
Route::Route(Route&&) noexcept = default;
Route& Route::operator=(Route&& other) noexcept {
  if (state_) state_->settle();
  state_ = std::move(other.state_);
  return *this;
}
Route::~Route() {
  if (state_) state_->settle();
}

std::string Route::assign(cl_command_queue queue, std::span<const std::int32_t> slot) {
  State& state = *state_;
  if (std::cmp_greater(slot.size(), state.most_rows)) {
    return "route: " + std::to_string(slot.size()) + " rows, it is for up to " +
           std::to_string(state.most_rows);
  }
  for (std::size_t row = 0; row < slot.size(); ++row) {
    if (slot[row] < -1 || slot[row] >= state.slots) {
      return "route: row " + std::to_string(row) + " has slot " + std::to_string(slot[row]) +
             " of " + std::to_string(state.slots);
    }
  }
  state.settle();
  std::fill(state.ends.begin(), state.ends.end(), 0);
  for (const std::int32_t s : slot) {
    if (s >= 0) ++state.ends[static_cast<std::size_t>(s)];
  }
  state.forget();
  state.rows = static_cast<std::int64_t>(slot.size());
  std::int32_t begin = 0;
  for (std::int32_t s = 0; s < state.slots; ++s) {
    std::int32_t& end = state.ends[static_cast<std::size_t>(s)];
    const std::int32_t count = end;
    end = begin;  // for now where its next row goes
    if (count == 0) continue;
    ++state.active;
    if (count == state.rows) state.only = s;
    for (std::size_t i = 0; i < kSizes; ++i) {
      for (std::int32_t done = 0; done < count; done += 1 << i) {
        std::int32_t* block = state.table.data() + state.first[i] + kBlockInts * state.blocks[i]++;
        block[0] = s;
        block[1] = begin + done;
        block[2] = std::min(count - done, 1 << i);
      }
    }
    begin += count;
  }
  for (std::size_t row = 0; row < slot.size(); ++row) {
    if (slot[row] < 0) continue;
    state.table[static_cast<std::size_t>(state.ends[static_cast<std::size_t>(slot[row])]++)] =
        static_cast<std::int32_t>(row);
  }
  // What is behind the last block of the last size is of no use.
  const std::int64_t used = state.first.back() + kBlockInts * state.blocks.back();
  cl_event event = nullptr;
  const cl_int code = clEnqueueWriteBuffer(queue, state.buffer.get(), CL_FALSE, 0,
                                           static_cast<std::size_t>(used) * sizeof(std::int32_t),
                                           state.table.data(), 0, nullptr, &event);
  // The buffer has not the step, and no call may run by what stands there.
  if (code != CL_SUCCESS) state.forget();
  require_success(code, "clEnqueueWriteBuffer");
  state.written.reset(event);
  flush(queue);
  return {};
}

std::int64_t Route::rows() const { return state_->rows; }
int Route::slots() const { return state_->slots; }
int Route::active() const { return state_->active; }
int Route::only() const { return state_->only; }
std::int64_t Route::blocks(std::int64_t size) const { return state_->blocks[size_index(size)]; }
cl_mem Route::buffer() const { return state_->buffer.get(); }
std::int64_t Route::first_block(std::int64_t size) const { return state_->first[size_index(size)]; }

}  // namespace loratune
