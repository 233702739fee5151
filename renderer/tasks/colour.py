"""What silhouettes cannot see: hollows, from the colours of the pictures."""

from __future__ import annotations

from renderer.scene.colours import srgb_from_linear
from renderer.scene.mesh import Mesh
from renderer.scene.views import Views
from renderer.tasks.optimise import Stage, reduce_images, reduce_views, remesh_to, whole_factor
from renderer.tasks.photo_consistency import Sweep, swept

# First far into the hull, roughly; then from where that led, finely, to both sides.
SWEEPS = (
    Sweep(reduction=2, inwards=0.2, outwards=0.0),
    Sweep(reduction=1, inwards=0.03, outwards=0.03, slope=0.02),
    Sweep(reduction=1, inwards=0.012, outwards=0.012, step=0.5, slope=0.01, doubt=0.0),
)
SWEPT_FACES = 0.9  # of the limit

# Then the silhouettes again, which know the outline better than colours do, on a surface that stays where colours put
# it: the pull towards it replaces nearly all of the smoothness that would close the hollows.
COLOUR_STAGES = (Stage(reduction=1, faces=1.0, steps=100, smoothness=1e-4, stiffness=0.5, step_size=0.3, pull=0.05),)


def surface_by_colour(
    mesh: Mesh, views: Views, *, max_faces: int = 20_000, max_image_size: int = 512, sweeps: tuple[Sweep, ...] = SWEEPS
) -> Mesh:
    """The mesh with the hollows that the colours of `views` show, a little rough: each sweep remeshes and moves it.

    The surface should be matt, with some pattern of its own or of light and shade; where all depths look alike the
    mesh stays as it is. Raises ValueError for views without images.

    >>> mesh = surface_by_colour(reconstruct("scenes/pumice", "run").mesh, load_views("scenes/pumice", images=True))
    """
    if views.images is None:
        raise ValueError("views: expected images beside the masks, got none")
    factor = whole_factor(views.masks, max_image_size)
    masks, camera = reduce_views(views.masks, views.camera, factor)
    pictures = reduce_images(srgb_from_linear(views.images.clamp(0, 1)), factor)
    for sweep in sweeps:
        mesh = remesh_to(mesh, round(SWEPT_FACES * max_faces))
        reduced, seen_by = reduce_views(masks, camera, sweep.reduction)
        mesh = swept(mesh, sweep, reduced, reduce_images(pictures, sweep.reduction), seen_by)
    return mesh
