"""s.yaml: read, checked as a whole before anything is done, and turned into what the platform deploys."""

from agentrun.platform.spec.model import Agent
from agentrun.platform.spec.project import Project, Resource, read
from agentrun.platform.spec.wish import deployment_of, warnings_of

__all__ = ["Agent", "Project", "Resource", "deployment_of", "read", "warnings_of"]
