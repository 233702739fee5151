"""One file for each inverse problem: from observations to a shape, a pose, a texture."""

from renderer.tasks.find_camera import FoundCamera, find_camera
from renderer.tasks.pose import PoseEstimate, estimate_pose
from renderer.tasks.pose_settings import PoseSettings
from renderer.tasks.reconstruct import Reconstruction, reconstruct
from renderer.tasks.settings import Settings
from renderer.tasks.texture import TexturedMesh, TextureSettings, fit_texture
from renderer.tasks.visual_hull import visual_hull

__all__ = [
    "FoundCamera",
    "PoseEstimate",
    "PoseSettings",
    "Reconstruction",
    "Settings",
    "TextureSettings",
    "TexturedMesh",
    "estimate_pose",
    "find_camera",
    "fit_texture",
    "reconstruct",
    "visual_hull",
]
