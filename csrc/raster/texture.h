// Texture lookup in a packed pyramid: which texels a point blends, with which weights, and the weights' slopes.
#pragma once
#include <stddef.h>

#include "math/special.h"
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

// The levels of a pyramid, each worked out when it is asked for; or an array of them.
struct TextureLevels {
  TextureLayout layout;
  RNDR_HD TextureLevel operator[](int level) const { return texture_level(layout, level); }
};

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

// The one or two levels that a point blends; `between` is the weight of the second.
template <class T>
struct Lookup {
  int levels;
  T between;
  Taps<T> taps[2];

  RNDR_HD T weight(int level, int tap) const { return (level == 0 ? T(1) - between : between) * taps[level].weight[tap]; }
};

// levels[i]: level i of the pyramid; lod in [0, number of levels - 1], not read if there is one level.
template <class T, class Levels>
RNDR_HD Lookup<T> texture_lookup(const TextureLayout& t, const Levels& levels, T u, T v, T lod) {
  Lookup<T> l;
  l.levels = 1, l.between = T(0);
  int first = 0;
  if (t.levels > 1) {
    first = static_cast<int>(lod);
    first = first < 0 ? 0 : first > t.levels - 2 ? t.levels - 2 : first;
    l.levels = 2, l.between = lod - T(first);
  }
  for (int i = 0; i < l.levels; ++i) l.taps[i] = texture_taps(t, levels[first + i], u, v);
  return l;
}

// Level of detail at a fragment of a plane, and its derivatives: log2 of the longer of the steps in texels that one pixel in x and in y
// makes, within the levels there are. slope: d/dx of u/z, v/z, 1/z, then d/dy of them, which are constant over the plane:
// du/dx = ((u/z)_x - u (1/z)_x) z. Without perspective, the same with z = 1 and (1/z)_x = 0.
template <class T>
struct Footprint {
  T lod, du, dv, dz, dslope[6];
};

template <class T>
RNDR_HD Footprint<T> texture_footprint(const TextureLayout& t, const T slope[6], T u, T v, T z) {
  const T w2 = T(t.width) * T(t.width), h2 = T(t.height) * T(t.height);
  T du[2], dv[2], length2[2];
  for (int axis = 0; axis < 2; ++axis) {
    const T* s = slope + 3 * axis;
    du[axis] = (s[0] - u * s[2]) * z;
    dv[axis] = (s[1] - v * s[2]) * z;
    length2[axis] = w2 * du[axis] * du[axis] + h2 * dv[axis] * dv[axis];
  }
  const T longest = length2[0] > length2[1] ? length2[0] : length2[1];
  const T top = T(t.levels - 1), lod = longest > T(1) ? T(0.5) * log_(longest) * T(1.4426950408889634) : T(0);
  Footprint<T> f{lod < top ? lod : top, T(0), T(0), T(0), {T(0), T(0), T(0), T(0), T(0), T(0)}};
  if (!(longest > T(1)) || !(lod < top)) return f;
  for (int axis = 0; axis < 2; ++axis) {
    if (length2[axis] < longest) continue;
    const T share = length2[1 - axis] == longest ? T(0.5) : T(1);
    // d lod / d (du, dv) of this axis
    const T scale = share * T(1.4426950408889634) / longest;
    const T gu = scale * w2 * du[axis], gv = scale * h2 * dv[axis];
    const T* s = slope + 3 * axis;
    f.du -= gu * s[2] * z;
    f.dv -= gv * s[2] * z;
    f.dz += gu * (s[0] - u * s[2]) + gv * (s[1] - v * s[2]);
    f.dslope[3 * axis] = gu * z;
    f.dslope[3 * axis + 1] = gv * z;
    f.dslope[3 * axis + 2] = -(gu * u + gv * v) * z;
  }
  return f;
}

template <class T>
struct Texture {
  const T* texels;  // (textures, all levels' texels, channels); view b reads texture b / (B / textures)
  int textures;
  long long count;
  int channels;
  TextureLayout layout;

  // Of the texture that a view reads.
  RNDR_HD size_t first_texel(int view, int batch) const { return static_cast<size_t>(view / (batch / textures)) * count; }
};

// Texel indices are integers: beyond this many repeats they would overflow, and floating point resolves no texel any more.
constexpr double kFarthestUv = 1e9;

// From dL/d of one tap's texel, times the texel: to u, v and the level of detail.
template <class T>
RNDR_HD void add_tap_gradient(const Lookup<T>& l, int level, int tap, T dot, T& du, T& dv, T& dlod) {
  const T share = (level == 0 ? T(1) - l.between : l.between) * dot;
  du += share * l.taps[level].du[tap];
  dv += share * l.taps[level].dv[tap];
  dlod += (level == 0 ? -dot : dot) * l.taps[level].weight[tap];
}

RNDR_NAMESPACE_END
