#include "loratune/host/host_weights.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "host/internal/host_state.h"
#include "loratune/variants/packing.h"

namespace loratune {
namespace {

// Packs both matrices, elements of `T`, and sets where they stand.
template <class T>
void pack_both(HostWeights::State& state, const T* a, const T* b) {
  const Problem& p = state.shape;
  const std::vector<T> packed_a = pack(host::packing_a(p.rank), p.rank, p.k, a);
  const std::vector<T> packed_b = pack(host::packing_b(p.n), p.n, p.rank, b);
  constexpr std::size_t kWhole = 64 / sizeof(T);  // both begin a cache line
  const std::size_t off_b = (packed_a.size() + kWhole - 1) / kWhole * kWhole;
  state.packed.reserve((off_b + packed_b.size()) * sizeof(T));
  T* out = reinterpret_cast<T*>(state.packed.data());
  std::copy(packed_a.begin(), packed_a.end(), out);
  std::copy(packed_b.begin(), packed_b.end(), out + off_b);
  state.view = {out, out + off_b, p.k, p.n, p.rank};
}

// Throws std::bad_alloc.
std::unique_ptr<HostWeights::State> packed_state(const host::Kernels& kernels, const Problem& shape,
                                                 const void* a, const void* b) {
  auto state = std::make_unique<HostWeights::State>();
  const Dtype dtype = weights_dtype(shape);
  state->shape = shape;
  state->kernels = &kernels;
  if (dtype == Dtype::f32) {
    pack_both(*state, static_cast<const float*>(a), static_cast<const float*>(b));
  } else {
    pack_both(*state, static_cast<const std::uint16_t*>(a), static_cast<const std::uint16_t*>(b));
  }
  return state;
}

}  // namespace

void AlignedBytes::Free::operator()(std::byte* bytes) const {
  ::operator delete (bytes, std::align_val_t{64});
}

void AlignedBytes::reserve(std::size_t bytes) {
  if (bytes <= size_) return;
  data_.reset();
  size_ = 0;
  data_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64})));
  size_ = bytes;
}

HostWeights::HostWeights(std::unique_ptr<State> state) : state_(std::move(state)) {}
HostWeights::HostWeights(HostWeights&&) noexcept = default;
HostWeights& HostWeights::operator=(HostWeights&&) noexcept = default;
HostWeights::~HostWeights() = default;
const Problem& HostWeights::shape() const { return state_->shape; }

HostWeights::Packed host::pack_for(const Kernels& kernels, const Problem& shape, const void* a,
                                   const void* b) noexcept {
  try {
    Problem checked = shape;
    checked.m = 1;
    std::string why = host::declined(checked);
    if (why.empty() && (a == nullptr || b == nullptr)) why = "a or b is null";
    if (!why.empty()) return {nullptr, "weights: " + why};
    return {std::make_unique<HostWeights>(packed_state(kernels, checked, a, b)), {}};
  } catch (const std::exception&) {
    return {nullptr, "no memory"};  // short enough to need none
  }
}

HostWeights::Packed HostWeights::pack(const Problem& shape, const void* a, const void* b) noexcept {
  return host::pack_for(host::best_kernels(), shape, a, b);
}

}  // namespace loratune
