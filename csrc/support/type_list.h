// A list of types, and the index of a name in it: how a string such as "logistic" selects a compiled kernel.
#pragma once
#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

template <class... Ts>
struct TypeList {
  static constexpr int size = sizeof...(Ts);
};

RNDR_HD bool same_name(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

// Position of the type called `name`, or -1.
template <class... Ts>
inline int find_name(TypeList<Ts...>, const char* name) {
  int index = 0, found = -1;
  ((same_name(Ts::name, name) ? (void)(found = index++) : (void)index++), ...);
  return found;
}

RNDR_NAMESPACE_END
