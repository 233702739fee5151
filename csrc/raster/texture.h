// Texture lookup in a packed pyramid: which texels a point blends, with which weights, and the weights' slopes.
#pragma once
#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

struct TextureLayout {
  int height, width, levels;
  bool nearest, repeat;
};

// One level of the pyramid: halves, rounded down, at least 1; stored row by row after those before it.
struct TextureLevel {
  int height, width;
  long long start;
};

RNDR_HD TextureLevel texture_level(const TextureLayout& t, int level) {
  TextureLevel l{t.height, t.width, 0};
  for (int i = 0; i < level; ++i) {
    l.start += static_cast<long long>(l.height) * l.width;
    l.height = l.height > 1 ? l.height / 2 : 1;
    l.width = l.width > 1 ? l.width / 2 : 1;
  }
  return l;
}

// Four texels, their weights, and the weights' derivatives in u and v. A nearest lookup has weights 1, 0, 0, 0.
template <class T>
struct Taps {
  long long texel[4];
  T weight[4], du[4], dv[4];
};

template <class T>
RNDR_HD long long wrap_texel(T index, int size, bool repeat) {
  if (repeat) {
    const T inside = index - __builtin_floor(index / T(size)) * T(size);
    const long long i = static_cast<long long>(inside);
    return i < size ? (i < 0 ? 0 : i) : size - 1;  // the division may have rounded up
  }
  return index < T(0) ? 0 : (index > T(size - 1) ? size - 1 : static_cast<long long>(index));
}

template <class T>
RNDR_HD Taps<T> texture_taps(const TextureLayout& t, const TextureLevel& l, T u, T v) {
  Taps<T> taps;
  const T shift = t.nearest ? T(0) : T(0.5);
  const T x = u * T(l.width) - shift, y = (T(1) - v) * T(l.height) - shift;
  const T ix = __builtin_floor(x), iy = __builtin_floor(y);
  const T fx = t.nearest ? T(0) : x - ix, fy = t.nearest ? T(0) : y - iy;
  const T sx = t.nearest ? T(0) : T(l.width), sy = t.nearest ? T(0) : -T(l.height);
  for (int k = 0; k < 4; ++k) {
    const bool right = k & 1, below = k & 2;
    const long long column = wrap_texel(ix + T(right), l.width, t.repeat), row = wrap_texel(iy + T(below), l.height, t.repeat);
    const T wx = right ? fx : T(1) - fx, wy = below ? fy : T(1) - fy;
    taps.texel[k] = l.start + row * l.width + column;
    taps.weight[k] = wx * wy;
    taps.du[k] = (right ? sx : -sx) * wy;
    taps.dv[k] = wx * (below ? sy : -sy);
  }
  return taps;
}

RNDR_NAMESPACE_END
