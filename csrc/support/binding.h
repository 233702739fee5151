// What binding files share: tensors come from Python as addresses, and their precision as a flag.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <cstdint>

namespace rndr {

using Address = std::uintptr_t;

template <class T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

// Calls body(double{}) or body(float{}).
template <class Body>
auto by_dtype(bool is_double, const Body& body) {
  return is_double ? body(double{}) : body(float{});
}

}  // namespace rndr
