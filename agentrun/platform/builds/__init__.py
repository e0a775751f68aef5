"""From a folder to what an instance runs: a package of its files, and an environment of what it requires."""

from agentrun.platform.builds.environment import Built, Environments
from agentrun.platform.builds.package import Package, pack
from agentrun.platform.builds.packages import Packages

__all__ = ["Built", "Environments", "Package", "Packages", "pack"]
