"""What a checked s.yaml asks the platform for, and what it says that has no effect here."""

from __future__ import annotations

import re

from agentrun.errors import ConfigError
from agentrun.platform import traffic
from agentrun.platform.spec.model import CLOUD_ONLY, SHORT_NAME, VARIABLE, Agent
from agentrun.platform.spec.project import Resource
from agentrun.resources import (
    Definition,
    Deployment,
    Endpoint,
    EndpointWish,
    HealthCheck,
    Limits,
    Scale,
    Sessions,
)

# what the platform itself tells a program
RESERVED = ("PORT",)


def deployment_of(resource: Resource) -> Deployment:
    """The deployment without its code, which a build fills in. A ConfigError says what cannot be had here."""
    agent = resource.agent
    _refuse_absent(resource)
    _check_names(resource)
    wishes = tuple(
        EndpointWish(each.name, each.version, each.weight, description=each.description)
        for each in agent.endpoints
    )
    _check_weights(resource, wishes)
    return Deployment(
        runtime=agent.name,
        definition=_definition(agent, resource.masked),
        description=agent.description,
        region=resource.region,
        secrets=tuple(agent.secrets),
        endpoints=wishes,
    )


def warnings_of(resource: Resource) -> list[str]:
    """One line for each thing that is accepted and means nothing here."""
    return [
        f"{resource.where(key)}: {key} is of a cloud and has no effect here."
        for key in CLOUD_ONLY
        if key in resource.written and not (key == "logConfig" and resource.agent.log_config == "auto")
    ]


def _definition(agent: Agent, masked: tuple[str, ...]) -> Definition:
    container, health, scale = (
        agent.custom_container_config,
        agent.health_check_configuration,
        agent.scale,
    )
    return Definition(
        command=tuple(agent.code.command if agent.code else container.command if container else ()),
        language=agent.code.language if agent.code else "custom",
        port=container.port if container and container.port else agent.port,
        limits=Limits(agent.cpu, agent.memory),
        health=HealthCheck(
            path=health.http_get_url,
            initial_delay_s=health.initial_delay_seconds,
            period_s=health.period_seconds,
            timeout_s=health.timeout_seconds,
            failure_threshold=health.failure_threshold,
            success_threshold=health.success_threshold,
            start_timeout_s=health.start_timeout_seconds,
        ),
        scale=Scale(
            min=scale.min,
            max=scale.max,
            concurrency=agent.instance_concurrency,
            idle_s=scale.idle,
            cpu_target=scale.targets.cpu,
            memory_target=scale.targets.memory,
            keep_s=scale.keep,
            queue=scale.queue,
            queue_s=scale.queue_timeout,
        ),
        sessions=Sessions(
            affinity=not agent.disable_session_affinity,
            isolation=agent.enable_session_isolation,
            idle_s=agent.session_idle_timeout_seconds,
        ),
        variables=dict(agent.environment_variables),
        masked=masked,
        bot_id=agent.bot_id,
        internal=agent.internal,
        driver=agent.driver,
    )


def _refuse_absent(resource: Resource) -> None:
    code, container = resource.agent.code, resource.agent.custom_container_config
    if code is not None and code.oss_bucket_name is not None:
        raise ConfigError(
            f"{resource.where('code', 'ossBucketName')}: code in a bucket of a cloud cannot be had here.",
            hint="Download it and give its folder or zip: src: ./code.",
        )
    if container is not None and container.image is not None:
        raise ConfigError(
            f"{resource.where('customContainerConfig', 'image')}: images need a container engine, and this platform runs programs without one.",
            hint="Give code: with src and command, or leave image out to run command as it is.",
        )
    if code is not None and not code.command and code.language == "custom":
        raise ConfigError(
            f"{resource.where('code')}: code.command is required with language: custom.",
            hint="Add command: [...], the program and its arguments.",
        )
    if container is not None and not container.command:
        raise ConfigError(
            f"{resource.where('customContainerConfig')}: command is required.",
            hint="Add command: [...], the program and its arguments.",
        )


def _check_names(resource: Resource) -> None:
    for at, name in enumerate(resource.agent.secrets):
        if not re.match(VARIABLE, name):
            raise ConfigError(f"{resource.where('secrets', at)}: {name!r} is no name of a variable.")
    for name in resource.agent.environment_variables:
        place = resource.where("environmentVariables", name)
        if not re.match(VARIABLE, name):
            raise ConfigError(f"{place}: {name!r} is no name of a variable.")
        if name in RESERVED:
            raise ConfigError(f"{place}: the platform sets {name} itself.", hint="Set port: in its place.")
        if name in resource.agent.secrets:
            raise ConfigError(f"{place}: {name} is a secret as well.", hint="Leave it out of one of them.")
    seen: set[str] = set()
    for at, endpoint in enumerate(resource.agent.endpoints):
        if endpoint.name in seen:
            raise ConfigError(f"{resource.where('endpoints', at)}: endpoint {endpoint.name} is there twice.")
        seen.add(endpoint.name)


def _check_weights(resource: Resource, wishes: tuple[EndpointWish, ...]) -> None:
    endpoints = [
        Endpoint(resource.agent.name, wish.name, "", 0.0, 0.0, wish.version, wish.weight) for wish in wishes
    ]
    problem = traffic.problem(endpoints)
    if problem is not None:
        raise ConfigError(
            f"{resource.where('endpoints')}: {problem}",
            hint="Leave the weight out of one endpoint: it gets the rest.",
        )


def endpoint_name_is_good(name: str) -> bool:
    """Whether an endpoint may have this name."""
    return re.match(SHORT_NAME, name) is not None
