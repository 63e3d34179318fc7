#include "loratune/adapters/element.h"

#include <bit>
#include <cstring>

#include "variants/internal/elements.h"

namespace loratune {
namespace {

// What a file holds is little-endian, and so must the machine be.
static_assert(std::endian::native == std::endian::little);

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void unpack_block(Element element, const std::byte* block, float* out) {
  switch (element) {
    case Element::f32:
      *out = load<float>(block);
      return;
    case Element::f16:
      *out = from_half(load<std::uint16_t>(block));
      return;
    case Element::bf16:
      *out = from_bfloat(load<std::uint16_t>(block));
      return;
    case Element::q8_0: {
      const float scale = from_half(load<std::uint16_t>(block));
      for (int i = 0; i < 32; ++i) {
        out[i] = scale * static_cast<float>(load<std::int8_t>(block + 2 + i));
      }
      return;
    }
    case Element::q4_0: {
      // The low halves of the 16 bytes are the first 16 numbers.
      const float scale = from_half(load<std::uint16_t>(block));
      for (int i = 0; i < 16; ++i) {
        const auto pair = std::to_integer<int>(block[2 + i]);
        out[i] = scale * static_cast<float>((pair & 0xf) - 8);
        out[i + 16] = scale * static_cast<float>((pair >> 4) - 8);
      }
      return;
    }
  }
}

}  // namespace

std::string_view to_string(Element element) {
  constexpr std::string_view kNames[] = {"f32", "f16", "bf16", "q8_0", "q4_0"};
  return kNames[static_cast<unsigned>(element)];
}

std::vector<float> to_floats(Element element, std::span<const std::byte> stored) {
  const auto [elements, bytes] = block_of(element);
  const std::size_t blocks = stored.size() / static_cast<std::size_t>(bytes);
  std::vector<float> values(blocks * static_cast<std::size_t>(elements));
  for (std::size_t i = 0; i < blocks; ++i) {
    unpack_block(element, stored.data() + i * static_cast<std::size_t>(bytes),
                 values.data() + i * static_cast<std::size_t>(elements));
  }
  return values;
}

std::vector<std::byte> from_floats(Element element, std::span<const float> values) {
  const auto bytes = static_cast<std::size_t>(block_of(element).bytes);
  std::vector<std::byte> stored(values.size() * bytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::byte* at = stored.data() + i * bytes;
    if (element == Element::f32) {
      std::memcpy(at, &values[i], sizeof(float));
    } else {
      const std::uint16_t bits =
          element == Element::f16 ? to_half(values[i]) : to_bfloat(values[i]);
      std::memcpy(at, &bits, sizeof bits);
    }
  }
  return stored;
}

float rounded(Element element, float value) {
  if (element == Element::f16) return from_half(to_half(value));
  return element == Element::bf16 ? from_bfloat(to_bfloat(value)) : value;
}

}  // namespace loratune
