"""s.yaml: real files parse, every option arrives, and each mistake names file, line and fix."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.errors import ConfigError
from agentrun.platform.spec import Project, deployment_of, read, warnings_of
from agentrun.resources import EndpointWish, HealthCheck, Limits, Scale, Sessions
from agentrun.utils.yaml import Document

FILES = sorted((Path(__file__).parent / "s_yaml").glob("*.yaml"))
TEMPLATES = sorted((Path(__file__).parents[3] / "templates").glob("*/s.yaml"))
ENVIRONMENT = {"VPC_ID": "vpc-1", "VSWITCH_ID": "vsw-1", "SECURITY_GROUP_ID": "sg-1", "TOKEN": "t0p"}
HEAD = "resources:\n  r:\n    component: agentrun\n    props:\n      agent:\n"
AGENT = "name: a\ncode: {src: ./code, language: python3.12, command: [python3, app.py]}\n"


def project(folder: Path, text: str) -> Project:
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return read(folder / "s.yaml", ENVIRONMENT.get)


def agent(folder: Path, text: str):
    (resource,) = project(folder, HEAD + indent(dedent(text), "        ")).resources
    return resource


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_guide_s_files_parse(file: Path):
    for resource in read(file, {}.get).resources:
        assert resource.agent.code or resource.agent.custom_container_config


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.parent.name)
def test_every_template_can_be_deployed(file: Path):
    (resource,) = read(file, {}.get).resources
    assert deployment_of(resource).endpoints == (EndpointWish("production", None, description=""),)


@pytest.mark.parametrize(("written", "number"), [("LATEST", None), ("3", 3), ('"3"', 3), ("v3", 3)])
def test_a_version_is_written_in_several_ways(tmp_path: Path, written: str, number: int | None):
    (endpoint,) = agent(tmp_path, AGENT + f"endpoints: [{{name: e, version: {written}}}]").agent.endpoints
    assert endpoint.version == number


@pytest.mark.parametrize("written", ["0", "-1", "newest", "1.5"])
def test_what_is_no_version_is_refused(tmp_path: Path, written: str):
    with pytest.raises(ConfigError, match=r"s.yaml:8: endpoints.0.version"):
        agent(tmp_path, AGENT + f"endpoints: [{{name: e, version: {written}}}]")


def test_a_whole_file_arrives_with_its_variables():
    found = read(FILES[[file.stem for file in FILES].index("prod")], ENVIRONMENT.get)
    (resource,) = found.resources
    wanted = deployment_of(resource)
    assert (found.name, found.access, resource.region) == ("prod-agentrun-app", "production", "cn-hangzhou")
    assert (wanted.runtime, wanted.definition.limits) == ("agent-prod", Limits(2.0, 4096))
    assert wanted.definition.scale == Scale(concurrency=50)
    assert wanted.definition.variables == {"ENVIRONMENT": "prod", "LOG_LEVEL": "info"}
    assert [line.partition(": ")[2].split()[0] for line in warnings_of(resource)] == [
        "role",
        "vpcConfig",
        "logConfig",
    ]


def test_endpoints_and_their_versions():
    (resource,) = read(FILES[[file.stem for file in FILES].index("endpoints")], {}.get).resources
    assert deployment_of(resource).endpoints == (
        EndpointWish("production", 1, description="stable"),
        EndpointWish("canary", 2, 0.2, description="canary"),
    )


def test_what_is_ours_arrives(tmp_path: Path):
    more = """
        botId: ibot-shop-demo
        scale: {min: 1, max: 3, idle: 5m, keep: 10s, targets: {cpu: 0.5}, queue: 7, queueTimeout: 2}
        secrets: [API_KEY]
        disableSessionAffinity: true
        healthCheckConfiguration: {httpGetUrl: /ok, periodSeconds: 5}
        environmentVariables: {DEBUG: true, N: 3, TOKEN: "${env(TOKEN)}", OTHER: "${env(UNSET, x)}"}
    """
    wanted = deployment_of(agent(tmp_path, AGENT + dedent(more)))
    definition = wanted.definition
    assert definition.scale == Scale(min=1, max=3, idle_s=300, keep_s=10, cpu_target=0.5, queue=7, queue_s=2)
    assert definition.sessions == Sessions(affinity=False)
    assert definition.health == HealthCheck("/ok", period_s=5)
    assert definition.variables == {"DEBUG": "true", "N": "3", "TOKEN": "t0p", "OTHER": "x"}
    assert definition.masked == ("OTHER", "TOKEN")
    assert (definition.bot_id, wanted.secrets) == ("ibot-shop-demo", ("API_KEY",))


def test_several_agents_in_one_file(tmp_path: Path):
    part = indent(dedent(AGENT), "        ")
    text = (
        HEAD
        + part
        + "\n  s:\n    component: agentrun\n    props:\n      agent:\n"
        + part.replace(": a", ": b")
    )
    assert [resource.agent.name for resource in project(tmp_path, text).resources] == ["a", "b"]
    with pytest.raises(ConfigError, match='"a" is the name of r as well'):
        project(tmp_path, text.replace(": b", ": a"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "s.yaml:1: there are no resources. Put each agent under"),
        ("resource: {}", "s.yaml:1: there is no resource at the top of the file. Did you mean resources?"),
        ("a: [", "s.yaml:1: "),
        ("resources:\n  r: {component: fc3}", "s.yaml:2: the component of r is fc3. Here it has to be"),
        (
            "resources:\n  r:\n    component: agentrun\n    props:\n      region: x\n",
            "s.yaml:4: agent configuration is required. Put agent: under props:",
        ),
        (HEAD + "        []", "s.yaml:4: agent configuration is required"),
    ],
)
def test_a_mistake_in_the_file_s_frame(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigError) as error:
        project(tmp_path, text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a", "s.yaml:5: nothing says what runs. Give either code:"),
        (AGENT + "customContainerConfig: {command: [x]}", "s.yaml:5: two things say what runs"),
        (AGENT.replace("name: a", "name: 1a"), "s.yaml:6: name is '1a': "),
        (AGENT.replace("src: ./code, ", ""), "s.yaml:7: code needs src, or ossBucketName"),
        (AGENT.replace("language: python3.12, ", ""), "s.yaml:7: code.language is required. Add language:"),
        (AGENT + "memroy: 1", "s.yaml:8: there is no memroy. Did you mean memory?"),
        (AGENT + "scale:\n  mox: 1", "s.yaml:9: there is no scale.mox. Did you mean max?"),
        (
            AGENT + "endpoints:\n  - name: e\n    wight: 1",
            "s.yaml:10: there is no endpoints.0.wight. Did you",
        ),
        (AGENT + "cpu: 99", "s.yaml:8: cpu is 99: input should be less than or equal to 16."),
        (AGENT + "scale: {min: 9}", "s.yaml:8: scale is {'min': 9}: min is 9 and max is 5; min may not be"),
        (AGENT + "botId: ibot-My-x", "s.yaml:8: botId is 'ibot-My-x'"),
        (AGENT + "description: ${vars.x}", "s.yaml:8 refers to ${vars.x}, which is not there. Add x: under"),
        (
            AGENT + "description: ${env(NO_SUCH)}",
            "s.yaml:8 refers to ${env(NO_SUCH)}, which is not set. Run:",
        ),
        (AGENT + "description: ${what}", "s.yaml:8: ${what} means nothing. There are ${vars.name}"),
        (AGENT + "endpoints: [{name: e, weight: 1.5}]", "s.yaml:8: endpoints.0.weight is 1.5: "),
    ],
)
def test_a_mistake_in_an_agent(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigError) as error:
        agent(tmp_path, text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            AGENT.replace("src: ./code", "ossBucketName: b, ossObjectName: o"),
            "s.yaml:7: code in a bucket of a cloud cannot be had here. Download it",
        ),
        (
            "name: a\ncustomContainerConfig: {image: x/y:1, command: [x]}",
            "s.yaml:7: images need a container engine",
        ),
        ("name: a\ncustomContainerConfig: {port: 1}", "s.yaml:7: command is required. Add command:"),
        (AGENT + "environmentVariables: {PORT: 1}", "s.yaml:8: the platform sets PORT itself. Set port:"),
        (AGENT + "environmentVariables: {a-b: 1}", "s.yaml:8: 'a-b' is no name of a variable"),
        (AGENT + "secrets: [X]\nenvironmentVariables: {X: 1}", "s.yaml:9: X is a secret as well"),
        (AGENT + "endpoints: [{name: e}, {name: e}]", "s.yaml:8: endpoint e is there twice"),
        (
            AGENT + "endpoints: [{name: e, weight: 0.7}, {name: f, weight: 0.7}]",
            "s.yaml:8: The weights of the endpoints add up to 1.4: 0.7 (e) + 0.7 (f)",
        ),
        (AGENT + "endpoints: [{name: e, weight: 0.7}]", "s.yaml:8: Nobody is left for the rest"),
    ],
)
def test_what_cannot_be_deployed_here_says_why_before_anything_is_done(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigError) as error:
        deployment_of(agent(tmp_path, text))
    assert said in str(error.value)


def test_variables_may_read_the_environment_and_each_other_but_not_themselves(tmp_path: Path):
    head = "vars: {a: '${vars.b}-${env(TOKEN)}', b: x, n: {c: 7}, r: '${vars.r}'}\n"
    text = head + HEAD + indent(AGENT, "        ")
    more = "        description: ${vars.a}\n        port: ${vars.n.c}\n"
    (resource,) = project(tmp_path, text + more).resources
    assert (resource.agent.description, resource.agent.port) == ("x-t0p", 7)
    with pytest.raises(ConfigError, match=r"s.yaml:1: vars.r refers to itself"):
        project(tmp_path, text + "        description: ${vars.r}\n")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["name", "code", "endpoints", "scale", "x"]), inner)
        ),
    )
)
def test_nonsense_is_a_config_error_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, value: object
):
    import yaml

    folder = tmp_path_factory.getbasetemp()
    text = yaml.safe_dump({"resources": {"r": {"component": "agentrun", "props": {"agent": value}}}})
    try:
        project(folder, text)
    except ConfigError as error:
        assert "s.yaml:" in str(error)


def test_the_lines_are_those_of_the_file():
    assert Document("a:\n  b: 1").line(("a", "b")) == 2
