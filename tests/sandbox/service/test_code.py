"""Code over HTTP."""

from __future__ import annotations

import json

import httpx


def run(client: httpx.Client, box: str, code: str, **wish: object) -> dict[str, object]:
    answer = client.post(f"{box}/contexts/execute", json={"code": code, **wish})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_variables_live_on_and_all_that_is_said_is_told(client: httpx.Client, box: str):
    run(client, box, "x = 41")
    told = run(client, box, "import sys\nprint('out')\nprint('err', file=sys.stderr)\nx + 1")
    results = [{name: value for name, value in one.items() if value is not None} for one in told["results"]]  # type: ignore[union-attr]
    assert results == [
        {"type": "stdout", "text": "out\n"},
        {"type": "stderr", "text": "err\n"},
        {"type": "result", "text": "42", "data": {"text/plain": "42"}, "main": True},
        {"type": "endOfExecution", "status": "ok"},
    ]
    assert (told["stdout"], told["stderr"], told["exit_code"], told["result"]) == ("out\n", "err\n", 0, "42")
    assert run(client, box, "x", contextId=told["contextId"])["result"] == "41"


def test_an_error_of_the_code_is_part_of_the_answer(client: httpx.Client, box: str):
    told = run(client, box, "1 / 0")
    error = next(one for one in told["results"] if one["type"] == "error")  # type: ignore[union-attr]
    assert (error["name"], error["value"]) == ("ZeroDivisionError", "division by zero")
    assert "1 / 0" in error["text"] and told["exit_code"] == 1
    slow = run(client, box, "while True: pass", timeout=0.3)
    assert "TimeoutError" in json.dumps(slow["results"])


def test_output_has_a_bound(client: httpx.Client, box: str):
    told = run(client, box, "print('x' * 20_000_000)")
    assert told["truncated"] is True and len(str(told["stdout"])) < 5_000_000


def test_contexts_are_made_copied_and_ended(client: httpx.Client, box: str):
    made = client.post(f"{box}/contexts", json={"language": "python", "cwd": "/home/user"}).json()
    assert made["language"] == "python" and made["cwd"] == "/home/user"
    context = f"{box}/contexts/{made['id']}"
    assert client.get(context).json() == made and made in client.get(f"{box}/contexts").json()
    run(client, box, "x = 1", contextId=made["id"])
    copy = client.post(f"{context}/fork").json()
    assert run(client, box, "x", contextId=copy["id"])["result"] == "1"
    assert client.post(f"{context}/restart").status_code == 204
    assert run(client, box, "x", contextId=made["id"])["exit_code"] == 1
    gone = client.delete(context)
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(context).status_code == 404
    assert client.post(f"{box}/contexts", json={"language": "cobol"}).status_code == 400


def test_bash_is_a_language_too(client: httpx.Client, box: str):
    run(client, box, "y=5", language="bash")
    assert run(client, box, "echo $y", language="bash")["stdout"] == "5\n"


def test_what_is_said_is_streamed_as_it_is_said(client: httpx.Client, box: str):
    code = "print('first')\nimport os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\ndisplay({'a': 1})\n2"
    with client.stream("POST", f"{box}/run", json={"code": code}) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = answer.iter_lines()
        assert json.loads(next(lines)) == {"type": "stdout", "text": "first\n"}
        client.post(f"{box}/files", json={"path": "go", "content": ""})
        rest = [json.loads(line) for line in lines]
    assert [one["type"] for one in rest] == ["result", "result", "end"]
    assert rest[1]["main"] and rest[-1]["execution"]["stdout"] == "first\n"
    assert rest[-1]["execution"]["error"] is None and rest[-1]["contextId"]


def test_what_is_there_at_once_is_one_answer_of_a_length_that_is_told(client: httpx.Client, box: str):
    answer = client.post(f"{box}/run", json={"code": "1 + 1"})
    assert answer.headers["content-length"] == str(len(answer.content))
    assert [json.loads(line)["type"] for line in answer.iter_lines()] == ["result", "end"]


def test_who_hangs_up_stops_the_code(client: httpx.Client, box: str):
    run(client, box, "kept = 1")
    with client.stream("POST", f"{box}/run", json={"code": "print('begun')\nwhile True: pass"}) as answer:
        assert "begun" in next(answer.iter_lines())
    # the next run waits for its turn, which comes as soon as the endless one is stopped
    assert run(client, box, "kept")["result"] == "1"


def test_code_is_interrupted_from_beside(client: httpx.Client, box: str):
    id = client.post(f"{box}/contexts", json={}).json()["id"]
    code = "print('begun')\nwhile True: pass"
    with client.stream("POST", f"{box}/run", json={"code": code, "contextId": id}) as answer:
        lines = answer.iter_lines()
        next(lines)
        client.post(f"{box}/contexts/{id}/interrupt")
        last = [json.loads(line) for line in lines][-1]
    assert last["execution"]["error"]["name"] == "KeyboardInterrupt"
