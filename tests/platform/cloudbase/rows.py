"""CloudBase's feature table, groups A (CloudBase Run) and C (WeChat CloudRun), and what became of each row here.

A row is proved by the tests that are marked with its number, `@row("A32")`, or by tests that stand elsewhere and are named
in ELSEWHERE; or it cannot be had here, and NOT_HERE says why. `test_rows.py` checks that each row is exactly one of these,
and that docs/cloudbase.md says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])

ROWS = {
    "A1": "Function mode, port 3000",
    "A2": "The port is told in PORT",
    "A3": "Any language",
    "A4": "Function or container, by the files",
    "A5": "HTTP: an object is JSON, nothing is 204",
    "A6": "Server-sent events, with a heartbeat",
    "A7": "WebSocket, and a check before it",
    "A8": "A frame the server sends unasked",
    "A9": "Uploads and forms",
    "A10": "Downloads as they are made",
    "A11": "Several functions by the longest path",
    "A12": "Functions share memory",
    "A13": "Two functions on one path are refused",
    "A14": "Long requests, and others meanwhile",
    "A15": "Background jobs",
    "A16": "An instance may go between two requests",
    "A17": "System packages in an image",
    "A18": "From 0 to MaxNum and back",
    "A19": "MinNum keeps warm",
    "A20": "Mem = 2 x Cpu",
    "A21": "OpenAccessTypes and their aliases",
    "A22": "callContainer: X-WX-SERVICE names the service",
    "A23": "Calls with a token, identity by the gateway",
    "A24": "Sign-in with a code by phone",
    "A25": "A caller's own time limit",
    "A26": "Variables are masked unless asked for",
    "A27": "Start times are told",
    "A28": "A second build uses what the first made",
    "A29": "list: pages and filters",
    "A30": "detail",
    "A31": "templates, offline",
    "A32": "init, inside of the root only",
    "A33": "The rule of names",
    "A34": "download gives the same bytes",
    "A35": "run waits for the port, once",
    "A36": "run that fails says why and leaves nothing",
    "A37": "run: variables and modes",
    "A38": "run of a container is refused",
    "A39": "stop and logs; nothing outlives the session",
    "A40": "What a program's entry may be",
    "A41": "deploy",
    "A42": "deploy merges what is left out",
    "A43": "A bad build changes nothing",
    "A44": "delete needs force",
    "A45": "createAgent: the scaffold runs",
    "A46": "createAgent: the id is checked first",
    "A47": "The 14 routes of a bot",
    "A48": "A bot's frames",
    "A49": "A bot's thoughts and tools",
    "A50": "A bot's failure",
    "A51": "A bot's history, and nobody else's",
    "A52": "Records by pages",
    "A53": "Feedback",
    "A54": "Conversations",
    "A55": "Recommended questions",
    "A56": "Voice",
    "A57": "WeChat's callback",
    "A58": "CloudBase's own client",
    "A59": "The tools by a stock MCP client",
    "A60": "A line of log for each request, without keys",
    "A61": "A saved file is served",
    "A62": "The same project by other means",
    "A63": "One code, several configurations",
    "A64": "Failures name their cause",
    "C1": "The health path decides",
    "C2": "Port 80, and every address",
    "C3": "Dockerfiles and their HEALTHCHECK",
    "C4": "Secrets stay out of code and logs",
    "C5": "Variables are locked at a version",
    "C6": "A release in five steps, in order",
    "C7": "The first version has all traffic",
    "C8": "Testers by their OpenID",
    "C9": "Testers by a URL parameter",
    "C10": "A release by percent",
    "C11": "A user stays at a version",
    "C12": "Finalize",
    "C13": "Roll back at once",
    "C14": "The old version stays for 2 minutes",
    "C15": "A bad version goes back by itself",
    "C16": "Names and labels of versions",
    "C17": "More instances at 60 %",
    "C18": "Metrics by version",
    "C19": "Logs, the last and those to come",
    "C20": "Readiness failures with the last lines",
    "C21": "No request lost in a deploy",
    "C22": "X-WX headers cannot be forged",
    "C23": "Limits of size and time",
    "C24": "A host name for each service",
    "C25": "Databases by internal addresses",
    "C26": "A package of code is uploaded",
    "C27": "A login of the program's own",
    "C28": "A shell in an instance",
    "C29": "Alerts to a webhook",
}

_AIBOT = "tests/wire/test_aibot.py::"
_FLEET = "tests/unit/platform_data/"
ELSEWHERE = {
    "A23": (
        "tests/unit/platform/test_keys.py::test_elsewhere_a_caller_needs_a_key",
        f"{_FLEET}test_heads.py::test_what_only_the_gateway_may_say_does_not_come_from_outside",
    ),
    "A14": (
        f"{_FLEET}test_gateway.py::test_a_request_may_take_longer_than_any_time_that_the_gateway_counts_but_its_silence",
    ),
    "A47": (f"{_AIBOT}test_all_routes_answer",),
    "A48": (f"{_AIBOT}test_cloudbases_own_client_reads_it",),
    "A49": (f"{_AIBOT}test_thoughts_and_tools_come_in_order",),
    "A50": (f"{_AIBOT}test_a_failure_is_a_frame_and_a_record",),
    "A51": (f"{_AIBOT}test_a_conversation_is_heard_by_nobody_else",),
    "A52": (f"{_AIBOT}test_records_come_by_pages",),
    "A53": (f"{_AIBOT}test_feedback_is_found_by_its_filters",),
    "A54": (f"{_AIBOT}test_conversations_are_kept",),
    "A55": (f"{_AIBOT}test_cloudbases_own_client_reads_it",),
    "A56": (f"{_AIBOT}test_cloudbases_own_client_reads_it", f"{_AIBOT}test_wechat_is_answered_at_once"),
    "A57": (f"{_AIBOT}test_wechat_is_answered_at_once",),
    "A58": (f"{_AIBOT}test_cloudbases_own_client_reads_it",),
    "A61": ("tests/e2e/test_dev.py::test_a_save_is_served",),
    "A62": ("tests/e2e/test_templates.py::test_a_project_runs_as_a_plain_program_too",),
    "C11": (
        "tests/unit/platform/test_traffic.py::test_a_session_turns_to_the_new_version_once_and_stays_as_its_share_grows",
    ),
    "C14": ("tests/unit/platform/test_deploy.py::test_an_old_version_stays_warm_and_then_goes",),
    "C15": (
        "tests/unit/platform/test_deploy.py::test_a_gray_release_goes_back_by_itself_when_the_new_version_is_bad",
    ),
    "C19": ("tests/e2e/test_guide.py::test_logs_are_followed_as_they_come",),
    "C21": ("tests/platform/test_hot_update.py::test_changes_under_load_lose_no_request_and_cut_no_stream",),
    "C22": (
        f"{_FLEET}test_heads.py::test_what_only_the_gateway_may_say_does_not_come_from_outside",
        f"{_FLEET}test_heads.py::test_a_trusted_caller_may_name_a_user_but_not_an_address",
    ),
    "C23": (
        f"{_FLEET}test_gateway.py::test_too_large_a_body_is_refused_whether_it_says_so_or_not",
        f"{_FLEET}test_gateway.py::test_an_instance_that_says_nothing_is_504",
    ),
    "C28": (
        "tests/e2e/test_guide.py::test_a_shell_in_an_instance",
        "tests/platform/test_daemon.py::test_exec_is_written_down_and_told_what_is_wrong",
        "tests/platform/test_daemon.py::test_over_the_network_a_key_says_what_one_may_do",
    ),
}

NOT_HERE = {
    "A17": "There is no container engine: a program sees this machine's own packages. A Dockerfile that installs others "
    "is refused with the line that asks for it.",
    "A24": "Signing users in is a service of the cloud beside its runtime. A program brings its own, or a gateway does.",
    "C2": "The gateway reaches instances over loopback and tells each its own port, so a program that listens on "
    "loopback alone is no fault, and two may say port 80.",
    "C25": "Databases are the user's own, not the platform's; what their clients say is in the service's logs.",
    "C27": "A program's own login is the program's.",
    "C29": "There is no alert by webhook. A release that fails goes back by itself, and `agentrun logs --json` is a line of "
    "JSON for whoever watches.",
}


def row(*numbers: str) -> Callable[[Test], Test]:
    """Say that a test proves these."""
    for number in numbers:
        assert number in ROWS, f"there is no row {number}"

    def mark(test: Test) -> Test:
        test.rows = numbers  # type: ignore[attr-defined]
        return test

    return mark
