// Colour by a softmax over depth, of the attributes of all faces that cover a pixel: one pass with a running maximum.
#pragma once
#include "cpu/coverage_plan.h"
#include "cpu/screen.h"

namespace rndr {

// Attributes (B, A, C) of the corners; corner k of face f reads attribute corners[3 f + k].
template <class T>
struct Attributes {
  const T* values;
  const int64_t* corners;
  int count, channels;
};

// Textures that multiply the first `channels` attributes of the faces that have one: face f reads texture face_texture[f], none if -1.
template <class T>
struct TextureSet {
  const T* uv;                  // (B, uv_count, 2); corner k of face f reads row uv_corners[3 f + k]
  const int64_t* uv_corners;
  int uv_count;
  const T* slopes;              // (B, F, 6): see texture_footprint in raster/texture.h; not read for textures of one level
  const T* texels;              // (sets, texel_count, channels); view b reads set b / (B / sets)
  int sets;
  long long texel_count;
  int channels;
  const int64_t* face_texture;  // (F,)
  const int64_t* layouts;       // (count, 6): first texel, height, width, levels, nearest, repeat
  int count;                    // 0: nothing above is read
};

struct SoftmaxSettings {
  double eps, near, far;
  bool perspective;
};

// parameters: scale, shape, shift, gamma. colour: (B, H, W, C), without the background; background: (B, H, W), the background's weight; nearest, sum: (B, H, W).
template <class T>
void depth_softmax_forward(const Screen<T>& screen, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                           const CoverageSettings& coverage, const SoftmaxSettings& softmax, T* colour, T* background, T* nearest, T* sum);

// Gradients of everything, in the shapes of what they belong to; parameters (B, 4).
template <class T>
struct SoftmaxGradients {
  T *vertices, *attributes, *parameters, *uv, *slopes, *texels;
};

template <class T>
void depth_softmax_backward(const Screen<T>& screen, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                            const CoverageSettings& coverage, const SoftmaxSettings& softmax, const T* colour, const T* background,
                            const T* nearest, const T* sum, const T* grad_colour, const T* grad_background,
                            const SoftmaxGradients<T>& gradients);

}  // namespace rndr
