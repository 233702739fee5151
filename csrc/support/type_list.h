// A list of types, and the type of a name in it: how a string such as "logistic" selects a compiled kernel.
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

template <class... Ts, class Body>
inline void for_each_type(TypeList<Ts...>, const Body& body) {
  (body(Ts{}), ...);
}

// Calls body(type{}) for the type called `name`; false if there is none.
template <class... Ts, class Body>
inline bool with_name(TypeList<Ts...>, const char* name, const Body& body) {
  return ((same_name(Ts::name, name) && (body(Ts{}), true)) || ...);
}

// Calls body(type{}) for the type at `index`.
template <class... Ts, class Body>
RNDR_HD void at_index(TypeList<Ts...>, int index, const Body& body) {
  int i = 0;
  ((i++ == index ? body(Ts{}) : void()), ...);
}

RNDR_NAMESPACE_END
