"""s.yaml.example holds every option with its default, and the published schema takes what the platform takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from agentrun.platform.spec import Agent, deployment_of, read, warnings_of
from agentrun.platform.spec.project import TOP
from agentrun.platform.spec.schema import schema

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "s.yaml.example"
PUBLISHED = json.loads((ROOT / "docs" / "s-yaml.schema.json").read_text("utf-8"))
ENVIRONMENT = {"MODEL_API_KEY": "k"}
# what stands in the example live and is no default
MADE_UP = {"name", "description", "code", "environmentVariables", "endpoints"}


def aliases(model: type[BaseModel]) -> set[str]:
    """Every key that may stand in a part of s.yaml or inside of it."""
    found: set[str] = set()
    for field in model.model_fields.values():
        found.add(str(field.alias))
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= aliases(inner)
    return found


def test_every_option_is_in_the_example():
    text = EXAMPLE.read_text("utf-8")
    missing = {name for name in aliases(Agent) | set(TOP) if not re.search(rf"\b{name}:", text)}
    assert missing == set()


def test_what_stands_there_live_is_the_default():
    (resource,) = read(EXAMPLE, ENVIRONMENT.get).resources
    found = resource.agent.model_dump(by_alias=True, exclude=MADE_UP)
    bare = Agent.model_validate({"name": "my-agent"}).model_dump(by_alias=True)
    different = {key for key, value in found.items() if bare[key] != value and key not in MADE_UP}
    assert different == {"internetAccess", "protocolConfiguration", "logConfig"}, (
        "clouds' words, with no effect"
    )
    assert deployment_of(resource).runtime == "my-agent"
    assert warnings_of(resource) == []


def test_the_published_schema_is_that_of_the_code():
    assert json.loads(json.dumps(schema())) == PUBLISHED, "run scripts/s-yaml-schema"


def test_the_schema_is_one():
    Draft202012Validator.check_schema(PUBLISHED)


@pytest.mark.parametrize(
    "file",
    [EXAMPLE, *ROOT.glob("templates/*/s.yaml"), *(Path(__file__).parent / "s_yaml").glob("*.yaml")],
    ids=lambda file: f"{file.parent.name}-{file.stem}",
)
def test_the_schema_takes_real_files(file: Path):
    text = file.read_text("utf-8").replace("[${env(VSWITCH_ID)}]", "['${env(VSWITCH_ID)}']")
    errors = [error.message for error in Draft202012Validator(PUBLISHED).iter_errors(yaml.safe_load(text))]
    assert errors == []


@pytest.mark.parametrize(
    "agent",
    [
        {"code": {"language": "python3.12"}},
        {"name": "a", "memroy": 1},
        {"name": "a", "cpu": 99},
        {"name": "a", "code": {"language": "cobol"}},
        {"name": "a", "endpoints": [{"name": "e", "weight": 2}]},
        {"name": "a", "scale": {"max": "many"}},
    ],
)
def test_the_schema_refuses_what_the_platform_refuses(agent: dict[str, Any]):
    document = {"resources": {"r": {"component": "agentrun", "props": {"agent": agent}}}}
    assert not Draft202012Validator(PUBLISHED).is_valid(document)
