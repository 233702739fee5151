// Half-edges sorted by their edge, as renderer/ops/edges.py sorts them.
#pragma once
#include <stdint.h>

#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

// order[i] is the half-edge at place i, key[i] its edge, < 0 for those of faces that have none.
struct SortedEdges {
  const int64_t *key, *order;
};

RNDR_NAMESPACE_END
