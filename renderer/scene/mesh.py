"""Triangle meshes: one mesh (or a batch of shapes with the same faces), and a pack of different meshes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.scene.appearance import APPEARANCE, checked_appearance, detached_appearance, moved_appearance
from renderer.scene.errors import DataError
from renderer.scene.material import Material
from renderer.scene.topology import Topology

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh; counter-clockwise faces look outward.

    Args:
        vertices: (*batch, V, 3) float positions in world units; batch entries share the faces.
        faces: (F, 3) integer vertex indices, kept as int64 on the device of ``vertices``.
        material: how it looks; a white, matt, smooth surface where there is none.
        uv: (U, 2) or (B, U, 2) texture coordinates, (0, 0) the bottom left corner of the texture, (1, 1) the top right.
        uv_faces: (F, 3) rows of ``uv`` at the corners of the faces, so that a texture can have seams where the surface
            has none; ``faces`` where left out.
        vertex_colours: (V, 3) or (B, V, 3) linear RGB, interpolated; multiplies the material's colour, as do
        face_colours: (F, 3) or (B, F, 3) linear RGB.

    Raises:
        DataError: a wrong shape or dtype, no faces, a non-finite vertex, an index out of range, a texture without uv.

    Positions, normals, areas and volume are differentiable in ``vertices``.

    Example:
        >>> mesh = Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]))
        >>> mesh.face_areas                                      # tensor([0.8660])
    """

    vertices: Float[Tensor, "*batch V 3"]
    faces: Int[Tensor, "F 3"]
    material: Material | None = field(default=None, kw_only=True)
    uv: Float[Tensor, "*batch U 2"] | None = field(default=None, kw_only=True)
    uv_faces: Int[Tensor, "F 3"] | None = field(default=None, kw_only=True)
    vertex_colours: Float[Tensor, "*batch V 3"] | None = field(default=None, kw_only=True)
    face_colours: Float[Tensor, "*batch F 3"] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        vertices, faces = self.vertices, self.faces
        _check_vertices(vertices)
        if (
            not isinstance(faces, Tensor)
            or faces.is_floating_point()
            or faces.is_complex()
            or faces.dtype == torch.bool
        ):
            raise DataError(f"faces: expected an integer Tensor, got {_kind(faces)}")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise DataError(f"faces: expected shape (F, 3), got {tuple(faces.shape)}")
        if faces.shape[0] == 0:
            raise DataError("faces: expected at least one face, got none")
        finite = torch.isfinite(vertices.detach()).all(-1)
        if not bool(finite.all()):
            raise DataError(f"vertices: expected finite numbers, {int((~finite).sum())} of {finite.numel()} are not")
        count, low, high = vertices.shape[-2], int(faces.min()), int(faces.max())
        if low < 0 or high >= count:
            raise DataError(f"faces: expected indices from 0 to {count - 1}, got {low if low < 0 else high}")
        object.__setattr__(self, "faces", faces.to(device=vertices.device, dtype=torch.int64))
        self.__dict__.update(checked_appearance(self.faces, count, **self.appearance))

    @property
    def appearance(self) -> dict[str, Any]:
        """The fields that say how the mesh looks, by name: ``Mesh(vertices, faces, **mesh.appearance)``."""
        return {name: getattr(self, name) for name in APPEARANCE}

    # -- copies ------------------------------------------------------------------------------------------------------

    def with_appearance(self, **changes: Any) -> Mesh:
        """The same shape with another look: any of material, uv, uv_faces, vertex_colours, face_colours.

        Example:
            >>> red = mesh.with_appearance(material=Material((1.0, 0.1, 0.1)))
        """
        unknown = sorted(set(changes) - set(APPEARANCE))
        if unknown:
            raise TypeError(f"{unknown[0]}: expected one of {', '.join(APPEARANCE)}")
        fields = checked_appearance(self.faces, self.num_vertices, **{**self.appearance, **changes})
        return self._unchecked(self.vertices, self.topology, fields)

    def with_vertices(self, vertices: Float[Tensor, "*batch V 3"]) -> Mesh:
        """The same faces over other positions; edges and neighbours already computed are shared.

        The values are not checked (only shape and dtype), so an optimisation step never waits for the device.
        """
        _check_vertices(vertices)
        if vertices.shape[-2] != self.num_vertices:
            raise DataError(f"vertices: expected {self.num_vertices} vertices, got {vertices.shape[-2]}")
        if vertices.device != self.faces.device:
            raise DataError(f"vertices: expected device {self.faces.device}, got {vertices.device}")
        return self._unchecked(vertices, self.topology, self.appearance)

    def to(self, *args: Any, **kwargs: Any) -> Mesh:
        """A copy with vertices moved as by ``Tensor.to`` (dtype, device) and faces on the same device."""
        vertices = self.vertices.to(*args, **kwargs)
        if not vertices.is_floating_point():
            raise DataError(f"dtype: expected a floating point dtype, got {vertices.dtype}")
        faces = self.faces.to(vertices.device)
        topology = self.topology if faces is self.faces else Topology(faces, self.num_vertices)
        return self._unchecked(vertices, topology, moved_appearance(self.appearance, *args, **kwargs))

    def detach(self) -> Mesh:
        """The same mesh cut off from the autograd graph."""
        return self._unchecked(self.vertices.detach(), self.topology, detached_appearance(self.appearance))

    @staticmethod
    def _unchecked(vertices: Tensor, topology: Topology, appearance: dict[str, Any]) -> Mesh:
        mesh = object.__new__(Mesh)
        mesh.__dict__.update(vertices=vertices, faces=topology.faces, topology=topology, **appearance)
        return mesh

    # -- connectivity ------------------------------------------------------------------------------------------------

    @cached_property
    def topology(self) -> Topology:
        """Connectivity, shared with every mesh made by :meth:`with_vertices`."""
        return Topology(self.faces, self.num_vertices)

    @property
    def num_vertices(self) -> int:
        """V."""
        return self.vertices.shape[-2]

    @property
    def num_faces(self) -> int:
        """F."""
        return self.faces.shape[0]

    @property
    def edges(self) -> Int[Tensor, "E 2"]:
        """Each edge once, (lower, higher) vertex index, sorted."""
        return self.topology.edges

    @property
    def edge_faces(self) -> Int[Tensor, "E 2"]:
        """The two faces at each edge; -1 where there is no second one. Raises ValueError at an edge with three."""
        return self.topology.edge_faces

    @property
    def is_watertight(self) -> bool:
        """Whether every edge has exactly two faces."""
        return self.topology.is_watertight

    @property
    def is_oriented(self) -> bool:
        """Whether neighbouring faces agree on which side is out."""
        return self.topology.is_oriented

    @property
    def num_components(self) -> int:
        """The number of pieces that no common edge joins."""
        return self.topology.num_components

    @property
    def genus(self) -> int:
        """The number of handles; raises ValueError for a mesh that is not watertight."""
        return self.topology.genus

    # -- geometry ----------------------------------------------------------------------------------------------------

    @property
    def face_vertices(self) -> Float[Tensor, "*batch F 3 3"]:
        """The three corners of each face."""
        return self.vertices[..., self.faces, :]

    @property
    def _face_cross(self) -> Float[Tensor, "*batch F 3"]:
        """Twice the area of each face along its outward normal."""
        a, b, c = self.face_vertices.unbind(-2)
        return torch.linalg.cross(b - a, c - a)

    @property
    def face_areas(self) -> Float[Tensor, "*batch F"]:
        """Area of each face in world units²; the gradient at a zero-area face is 0."""
        return 0.5 * _length(self._face_cross).squeeze(-1)

    @property
    def face_normals(self) -> Float[Tensor, "*batch F 3"]:
        """Outward unit normals; 0 (and no gradient) where the area is 0."""
        return _normalize(self._face_cross)

    @property
    def vertex_normals(self) -> Float[Tensor, "*batch V 3"]:
        """Unit normals at the vertices, faces weighted by area; 0 where no face with an area touches."""
        cross = self._face_cross
        total = torch.zeros_like(self.vertices)
        for corner in range(3):
            total = total.index_add(-2, self.faces[:, corner], cross)
        return _normalize(total)

    @property
    def bounds(self) -> Float[Tensor, "*batch 2 3"]:
        """Lowest and highest corner of the axis-aligned box around the vertices that faces use."""
        used = self.vertices[..., self.topology.used_vertices, :]
        return torch.stack([used.amin(-2), used.amax(-2)], dim=-2)

    @property
    def volume(self) -> Float[Tensor, "*batch"]:
        """Enclosed volume Σ a·(b×c)/6 in world units³, positive when faces look outward.

        Raises:
            ValueError: the mesh is not watertight, so it encloses nothing.
        """
        if not self.is_watertight:
            raise ValueError("volume: expected a watertight mesh, this one has an edge without exactly 2 faces")
        # A closed surface has the same volume about any point; one near by keeps the digits.
        about = self.vertices.detach().mean(-2, keepdim=True)
        a, b, c = (self.vertices - about)[..., self.faces, :].unbind(-2)
        return (a * torch.linalg.cross(b, c)).sum((-2, -1)) / 6

    def _repr_html_(self) -> str | None:
        """What a notebook displays: a view that turns with the mouse; of a batch nothing but its repr."""
        from renderer.viz import MeshView  # as in Scene.render, an arrow to the right: a mesh knows how to be shown

        return MeshView(self)._repr_html_() if self.vertices.ndim == 2 else None

    # -- files -------------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | Path, *, appearance: bool = True, dtype: torch.dtype = torch.float32) -> Mesh:
        """Read OBJ, PLY, STL, OFF or GLB; see :func:`renderer.scene.files.load_mesh`."""
        from renderer.scene.files import load_mesh

        return load_mesh(path, appearance=appearance, dtype=dtype)

    def save(self, path: str | Path) -> None:
        """Write OBJ, PLY, STL, OFF or GLB, by extension; see :func:`renderer.scene.files.save_mesh`."""
        from renderer.scene.files import save_mesh

        save_mesh(self, path)

    @classmethod
    def from_trimesh(cls, mesh: trimesh.Trimesh, *, dtype: torch.dtype = torch.float32) -> Mesh:
        """Take over positions and faces of a ``trimesh.Trimesh``."""
        vertices = torch.tensor(mesh.vertices.tolist() if len(mesh.vertices) == 0 else mesh.vertices, dtype=dtype)
        return cls(vertices.reshape(-1, 3), torch.tensor(mesh.faces, dtype=torch.int64).reshape(-1, 3))

    def to_trimesh(self) -> trimesh.Trimesh:
        """A ``trimesh.Trimesh`` with the same vertices and faces in the same order, in float64.

        Raises:
            ValueError: the mesh has batch dimensions.
        """
        import trimesh

        if self.vertices.ndim != 2:
            raise ValueError(f"vertices: expected one mesh, shape (V, 3), got {tuple(self.vertices.shape)}")
        vertices = self.vertices.detach().cpu().double().numpy()
        return trimesh.Trimesh(vertices, self.faces.cpu().numpy(), process=False)


@dataclass(frozen=True, eq=False)
class MeshBatch:
    """Meshes of different topology packed into one vertex and one face list.

    Args:
        meshes: at least one :class:`Mesh` without batch dimensions, all of one dtype and device.

    Example:
        >>> batch = MeshBatch([cube(), icosphere(2)])
        >>> batch.vertices.shape, batch.face_mesh.bincount()     # (170, 3), tensor([ 12, 320])
    """

    meshes: Sequence[Mesh]

    def __post_init__(self) -> None:
        meshes = tuple(self.meshes)
        if not meshes:
            raise DataError("meshes: expected at least one mesh, got none")
        first = meshes[0].vertices
        for i, mesh in enumerate(meshes):
            if mesh.vertices.ndim != 2:
                raise DataError(f"meshes[{i}]: expected vertices (V, 3), got {tuple(mesh.vertices.shape)}")
            if (mesh.vertices.dtype, mesh.vertices.device) != (first.dtype, first.device):
                expected, came = f"{first.dtype} on {first.device}", f"{mesh.vertices.dtype} on {mesh.vertices.device}"
                raise DataError(f"meshes[{i}]: expected {expected} as meshes[0], got {came}")
        object.__setattr__(self, "meshes", meshes)

    def __len__(self) -> int:
        return len(self.meshes)

    def __getitem__(self, index: int) -> Mesh:
        return self.meshes[index]

    def __iter__(self) -> Iterator[Mesh]:
        return iter(self.meshes)

    @cached_property
    def vertices(self) -> Float[Tensor, "V 3"]:
        """All vertices, mesh after mesh; differentiable in each mesh's own."""
        return torch.cat([mesh.vertices for mesh in self.meshes])

    @cached_property
    def faces(self) -> Int[Tensor, "F 3"]:
        """All faces, with indices into :attr:`vertices`."""
        offsets = [0]
        for mesh in self.meshes:
            offsets.append(offsets[-1] + mesh.num_vertices)
        return torch.cat([mesh.faces + offset for mesh, offset in zip(self.meshes, offsets, strict=False)])

    @cached_property
    def vertex_mesh(self) -> Int[Tensor, " V"]:
        """The mesh that each vertex belongs to."""
        return self._owner([mesh.num_vertices for mesh in self.meshes])

    @cached_property
    def face_mesh(self) -> Int[Tensor, " F"]:
        """The mesh that each face belongs to."""
        return self._owner([mesh.num_faces for mesh in self.meshes])

    def _owner(self, counts: list[int]) -> Int[Tensor, " N"]:
        device = self.meshes[0].vertices.device
        return torch.repeat_interleave(torch.arange(len(counts), device=device), torch.tensor(counts, device=device))

    def with_vertices(self, vertices: Float[Tensor, "V 3"]) -> MeshBatch:
        """The same faces over other packed positions."""
        counts = [mesh.num_vertices for mesh in self.meshes]
        if vertices.shape != (sum(counts), 3):
            raise DataError(f"vertices: expected shape ({sum(counts)}, 3), got {tuple(vertices.shape)}")
        parts = vertices.split(counts)
        return MeshBatch([mesh.with_vertices(part) for mesh, part in zip(self.meshes, parts, strict=True)])

    def to(self, *args: Any, **kwargs: Any) -> MeshBatch:
        """A copy with every mesh moved as by :meth:`Mesh.to`."""
        return MeshBatch([mesh.to(*args, **kwargs) for mesh in self.meshes])


def _check_vertices(vertices: Any) -> None:
    if not isinstance(vertices, Tensor) or not vertices.is_floating_point():
        raise DataError(f"vertices: expected a floating point Tensor, got {_kind(vertices)}")
    if vertices.ndim < 2 or vertices.shape[-1] != 3:
        raise DataError(f"vertices: expected shape (..., V, 3), got {tuple(vertices.shape)}")


def _kind(value: Any) -> str:
    return f"Tensor of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__


def _length(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 1"]:
    """Euclidean length with gradient 0, not NaN, at the zero vector."""
    squared = (vectors * vectors).sum(-1, keepdim=True)
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, 1).sqrt(), 0)


def _normalize(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    length = _length(vectors)
    return torch.where(length > 0, vectors / torch.where(length > 0, length, 1), 0)
