// Sums of what the pixels of a tile send to texels: few of all texels, found by hashing.
#pragma once
#include <cstdint>
#include <vector>

namespace rndr {

template <class T>
class TexelSums {
 public:
  explicit TexelSums(int channels) : channels_(channels) {}

  // sum[texel] += weight * values[c * stride] for all channels.
  void add(int64_t texel, T weight, const T* values, int stride) {
    const size_t at = static_cast<size_t>(slot(texel)) * channels_;  // before data(), which it may move
    T* sum = values_.data() + at;
    for (int c = 0; c < channels_; ++c) sum[c] += weight * values[static_cast<size_t>(c) * stride];
  }
  // In the order in which the texels came, so that sums over tiles do not depend on the threads.
  void add_to(T* texels) const {
    for (size_t i = 0; i < texel_.size(); ++i)
      for (int c = 0; c < channels_; ++c) texels[texel_[i] * channels_ + c] += values_[i * channels_ + c];
  }

 private:
  static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15ull;  // 2^64 / golden ratio: spreads neighbours (Knuth, 6.4)

  int slot(int64_t texel) {
    if (2 * (texel_.size() + 1) > table_.size()) grow();
    const size_t mask = table_.size() - 1;
    size_t at = hash(texel);
    while (table_[at] >= 0 && texel_[table_[at]] != texel) at = (at + 1) & mask;
    if (table_[at] < 0) {
      table_[at] = static_cast<int>(texel_.size());
      texel_.push_back(texel);
      values_.resize(values_.size() + channels_, T(0));
    }
    return table_[at];
  }
  size_t hash(int64_t texel) const { return static_cast<size_t>((static_cast<uint64_t>(texel) * kMultiplier) >> shift_); }
  void grow() {
    --shift_;
    if (table_.empty()) shift_ = 64 - 8;
    table_.assign(size_t{1} << (64 - shift_), -1);
    for (size_t i = 0; i < texel_.size(); ++i) {
      size_t at = hash(texel_[i]);
      while (table_[at] >= 0) at = (at + 1) & (table_.size() - 1);
      table_[at] = static_cast<int>(i);
    }
  }

  int channels_, shift_ = 64;
  std::vector<int> table_;
  std::vector<int64_t> texel_;
  std::vector<T> values_;
};

}  // namespace rndr
