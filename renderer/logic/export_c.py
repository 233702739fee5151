"""A netlist as one self-contained C99 file.

The gates are tables, and a short interpreter runs them on 64 samples at a time, so that any compiler takes a moment for
a network of any size.
"""

from __future__ import annotations

from collections.abc import Iterable

from renderer.logic.export_names import check_name
from renderer.logic.netlist import Netlist
from renderer.logic.schedule import schedule

_TEMPLATE = """\
/* {name}: {inputs} input bits, {gates} gates, {groups} {what}.
 *
 *   int {name}_counts(const unsigned char *bits, size_t samples, int32_t *counts);
 *     bits: samples x {inputs}, each 0 or 1; counts: samples x {groups}, {meaning}.
 *   int {name}_scores(const unsigned char *bits, size_t samples, float *scores);
 *     scores: samples x {groups}, count / {tau!r} + {beta!r}.
 *
 * Both return 0, or -1 if there is no memory for the {slots} words they need. Any number of samples. C99, reentrant.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define {upper}_INPUTS {inputs}
#define {upper}_OUTPUTS {groups}

/* kind (0: a & b, 1: a & ~b, 2: a ^ b, 3: a | b), first slot of the results, count, first operand */
static const int32_t {name}_runs[][4] = {{{runs}}};
static const int32_t {name}_a[] = {{{a}}};
static const int32_t {name}_b[] = {{{b}}};
/* slots of the outputs, class by class, plain ones and then inverted ones from group_starts on */
static const int32_t {name}_outputs[] = {{{outputs}}};
static const int32_t {name}_group_starts[] = {{{group_starts}}};
/* outputs that are constantly true */
static const int32_t {name}_offsets[] = {{{offsets}}};

static void {name}_block(const unsigned char *bits, int rows, uint64_t *slot, int32_t *counts) {{
  for (int i = 0; i < {inputs}; ++i) {{
    uint64_t word = 0;
    for (int s = 0; s < rows; ++s) word |= (uint64_t)(bits[(size_t)s * {inputs} + i] != 0) << s;
    slot[i] = word;
  }}
  for (int r = 0; r < {run_count}; ++r) {{
    const int32_t *run = {name}_runs[r];
    const int32_t *a = {name}_a + run[3], *b = {name}_b + run[3];
    uint64_t *out = slot + run[1];
    switch (run[0]) {{
      case 0: for (int i = 0; i < run[2]; ++i) out[i] = slot[a[i]] & slot[b[i]]; break;
      case 1: for (int i = 0; i < run[2]; ++i) out[i] = slot[a[i]] & ~slot[b[i]]; break;
      case 2: for (int i = 0; i < run[2]; ++i) out[i] = slot[a[i]] ^ slot[b[i]]; break;
      default: for (int i = 0; i < run[2]; ++i) out[i] = slot[a[i]] | slot[b[i]];
    }}
  }}
  for (int g = 0; g < {groups}; ++g) {{
    const int32_t *start = {name}_group_starts + 2 * g;
    uint64_t plane[32] = {{0}}; /* bit d of every sample's count */
    for (int o = start[0]; o < start[2]; ++o) {{
      uint64_t carry = slot[{name}_outputs[o]];
      if (o >= start[1]) carry = ~carry;
      for (int d = 0; carry; ++d) {{
        const uint64_t both = plane[d] & carry;
        plane[d] ^= carry;
        carry = both;
      }}
    }}
    for (int s = 0; s < rows; ++s) {{
      int32_t count = {name}_offsets[g];
      for (int d = 0; d < 31; ++d) count += (int32_t)(plane[d] >> s & 1) << d;
      counts[(size_t)s * {groups} + g] = count;
    }}
  }}
}}

int {name}_counts(const unsigned char *bits, size_t samples, int32_t *counts) {{
  uint64_t *slot = malloc(sizeof(uint64_t) * {slots});
  if (!slot) return -1;
  for (size_t s = 0; s < samples; s += 64)
    {name}_block(bits + s * {inputs}, samples - s < 64 ? (int)(samples - s) : 64, slot, counts + s * {groups});
  free(slot);
  return 0;
}}

int {name}_scores(const unsigned char *bits, size_t samples, float *scores) {{
  int32_t *counts = malloc(sizeof(int32_t) * {groups} * (samples ? samples : 1));
  const int failed = !counts || {name}_counts(bits, samples, counts);
  if (!failed)
    for (size_t i = 0; i < samples * {groups}; ++i) scores[i] = (float)counts[i] / {tau!r}f + {beta!r}f;
  free(counts);
  return failed ? -1 : 0;
}}
"""


def to_c(netlist: Netlist, name: str) -> str:
    """The file's text; `name` begins its functions."""
    check_name(name)
    s = schedule(netlist)
    rows = ["{" + ", ".join(map(str, run)) + "}" for run in s.runs.tolist()]
    return _TEMPLATE.format(
        name=name,
        upper=name.upper(),
        inputs=netlist.inputs,
        gates=len(netlist.kind),
        groups=netlist.groups or len(netlist.outputs),
        what="classes" if netlist.groups else "output bits",
        meaning="the set outputs of each class" if netlist.groups else "each output bit",
        tau=netlist.tau,
        beta=netlist.beta,
        slots=s.slots,
        run_count=len(rows),
        runs=_lines(rows or ["{0, 0, 0, 0}"]),  # C has no empty arrays
        a=_lines(s.a.tolist() or [0]),
        b=_lines(s.b.tolist() or [0]),
        outputs=_lines(s.outputs.tolist() or [0]),
        group_starts=_lines(s.group_starts.tolist()),
        offsets=_lines(s.offsets.tolist()),
    )


def _lines(values: Iterable[object], width: int = 16) -> str:
    """Comma-separated, some to a line."""
    texts = [str(v) for v in values]
    return ",\n".join(", ".join(texts[i : i + width]) for i in range(0, len(texts), width))
