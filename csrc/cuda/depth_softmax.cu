#include "cuda/depth_softmax.h"

#include "cuda/block_sum.h"
#include "cuda/distribution.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct SoftmaxScene {
  Screen<T> screen;
  Attributes<T> attributes;
  TextureSet<T> textures;
  const CoveragePlan<T>* plan;
  SoftmaxSettings settings;

  // A gamma that is none has been reported; colours are then of no use, whatever it is.
  __device__ ColourParams<T> colour() const {
    const double gamma = plan->params.p;
    return {T(1 / gamma), T(settings.eps), T(settings.far), T(1 / (settings.far - settings.near)), settings.perspective};
  }
  // Whether all that a face refers to is there.
  __device__ bool usable(int face) const {
    for (int k = 0; k < 3; ++k) {
      const size_t corner = 3 * static_cast<size_t>(face) + k;
      if (attributes.corners[corner] < 0 || attributes.corners[corner] >= attributes.count) return false;
      if (textures.count && (textures.uv_corners[corner] < 0 || textures.uv_corners[corner] >= textures.uv_count)) return false;
    }
    return textures.count == 0 || (textures.face_texture[face] >= -1 && textures.face_texture[face] < textures.count);
  }
  __device__ bool extent(int view, int face, Extent& e) const { return usable(face) && extent_of(screen, view, face, plan->radius, e); }
  __device__ bool range(int view, int face, CellRange& r) const {
    Extent e;
    if (!extent(view, face, e)) return false;
    r = tiles_of(e);
    return true;
  }
  __device__ int64_t row(int view, int face, int k) const {
    return static_cast<int64_t>(view) * attributes.count + attributes.corners[3 * static_cast<size_t>(face) + k];
  }
  __device__ T attribute(int view, int face, int c, int k) const { return attributes.values[row(view, face, k) * attributes.channels + c]; }
  __device__ FaceTexture<T> texture(int view, int face) const {
    const int64_t* layout = layout_of(textures, face);
    return layout ? face_texture(textures, screen.batch, screen.face_count, view, face, layout) : FaceTexture<T>{};
  }
  __device__ void depths(int view, int face, T z[3]) const {
    for (int k = 0; k < 3; ++k) z[k] = screen.corner(view, face, k)[2];
  }
};

namespace {

constexpr int kStage = 64;             // faces in shared memory at a time
constexpr int kChannelsTogether = 4;   // in registers; more channels take more passes
constexpr int kCornerSums = 9 + 3 * kChannelsTogether, kRound = 7;  // sums of a face, and how many meet in shared memory at a time

template <class T>
__global__ void check_kernel(SoftmaxScene<T> scene, Status status) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  const Attributes<T>& a = scene.attributes;
  const TextureSet<T>& t = scene.textures;
  if (i == 0 && !(scene.plan->params.p > T(0) && scene.plan->params.p < infinity_<T>()))
    report_number(status, Error::kGamma, scene.plan->params.p);
  if (i < 3ll * scene.screen.face_count) {
    if (a.corners[i] < 0 || a.corners[i] >= a.count) report(status, Error::kAttribute, i / 3, a.corners[i], a.count);
    if (t.count && (t.uv_corners[i] < 0 || t.uv_corners[i] >= t.uv_count)) report(status, Error::kUvRow, i / 3, t.uv_corners[i], t.uv_count);
    if (t.count && (t.face_texture[i / 3] < -1 || t.face_texture[i / 3] >= t.count))
      report(status, Error::kFaceTexture, i / 3, t.face_texture[i / 3], t.count - 1);
  }
  if (t.count && i < 2ll * scene.screen.batch * t.uv_count && !(abs_(t.uv[i]) <= T(kFarthestUv))) report_number(status, Error::kUv, t.uv[i]);
}

// A face's lookup at a fragment, if it has a texture and usable coordinates.
template <class T>
__device__ bool look_up(const FaceTexture<T>& t, const T z[3], bool perspective, const T b[3], Lookup<T>& l, Footprint<T>& footprint) {
  if (t.channels == 0) return false;
  for (int k = 0; k < 3; ++k)
    if (!(abs_(t.u[k]) <= T(kFarthestUv)) || !(abs_(t.v[k]) <= T(kFarthestUv))) return false;
  const TextureLayout layout{t.height, t.width, t.levels, t.nearest, t.repeat};
  l = fragment_lookup(t, TextureLevels{layout}, z, perspective, b, footprint);
  return true;
}

template <class D, class T>
__device__ T coverage_at(const D& distribution, const LocalTriangle<T>& t, T x, T y, const CoverageParams<T>& c, T& z) {
  bool inside;
  const T d2 = boundary_distance2(t, x, y, inside);
  z = standardise(d2, inside, c.squared, c.inverse_scale);
  return z >= c.lowest ? distribution.cdf(z, distribution_params(c)) : T(0);
}

template <class D, class T>
__global__ void __launch_bounds__(kTileThreads)
    forward_kernel(D distribution, ImageTiles tiles, SoftmaxScene<T> scene, Bins bins, T* colour, T* background, T* nearest, T* sum) {
  __shared__ LocalTriangle<T> staged[kStage];
  __shared__ int face_of[kStage];  // -1 for a face that does not meet the tile
  const TilePixel pixel(tiles);
  const CoverageParams<T> c = scene.plan->params;
  const ColourParams<T> params = scene.colour();
  const CellItems faces = items_of(bins, blockIdx.x, scene.screen.face_count);
  const T x = T(pixel.x - pixel.tile_x) + T(0.5), y = T(pixel.y - pixel.tile_y) + T(0.5);
  const int me = static_cast<int>(threadIdx.x), channels = scene.attributes.channels;
  for (int begin = 0; begin == 0 || begin < channels; begin += kChannelsTogether) {
    // The background opens the softmax, with weight 1. Over all stages in double: 1e5 faces in a tile are thousands of additions.
    T own_nearest = params.background_nearness;
    double own_sum = 1, sums[kChannelsTogether] = {0, 0, 0, 0};
    for (int first = 0; first < faces.count; first += kStage) {
      const int count = min_(kStage, faces.count - first);
      if (me < count) {
        const int face = faces.at(first + me);
        Extent e;
        const bool present = scene.extent(pixel.view, face, e) && tiles_of(e).contains(pixel.tile_x / kTile, pixel.tile_y / kTile);
        face_of[me] = present ? face : -1;
        if (present) {
          double cx[3], cy[3];
          scene.screen.corners(pixel.view, face, cx, cy);
          staged[me] = localize<T>(triangle_lines(cx, cy), pixel.tile_x, pixel.tile_y);
        }
      }
      __syncthreads();
      // Added up by themselves, so that in a crowded tile no small number meets the sum of 1e5 others.
      T nearer = own_nearest, more = T(0), sums_more[kChannelsTogether] = {T(0), T(0), T(0), T(0)};
      for (int i = 0; i < count; ++i) {
        const int face = face_of[i];
        if (face < 0) continue;
        T z;
        const T coverage = coverage_at(distribution, staged[i], x, y, c, z);
        if (!(coverage > T(0))) continue;
        T depth[3];
        scene.depths(pixel.view, face, depth);
        const Closest<T> near = closest_point(staged[i], x, y);
        const Fragment<T> f = make_fragment(near.lambda, depth, params.perspective);
        const SoftmaxStep<T> step =
            softmax_step(coverage, (params.far - f.depth) * params.inverse_range, params.inverse_gamma, nearer, more);
        const FaceTexture<T> texture = scene.texture(pixel.view, face);
        Lookup<T> l;
        Footprint<T> footprint;
        const bool textured = look_up(texture, depth, params.perspective, f.b, l, footprint);
        for (int k = 0; k < kChannelsTogether && begin + k < channels; ++k) {
          const int channel = begin + k;
          T a = T(0);
          for (int corner = 0; corner < 3; ++corner) a += f.b[corner] * scene.attribute(pixel.view, face, channel, corner);
          if (textured && channel < texture.channels) a *= texture_value(texture, l, channel);
          sums_more[k] = sums_more[k] * step.shrink + step.weight * a;
        }
      }
      const double shrink = exp_((own_nearest - nearer) * params.inverse_gamma);
      own_nearest = nearer;
      own_sum = own_sum * shrink + more;
      for (int k = 0; k < kChannelsTogether; ++k) sums[k] = sums[k] * shrink + sums_more[k];
      __syncthreads();
    }
    if (!pixel.in_image) continue;
    for (int k = 0; k < kChannelsTogether && begin + k < channels; ++k) colour[pixel.index * channels + begin + k] = T(sums[k] / own_sum);
    if (begin > 0) continue;
    nearest[pixel.index] = own_nearest;
    sum[pixel.index] = T(own_sum);
    background[pixel.index] = T(exp_((params.background_nearness - own_nearest) * params.inverse_gamma) / own_sum);
  }
}

// Sums over pixels of one face.
template <class T>
struct FaceSums {
  T corner[kCornerSums];  // x y z of each corner, then channels of each corner
  T uv[6], slope[kSlopes];
  T scale, shape, shift, gamma;
};

// One block a tile, its faces shared out among threads, or one block a face: as the backward kernel of the face coverage.
template <class D, class T>
__global__ void __launch_bounds__(kTileThreads)
    backward_kernel(D distribution, ImageTiles tiles, SoftmaxScene<T> scene, Bins bins, SoftmaxImages<T> images, SoftmaxScatters<T> gradients,
                    double* parameter_parts) {
  __shared__ LocalTriangle<T> staged[kStage];
  __shared__ Extent pixels_of[kStage];
  __shared__ T tile_nearest[kTileThreads], tile_sum[kTileThreads], tile_mean[kTileThreads];
  __shared__ T meeting[kTileThreads][kRound];
  const Screen<T>& s = scene.screen;
  const bool ordered = gradients.vertices.ordered();
  const int me = static_cast<int>(threadIdx.x), per_view = tiles.per_view(), parts = per_view + (ordered ? s.face_count : 0);
  const int view = blockIdx.x / parts, part = blockIdx.x % parts, only = part - per_view, channels = scene.attributes.channels;
  const bool by_face = only >= 0;
  const CoverageParams<T> c = scene.plan->params;
  const ColourParams<T> params = scene.colour();

  CellRange range{part % tiles.columns(), part % tiles.columns(), part / tiles.columns(), part / tiles.columns()};
  CellItems faces{nullptr, 0};
  if (by_face) {
    if (!scene.range(view, only, range)) range = {0, -1, 0, -1};
    faces.count = 1;
  } else if (!ordered) {
    faces = items_of(bins, static_cast<long long>(view) * per_view + part, s.face_count);
  }

  FaceSums<T> sums{};
  double own[4] = {0, 0, 0, 0};  // of the parameters
  // Adds what a face has got of a pass; `share` is this thread's part in it.
  const auto flush_corner = [&](int face, int i, int begin, T total) {
    const int k = i < 9 ? i / 3 : (i - 9) / kChannelsTogether, column = i < 9 ? i % 3 : begin + (i - 9) % kChannelsTogether;
    if (i < 9 && begin > 0) return;
    if (i >= 9 && column >= channels) return;
    const Scatter<T>& to = i < 9 ? gradients.vertices : gradients.attributes;
    const int64_t vertex = static_cast<int64_t>(view) * s.vertex_count + s.faces[3 * static_cast<size_t>(face) + k];
    const int64_t row = i < 9 ? vertex : scene.row(view, face, k);
    if (ordered)
      to.put(3 * (static_cast<size_t>(view) * s.face_count + face) + k, row, column, total);
    else
      to.add(row, column, total);
  };

  for (int begin = 0; begin == 0 || begin < channels; begin += kChannelsTogether) {
    const bool main_pass = begin == 0;
    for (int i = 0; i < kCornerSums; ++i) sums.corner[i] = T(0);
    for (int row = range.r0; row <= range.r1; ++row)
      for (int column = range.c0; column <= range.c1; ++column) {
        const int tile_x = column * kTile, tile_y = row * kTile, x = tile_x + me % kTile, y = tile_y + me / kTile;
        const size_t first_pixel = (static_cast<size_t>(view) * s.height + tile_y) * s.width + tile_x;
        const size_t pixel = first_pixel + static_cast<size_t>(me / kTile) * s.width + me % kTile;
        const bool in_image = x < s.width && y < s.height;
        tile_nearest[me] = in_image ? images.nearest[pixel] : params.background_nearness;
        tile_sum[me] = in_image ? images.sum[pixel] : T(1);
        T mean = T(0);
        for (int k = 0; k < channels && in_image; ++k) mean += images.grad_colour[pixel * channels + k] * images.colour[pixel * channels + k];
        if (in_image) mean += images.grad_background[pixel] * images.background[pixel];
        tile_mean[me] = mean;
        if (in_image && main_pass && !by_face) {
          const double above = static_cast<double>(params.background_nearness) - images.nearest[pixel];
          own[3] -= static_cast<double>(images.background[pixel]) * (images.grad_background[pixel] - mean) * above *
                              params.inverse_gamma * params.inverse_gamma;
        }
        __syncthreads();
        for (int first = 0; first < faces.count; first += kStage) {
          const int count = min_(kStage, faces.count - first);
          if (me < count) {
            const int face = by_face ? only : faces.at(first + me);
            Extent e;
            pixels_of[me] = scene.extent(view, face, e) ? within_tile(e, tile_x, tile_y) : Extent{{0, -1}, {0, -1}};
            if (!pixels_of[me].empty()) {
              double cx[3], cy[3];
              s.corners(view, face, cx, cy);
              staged[me] = localize<T>(triangle_lines(cx, cy), tile_x, tile_y);
            }
          }
          __syncthreads();
          const int shares = kTileThreads / count, slot = me % count, share = me / count;
          const Extent e = pixels_of[slot];
          // Pixels beyond the image have none.
          const int right = min_(e.x.last, s.width - 1 - tile_x), bottom = min_(e.y.last, s.height - 1 - tile_y);
          if (share < shares && !e.empty()) {
            const int face = by_face ? only : faces.at(first + slot);
            const int width = right - e.x.first + 1, all = width * (bottom - e.y.first + 1);
            const FaceTexture<T> texture = scene.texture(view, face);
            T depth[3];
            scene.depths(view, face, depth);
            for (int i = share; i < all; i += shares) {
              const int px = e.x.first + i % width, py = e.y.first + i / width, at = py * kTile + px;
              const size_t image_at = first_pixel + static_cast<size_t>(py) * s.width + px;
              const T fx = T(px) + T(0.5), fy = T(py) + T(0.5);
              T z;
              const T coverage = coverage_at(distribution, staged[slot], fx, fy, c, z);
              if (!(coverage > T(0))) continue;
              const T* g = images.grad_colour + image_at * channels;
              const Closest<T> near = closest_point(staged[slot], fx, fy);
              const Fragment<T> f = make_fragment(near.lambda, depth, params.perspective);
              const auto attribute = [&](int k, int corner) { return scene.attribute(view, face, k, corner); };
              Lookup<T> l;
              Footprint<T> footprint;
              const bool textured = look_up(texture, depth, params.perspective, f.b, l, footprint);
              T product[3] = {T(0), T(0), T(0)};
              TexturePair<T> pair{T(0), T(0), T(0), T(0)};
              if (textured) pair = texture_pair(texture, l, footprint, params.perspective, f.b, [&](int k) { return g[k]; }, attribute, product);
              for (int k = textured ? texture.channels : 0; k < channels; ++k)
                for (int corner = 0; corner < 3; ++corner) product[corner] += g[k] * attribute(k, corner);
              const DistributionParams<T> d = distribution_params(c);
              T df = T(0);
              if (distribution.has_shape) df = distribution.dcdf_dshape(z, d);
              const FragmentSums<T> r = fragment_sums(staged[slot], fx, fy, depth, c, params, coverage, distribution.pdf(z, d), df, product[0], product[1],
                                                      product[2], pair.depth, tile_nearest[at], tile_sum[at], tile_mean[at]);
              for (int k = 0; k < kChannelsTogether && begin + k < channels; ++k) {
                const T factor = textured && begin + k < texture.channels ? texture_value(texture, l, begin + k) : T(1);
                for (int corner = 0; corner < 3; ++corner) sums.corner[9 + corner * kChannelsTogether + k] += r.p * g[begin + k] * factor * r.b[corner];
              }
              if (!main_pass) continue;
              const T vertex[9] = {r.x0, r.y0, r.z0, r.x1, r.y1, r.z1, r.x2, r.y2, r.z2};
              for (int k = 0; k < 9; ++k) sums.corner[k] += vertex[k];
              sums.scale += r.scale, sums.shape += r.shape, sums.shift += r.shift * T(distribution.shift_sign), sums.gamma += r.gamma;
              if (!textured) continue;
              for (int k = 0; k < 3; ++k) {
                sums.uv[2 * k] += r.p * r.b[k] * pair.u;
                sums.uv[2 * k + 1] += r.p * r.b[k] * pair.v;
              }
              for (int k = 0; k < kSlopes; ++k) sums.slope[k] += r.p * pair.lod * footprint.dslope[k];
              const int64_t base = static_cast<int64_t>(set_offset(scene.textures, s.batch, view)) + layout_of(scene.textures, face)[0];
              for (int level = 0; level < l.levels; ++level)
                for (int tap = 0; tap < 4; ++tap)
                  for (int k = 0; k < texture.channels; ++k) {
                    const T a = r.b[0] * attribute(k, 0) + r.b[1] * attribute(k, 1) + r.b[2] * attribute(k, 2);
                    gradients.texels.add(base + l.taps[level].texel[tap], k, l.weight(level, tap) * r.p * g[k] * a);
                  }
            }
            if (texture.channels && main_pass) {
              for (int k = 0; k < 6; ++k) {
                const int64_t corner = scene.textures.uv_corners[3 * static_cast<size_t>(face) + k / 2];
                gradients.uv.add(static_cast<int64_t>(view) * scene.textures.uv_count + corner, k % 2, sums.uv[k]);
                sums.uv[k] = T(0);
              }
              for (int k = 0; k < kSlopes; ++k) {
                gradients.slopes.add(static_cast<int64_t>(view) * s.face_count + face, k, sums.slope[k]);
                sums.slope[k] = T(0);
              }
            }
          }
          // Small numbers among themselves first, as in the forward kernel.
          own[0] += sums.scale, own[1] += sums.shape, own[2] += sums.shift, own[3] += sums.gamma;
          sums.scale = sums.shape = sums.shift = sums.gamma = T(0);
          if (!by_face) {
            for (int round = 0; round < kCornerSums; round += kRound) {
              for (int k = 0; k < kRound; ++k) {
                meeting[me][k] = sums.corner[round + k];
                sums.corner[round + k] = T(0);
              }
              __syncthreads();
              if (me < count && !pixels_of[me].empty())
                for (int k = 0; k < kRound; ++k) {
                  T total = T(0);
                  for (int i = 0; i < shares; ++i) total += meeting[me + i * count][k];
                  flush_corner(faces.at(first + me), round + k, begin, total);
                }
              __syncthreads();
            }
          }
          __syncthreads();
        }
        __syncthreads();
      }
    if (by_face) {
      for (int i = 0; i < kCornerSums; ++i) {
        const T total = block_sum<kTileThreads>(sums.corner[i], tile_mean);
        if (me == 0 && valid_face(s, only) && scene.usable(only)) flush_corner(only, i, begin, total);
      }
      __syncthreads();
    }
  }
  __shared__ double totals[kTileThreads];
  for (int k = 0; k < 4; ++k) {
    const double total = block_sum<kTileThreads>(own[k], totals);
    if (me == 0) parameter_parts[4 * static_cast<size_t>(blockIdx.x) + k] = total;
  }
}

static_assert(kCornerSums % kRound == 0, "rounds have no remainder");

// Calls body(distribution) for the one of that name. The usual one is compiled in. A fragment of the others costs a call more, beside a closest
// point, a softmax step and attributes from memory; in return nvcc needs a ninth of the time.
template <class Body>
void with_softmax_distribution(const char* name, const Body& body) {
  const AnyDistribution any = any_distribution(name);
  same_name(name, Logistic::name) ? body(Logistic{}) : body(any);
}

template <class T>
void check_range(const SoftmaxSettings& s) {
  if (!(s.far > s.near)) throw std::invalid_argument("near, far: expected near < far, got " + std::to_string(s.near) + ", " + std::to_string(s.far));
}

}  // namespace

template <class T>
void depth_softmax_forward(const Screen<T>& s, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                           const CoverageSettings& settings, const SoftmaxSettings& softmax, CoveragePlan<T>* plan, const Bins& bins,
                           T* colour, T* background, T* nearest, T* sum, Status status, cudaStream_t stream) {
  check_range<T>(softmax);
  check_screen(s, status, stream);
  const ImageTiles tiles = tiles_of(s);
  const SoftmaxScene<T> scene{s, attributes, textures, plan, softmax};
  const long long corners = 3ll * s.face_count, coordinates = 2ll * s.batch * textures.uv_count;
  form_plan(parameters, settings, plan, status, stream);
  with_softmax_distribution(settings.distribution, [&](auto d) {
    launch(check_kernel<T>, {blocks_for(max_(max_(corners, coordinates), 1ll), 256), 256, 0, stream}, scene, status);
    bin_items(scene, s.batch, s.face_count, tiles.columns(), tiles.rows(), bins, stream);
    launch(forward_kernel<decltype(d), T>, tiles.launch(stream), d, tiles, scene, bins, colour, background, nearest, sum);
  });
}

template <class T>
void depth_softmax_backward(const Screen<T>& s, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                            const CoverageSettings& settings, const SoftmaxSettings& softmax, CoveragePlan<T>* plan, const Bins& bins,
                            const SoftmaxImages<T>& images, const SoftmaxScatters<T>& gradients, double* parameter_parts, Status status,
                            cudaStream_t stream) {
  const ImageTiles tiles = tiles_of(s);
  const SoftmaxScene<T> scene{s, attributes, textures, plan, softmax};
  const unsigned parts = tiles.per_view() + (gradients.vertices.ordered() ? s.face_count : 0);
  form_plan(parameters, settings, plan, status, stream);
  with_softmax_distribution(settings.distribution, [&](auto d) {
    bin_items(scene, s.batch, s.face_count, tiles.columns(), tiles.rows(), bins, stream);
    launch(backward_kernel<decltype(d), T>, {s.batch * parts, kTileThreads, 0, stream}, d, tiles, scene, bins, images, gradients, parameter_parts);
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                               \
  template void depth_softmax_forward<T>(const Screen<T>&, const Attributes<T>&, const TextureSet<T>&, const T*, const CoverageSettings&,  \
                                         const SoftmaxSettings&, CoveragePlan<T>*, const Bins&, T*, T*, T*, T*, Status, cudaStream_t);     \
  template void depth_softmax_backward<T>(const Screen<T>&, const Attributes<T>&, const TextureSet<T>&, const T*, const CoverageSettings&, \
                                          const SoftmaxSettings&, CoveragePlan<T>*, const Bins&, const SoftmaxImages<T>&,                 \
                                          const SoftmaxScatters<T>&, double*, Status, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
