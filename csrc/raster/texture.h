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

// By truncation: not every SIMD level has an instruction for floor.
template <class T>
RNDR_HD long long floor_texel(T position) {
  const long long towards_zero = static_cast<long long>(position);
  return towards_zero - (T(towards_zero) > position);
}

RNDR_HD long long wrap_texel(long long index, int size, bool repeat) {
  if (index >= 0 && index < size) return index;
  if (!repeat) return index < 0 ? 0 : size - 1;
  const long long rest = index % size;
  return rest < 0 ? rest + size : rest;
}

template <class T>
RNDR_HD Taps<T> texture_taps(const TextureLayout& t, const TextureLevel& l, T u, T v) {
  Taps<T> taps;
  const T shift = t.nearest ? T(0) : T(0.5);
  const T x = u * T(l.width) - shift, y = (T(1) - v) * T(l.height) - shift;
  const long long ix = floor_texel(x), iy = floor_texel(y);
  const T fx = t.nearest ? T(0) : x - T(ix), fy = t.nearest ? T(0) : y - T(iy);
  const T sx = t.nearest ? T(0) : T(l.width), sy = t.nearest ? T(0) : -T(l.height);
  const long long columns[2] = {wrap_texel(ix, l.width, t.repeat), wrap_texel(ix + 1, l.width, t.repeat)};
  const long long rows[2] = {wrap_texel(iy, l.height, t.repeat), wrap_texel(iy + 1, l.height, t.repeat)};
  for (int k = 0; k < 4; ++k) {
    const int right = k & 1, below = k >> 1;
    const T wx = right ? fx : T(1) - fx, wy = below ? fy : T(1) - fy;
    taps.texel[k] = l.start + rows[below] * l.width + columns[right];
    taps.weight[k] = wx * wy;
    taps.du[k] = (right ? sx : -sx) * wy;
    taps.dv[k] = wx * (below ? sy : -sy);
  }
  return taps;
}

RNDR_NAMESPACE_END
