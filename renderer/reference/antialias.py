"""Blending across silhouette edges, pair by pair of neighbouring pixels.

A pair's crossing is found by walking over the mesh from one pixel centre to the other; the blend itself is plain
PyTorch, so that derivatives are autograd's.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

MAX_STEPS = 256  # faces a walk crosses between two pixel centres before it gives up


class _View:
    """One view's screen geometry as Python numbers, for the walks."""

    def __init__(self, vertices: Tensor, faces: Tensor) -> None:
        self.points = vertices.tolist()
        self.faces = faces.tolist()
        self.owners: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, face in enumerate(self.faces):
            # A face that names a vertex twice has no edges.
            if len(set(face)) == 3 and all(self.points[v][2] > 0 for v in face):
                for k in range(3):
                    a, b = face[k], face[(k + 1) % 3]
                    self.owners[min(a, b), max(a, b)].append(i)

    def surface_end(self, face: int, start: tuple[int, int], step: tuple[int, int]) -> tuple[int, int] | None:
        """The edge at which the surface that pixel `start` shows on `face` ends before the centre of the next pixel.

        A surface ends at an edge without a face on its other side. None if it goes on as far as that centre.
        """
        # Along the line between the centres, and across it, with the walk towards larger `along`.
        axis, sign = (0, step[0]) if step[0] else (1, step[1])
        level, origin = start[1 - axis] + 0.5, start[axis] + 0.5

        def beyond(v: int) -> bool:
            return self.points[v][1 - axis] >= level

        def crossing(a: int, b: int) -> float:
            pa, pb = self.points[a], self.points[b]
            t = (level - pa[1 - axis]) / (pb[1 - axis] - pa[1 - axis])
            return sign * (pa[axis] + t * (pb[axis] - pa[axis]) - origin)

        corners = self.faces[face]
        cut = [(corners[k], corners[(k + 1) % 3]) for k in range(3)]
        cut = [e if not beyond(e[0]) else e[::-1] for e in cut if beyond(e[0]) != beyond(e[1])]
        if not cut:
            return None
        edge = max(cut, key=lambda e: crossing(*e))
        for _ in range(MAX_STEPS):
            if crossing(*edge) >= 1:
                return None
            a, b = edge
            pa, pb = self.points[a], self.points[b]
            for other in self.owners[min(edge), max(edge)]:
                if other == face:
                    continue
                tip = next(v for v in self.faces[other] if v not in edge)
                pt = self.points[tip]
                # Positive where the tip lies further along the walk than the edge does.
                side = sign * (
                    (pt[axis] - pa[axis]) * (pb[1 - axis] - pa[1 - axis])
                    - (pt[1 - axis] - pa[1 - axis]) * (pb[axis] - pa[axis])
                )
                if side >= 0:
                    face, edge = other, ((a, tip) if beyond(tip) else (tip, b))
                    break
            else:
                return edge
        return None


def _crossings(vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor) -> list[tuple[int, ...]]:
    """(from y, from x, to y, to x, a, b): the surface at `from` ends on the edge a b before the centre of `to`."""
    view = _View(vertices, faces)
    ids, depths = face_id.tolist(), depth.tolist()
    height, width = face_id.shape
    found: list[tuple[int, ...]] = []
    for y in range(height):
        for x in range(width):
            for dx, dy in ((1, 0), (0, 1)):
                u, v = x + dx, y + dy
                if u >= width or v >= height or ids[y][x] == ids[v][u]:
                    continue
                here, there = ((x, y), (dx, dy)), ((u, v), (-dx, -dy))
                near_first = [here, there] if depths[y][x] <= depths[v][u] else [there, here]
                for (px, py), step in near_first if ids[y][x] >= 0 and ids[v][u] >= 0 else (here, there):
                    if ids[py][px] < 0:
                        continue
                    edge = view.surface_end(ids[py][px], (px, py), step)
                    if edge is None:
                        continue
                    a, b = edge
                    ex = abs(view.points[b][0] - view.points[a][0])
                    ey = abs(view.points[b][1] - view.points[a][1])
                    # An edge counts in the one direction that crosses it more steeply: in both it would count twice.
                    if (ey >= ex) if dx else (ex > ey):
                        found.append((py, px, py + step[1], px + step[0], a, b))
                    break
    return found


def antialias(image: Tensor, vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor) -> Tensor:
    """(B, H, W, C), (B, V, 3), (F, 3), (B, H, W), (B, H, W) -> (B, H, W, C)."""
    outputs = []
    for colours, points, ids, depths in zip(image, vertices, face_id, depth, strict=True):
        crossings = _crossings(points.detach(), faces, ids, depths)
        if not crossings:
            # Kept on the graph, so that gradients are zeros rather than missing.
            outputs.append(colours + 0.0 * points.sum())
            continue
        y0, x0, y1, x1, ia, ib = torch.tensor(crossings, device=image.device).unbind(1)
        a, b = points[ia, :2], points[ib, :2]
        horizontal = (y0 == y1)[:, None]
        # (along, across) the pair.
        a, b = torch.where(horizontal, a, a.flip(-1)), torch.where(horizontal, b, b.flip(-1))
        level = torch.where(horizontal[:, 0], y0, x0) + 0.5
        origin = torch.where(horizontal[:, 0], x0, y0) + 0.5
        along = a[:, 0] + (level - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
        over = (along - origin) * (x1 + y1 - x0 - y0) - 0.5  # past the border between the two pixels
        target_y, target_x = torch.where(over > 0, y1, y0), torch.where(over > 0, x1, x0)
        change = over[:, None] * (colours[y0, x0] - colours[y1, x1])
        outputs.append(colours.index_put((target_y, target_x), change, accumulate=True))
    return torch.stack(outputs)
