// Which SIMD level runs: the best one of this processor, unless a name asks for another.
#include <cstring>
#include <stdexcept>
#include <string>

#include "cpu/kernels.h"

namespace rndr {

namespace level_base { const Level& this_level(); }
namespace level_v3 { const Level& this_level(); }
namespace level_v4 { const Level& this_level(); }

const Level& simd_level(const char* name) {
  const bool any = name == nullptr || *name == '\0';
#if defined(RNDR_HAS_LEVEL_V4)
  if ((any || std::strcmp(name, "v4") == 0) && __builtin_cpu_supports("x86-64-v4")) return level_v4::this_level();
#endif
#if defined(RNDR_HAS_LEVEL_V3)
  if ((any || std::strcmp(name, "v3") == 0) && __builtin_cpu_supports("x86-64-v3")) return level_v3::this_level();
#endif
  if (any || std::strcmp(name, "base") == 0) return level_base::this_level();
  throw std::invalid_argument("SIMD level '" + std::string(name) + "': expected 'base', or 'v3' or 'v4' on a processor that has it");
}

template <class T>
const DistributionKernels<T>& find_distribution(const Level& level, const char* name) {
  const auto* kernels = table<T>(level).distributions;
  for (int i = 0; i < level.distribution_count; ++i)
    if (std::strcmp(kernels[i].name, name) == 0) return kernels[i];
  throw std::invalid_argument("distribution: unknown name '" + std::string(name) + "'");
}

template <class T>
const TConormKernels<T>& find_t_conorm(const Level& level, const char* name) {
  const auto* kernels = table<T>(level).t_conorms;
  for (int i = 0; i < level.t_conorm_count; ++i)
    if (std::strcmp(kernels[i].name, name) == 0) return kernels[i];
  throw std::invalid_argument("t_conorm: unknown name '" + std::string(name) + "'");
}

template <class T>
const RelaxationKernels<T>& find_relaxation(const Level& level, const char* name) {
  const SortKernels<T>& sort = table<T>(level).sort;
  for (int i = 0; i < sort.relaxation_count; ++i)
    if (std::strcmp(sort.relaxations[i].name, name) == 0) return sort.relaxations[i];
  throw std::invalid_argument("relaxation: unknown name '" + std::string(name) + "'");
}

template const DistributionKernels<float>& find_distribution<float>(const Level&, const char*);
template const DistributionKernels<double>& find_distribution<double>(const Level&, const char*);
template const TConormKernels<float>& find_t_conorm<float>(const Level&, const char*);
template const TConormKernels<double>& find_t_conorm<double>(const Level&, const char*);
template const RelaxationKernels<float>& find_relaxation<float>(const Level&, const char*);
template const RelaxationKernels<double>& find_relaxation<double>(const Level&, const char*);

}  // namespace rndr
