// The buffer kernels of one SIMD level.
//
// A face meets a tile in a rectangle of pixels. Its pixels go through short, vectorised loops over buffers that stay in
// the first-level cache: geometry -> distribution -> T-conorm. The loops are compiled per distribution and per T-conorm
// rather than for every pair of them: 19 + 9 kernels instead of 171, at the price of a few cache-hot loads a pixel.
#pragma once
#include <cstdint>

#include "cpu/sort_kernels.h"
#include "cpu/logic_table.h"
#include "raster/coverage.h"
#include "raster/softmax.h"

namespace rndr {

// Widths are rounded up to this many pixels, so that no loop has a scalar remainder.
constexpr int kLanes = 8;
// Pixels a buffer holds: several buffers of doubles fit a 32 KiB cache.
constexpr int kBuffer = 512;

constexpr int round_up(int n) { return (n + kLanes - 1) / kLanes * kLanes; }

// Pixels x0 .. x0 + width - 1 (width a multiple of kLanes), y0 .. y0 + height - 1, relative to the tile's origin.
struct Rect {
  int x0, y0, width, height;
};

// Per (face, tile) sums of the backward pass.
template <class T>
struct FaceGradient {
  T vertex[6];  // x0 y0 x1 y1 x2 y2
  T scale, shape, shift, p;
};

// What the backward geometry kernel leaves for the later ones; d z / d v_i = lambda_i (hx, hy).
template <class T>
struct GeometryBuffers {
  T z[kBuffer], lambda0[kBuffer], lambda1[kBuffer], hx[kBuffer], hy[kBuffer];
};

template <class T>
struct PixelSegments {  // outline pieces in the kernel's precision: see cpu/outline_coverage.cpp
  T ax, ay, tx, ty, length;
};

template <class T>
struct DistributionKernels {
  const char* name;
  bool has_shape, has_shift;
  double (*outer)(double eps, double shape, double shift);  // support radius in units of z
  double (*inner)(double eps, double shape, double shift);
  // n is a multiple of kLanes.
  void (*cdf)(int n, const T* z, const CoverageParams<T>&, T* v);
  void (*level)(int n, const T* z, const CoverageParams<T>&, T* level);  // -ln(1 - F)
  void (*pdf)(int n, const T* z, const CoverageParams<T>&, T* f);
  void (*dcdf_dshape)(int n, const T* z, const CoverageParams<T>&, T* df);
  T shift_sign;  // d F / d shift = shift_sign f
};

template <class T>
struct TConormKernels {
  const char* name;
  bool has_p, uses_value, uses_level, counts_ties;
  T identity;
  void (*accumulate)(const Rect&, int stride, const T* v, const T* level, T p, T* state, T* ties);
  void (*value)(int n, const T* state, T p, T* out);
  // weight = ds/dv g f, and this face's share of dS/dp.
  void (*weights)(const Rect&, int stride, const T* v, const T* level, const T* f, const T* df_dshape, const T* state,
                  const T* ties, const T* grad, T p, T* weight, T* sum_p, T* sum_shape);
  void (*dvalue_dp)(int n, const T* state, T p, T* out);
};

template <class T>
struct GeometryKernels {
  void (*z)(const void* local_triangle, const Rect&, const CoverageParams<T>&, T* z);
  void (*backward)(const void* local_triangle, const Rect&, const CoverageParams<T>&, GeometryBuffers<T>&);
  void (*reduce)(int n, const GeometryBuffers<T>&, const T* weight, T inverse_scale, FaceGradient<T>&);
  void (*nearest_segment)(const PixelSegments<T>&, int index, const Rect&, int stride, T* distance2, int* nearest);
};

// A fragment: weights b of the three corners, and its nearness.
template <class T>
struct FragmentBuffers {
  T b[3][kBuffer], nearness[kBuffer];
};

// Per (face, tile) sums of the colour's backward pass.
template <class T>
struct ColourGradient {
  T vertex[9];  // x y z of each corner
  T scale, shape, shift, gamma;
};

// Per pixel: the largest nearness so far, and the sum of the weights relative to it.
template <class T>
struct SoftmaxPlanes {
  T *nearest, *sum;
};

// What a texture adds to a fragment's backward pass, per pixel: the loss's derivatives in u, v, level of detail and depth, over the
// fragment's weight; and the texels that were read (taps of weight 0 are 0, 0).
constexpr int kTaps = 8;
template <class T>
struct TextureBuffers {
  T u[kBuffer], v[kBuffer], lod[kBuffer], depth[kBuffer];
  T dlod_dslope[6][kBuffer];
  int64_t texel[kTaps][kBuffer];
  T tap_weight[kTaps][kBuffer];
};

// Per (face, tile) sums of the texture's backward pass: u v of each corner; slope.
template <class T>
struct TextureGradient {
  T uv[6], slope[6];
};

template <class T>
struct ColourKernels {
  void (*fragment)(const void* local_triangle, const T depth[3], const Rect&, const ColourParams<T>&, FragmentBuffers<T>&);
  // Adds one face to the softmax: its weights, and the factor by which everything before it shrinks.
  void (*blend)(const Rect&, int stride, const T* coverage, const T* nearness, const ColourParams<T>&, SoftmaxPlanes<T>, T* weight,
                T* shrink);
  // factor: the texture's value by which the channel is multiplied, or null.
  void (*blend_channel)(const Rect&, int stride, const FragmentBuffers<T>&, const T* weight, const T* shrink, const T corner[3],
                        const T* factor, T* sum);
  // Values of the texture where the face covers, 0 elsewhere: value[c][pixel].
  void (*texture)(const FaceTexture<T>&, const T depth[3], const Rect&, bool perspective, const T* coverage, const FragmentBuffers<T>&,
                  T (*value)[kBuffer]);
  // product[i] += grad corner[i], summed over channels by repeated calls.
  void (*corner_products)(const Rect&, int stride, const T* grad, const T corner[3], T (*product)[kBuffer]);
  // The same for all textured channels at once (grads[c], corners[c]), and what changes with the texture's coordinates.
  void (*texture_products)(const FaceTexture<T>&, const T depth[3], const Rect&, int stride, bool perspective, const T* coverage,
                           const FragmentBuffers<T>&, const T* const* grads, const T (*corners)[3], T (*value)[kBuffer],
                           T (*product)[kBuffer], TextureBuffers<T>&);
  // mean: sum over channels of grad times colour. depth_gradient: the loss's other derivative in the fragment's depth, over its weight.
  // Writes the fragments' weights p and corners b for channel_gradient.
  void (*backward)(const void* local_triangle, const T depth[3], const Rect&, int stride, const CoverageParams<T>&,
                   const ColourParams<T>&, const T* coverage, const T* pdf, const T* df_dshape, const T (*product)[kBuffer],
                   const T* depth_gradient, SoftmaxPlanes<T>, const T* mean, FragmentBuffers<T>&, T* p, ColourGradient<T>&);
  void (*channel_gradient)(const Rect&, int stride, const FragmentBuffers<T>&, const T* p, const T* grad, const T* factor, T corner[3]);
  void (*texture_gradient)(const Rect&, const FragmentBuffers<T>&, const T* p, const TextureBuffers<T>&, TextureGradient<T>&);
};

template <class T>
struct VisibilityKernels {
  // Draws one face (its FacePlanes) into a tile: where it covers a pixel, is nearer than `nearness`, and its depth is more than `behind`
  // (null: no such bound).
  void (*cover)(const void* planes, const Rect&, int stride, bool perspective, int64_t face, const T* behind, double* nearness,
                int64_t* id);
};

template <class T>
struct KernelTable {
  GeometryKernels<T> geometry;
  ColourKernels<T> colour;
  VisibilityKernels<T> visibility;
  SortKernels<T> sort;
  LogicKernels<T> logic;
  const DistributionKernels<T>* distributions;
  const TConormKernels<T>* t_conorms;
};

struct Level {
  const char* name;
  int distribution_count, t_conorm_count;
  KernelTable<float> f32;
  KernelTable<double> f64;
  BitKernels bits;
};

template <class T>
const KernelTable<T>& table(const Level& level);
template <>
inline const KernelTable<float>& table<float>(const Level& level) { return level.f32; }
template <>
inline const KernelTable<double>& table<double>(const Level& level) { return level.f64; }

// The best level this processor runs, or the named one ("base", "v3", "v4"); throws std::invalid_argument if it has not that one.
const Level& simd_level(const char* name);

template <class T>
const DistributionKernels<T>& find_distribution(const Level& level, const char* name);
template <class T>
const TConormKernels<T>& find_t_conorm(const Level& level, const char* name);
template <class T>
const RelaxationKernels<T>& find_relaxation(const Level& level, const char* name);

}  // namespace rndr
