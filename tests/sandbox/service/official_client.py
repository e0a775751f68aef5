"""What a user of the original's Python client writes, run in an environment where `agentrun` is that client.

`python official_client.py sync|async`: each step asserts what it gets.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from agentrun.sandbox.model import ListSandboxesInput, PageableInput, TemplateInput
from agentrun.utils.exception import ClientError, ResourceNotExistError

from agentrun.sandbox import Sandbox, TemplateType

NAME = "official"


def wish(**changes):
    return TemplateInput(
        template_name=NAME,
        template_type=TemplateType.CODE_INTERPRETER,
        memory=512,
        sandbox_idle_timeout_in_seconds=120,
        environment_variables={"COLOUR": "green"},
        **changes,
    )


def check_template(template):
    assert template.template_name == NAME and template.status == "READY", template
    assert template.template_type == TemplateType.CODE_INTERPRETER
    assert (template.memory, template.cpu, template.disk_size) == (512, 2.0, 512), template
    assert template.sandbox_idle_timeout_in_seconds == 120


def said(executed, kind):
    return [one["text"] for one in executed["results"] if one["type"] == kind]


def check_listed(listed, id):
    assert id in [box.sandbox_id for box in listed.sandboxes], listed


def check_files(listed, stat, read):
    assert [entry["name"] for entry in listed["entries"]] == ["moved.txt"], listed
    assert stat["entry"]["size"] == len("text ü".encode()), stat
    assert (read["content"], read["encoding"], read["mode"]) == ("text ü", "utf-8", 0o600), read


def run_sync(folder):
    check_template(Sandbox.create_template(wish()))
    assert NAME in [one.template_name for one in Sandbox.list_templates(PageableInput(page_size=50))]
    assert Sandbox.update_template(NAME, wish(description="other")).description == "other"
    with Sandbox.create(TemplateType.CODE_INTERPRETER, NAME, sandbox_idle_timeout_seconds=300) as box:
        assert box.sandbox_id and box.check_health()["status"] == "ok"
        check_listed(Sandbox.list(ListSandboxesInput(max_results=50)), box.sandbox_id)
        assert said(box.context.execute(code="1 + 1"), "result") == ["2"]
        failed = box.context.execute(code="1 / 0", language="python")
        assert [one["value"] for one in failed["results"] if one["type"] == "error"] == ["division by zero"]
        with box.context.create() as context:
            context.execute(code="import os\nx = 41")
            assert said(context.execute(code="print(os.environ['COLOUR'])\nx + 1"), "stdout") == ["green\n"]
            assert said(context.execute(code="x + 1"), "result") == ["42"]
            assert context.context_id in [one["id"] for one in box.context.list()]
        box.file_system.mkdir("work")
        box.file.write("work/file.txt", "text ü", mode="600")
        box.file_system.move("work/file.txt", "work/moved.txt")
        moved = "work/moved.txt"
        check_files(box.file_system.list("work", depth=1), box.file_system.stat(moved), box.file.read(moved))
        (folder / "up").write_bytes(bytes(range(256)) * 8192)
        assert box.file_system.upload(str(folder / "up"), "work/up")["size"] == 256 * 8192
        box.file_system.download("work/up", str(folder / "down"))
        assert (folder / "down").read_bytes() == (folder / "up").read_bytes()
        box.file_system.remove("work")
        done = box.process.cmd("echo $COLOUR; exit 3", cwd="/home/user")
        assert (done["result"]["exitCode"], done["result"]["stdout"]) == (3, "green\n"), done
        box.process.cmd("setsid sleep 777 >/dev/null 2>&1 &", cwd="/home/user")
        sleeper = next(one for one in box.process.list()["items"] if "sleep 777" in one["command"])
        assert box.process.get(sleeper["processId"])["processId"] == sleeper["processId"]
        assert box.process.kill(sleeper["processId"])["stopped"]
        again = Sandbox.connect(box.sandbox_id)
        assert type(again) is type(box) and again.template_name == NAME
        try:
            box.file.read("nothing")
        except ClientError as error:
            assert error.status_code == 404 and error.error_code == "not_found" and error.request_id, error
        else:
            raise AssertionError("A file that is not there was read.")
        other = Sandbox.create(TemplateType.CODE_INTERPRETER, "python")
        assert Sandbox.stop_by_id(other.sandbox_id).status == "TERMINATED"
        other.delete()
    Sandbox.delete_template(NAME)
    try:
        Sandbox.get_template(NAME)
    except ResourceNotExistError:
        pass
    else:
        raise AssertionError("A template that was deleted is there.")


async def run_async(folder):
    check_template(await Sandbox.create_template_async(wish()))
    listed = await Sandbox.list_templates_async(PageableInput(page_size=50))
    assert NAME in [one.template_name for one in listed]
    made = await Sandbox.create_async(TemplateType.CODE_INTERPRETER, NAME, sandbox_idle_timeout_seconds=300)
    async with made as box:
        check_listed(await Sandbox.list_async(ListSandboxesInput(max_results=50)), box.sandbox_id)
        async with await box.context.create_async() as context:
            await context.execute_async(code="x = 41")
            assert said(await context.execute_async(code="x + 1"), "result") == ["42"]
        await box.file_system.mkdir_async("work")
        await box.file.write_async("work/file.txt", "text ü", mode="600")
        await box.file_system.move_async("work/file.txt", "work/moved.txt")
        moved = "work/moved.txt"
        check_files(
            await box.file_system.list_async("work", depth=1),
            await box.file_system.stat_async(moved),
            await box.file.read_async(moved),
        )
        (folder / "up").write_bytes(bytes(range(256)) * 8192)
        await box.file_system.upload_async(str(folder / "up"), "work/up")
        await box.file_system.download_async("work/up", str(folder / "down"))
        assert (folder / "down").read_bytes() == (folder / "up").read_bytes()
        done = await box.process.cmd_async("echo $COLOUR", cwd="/home/user")
        assert done["result"]["stdout"] == "green\n", done
        await box.process.cmd_async("setsid sleep 777 >/dev/null 2>&1 &", cwd="/home/user")
        commands = [one["command"] for one in (await box.process.list_async())["items"]]
        assert any("sleep 777" in command for command in commands), commands
        again = await Sandbox.connect_async(box.sandbox_id, template_type=TemplateType.CODE_INTERPRETER)
        assert (await again.check_health_async())["status"] == "ok"
        other = await Sandbox.create_async(TemplateType.CODE_INTERPRETER, "python")
        assert (await Sandbox.stop_by_id_async(other.sandbox_id)).status == "TERMINATED"
        await other.delete_async()
    await Sandbox.delete_template_async(NAME)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        if sys.argv[1] == "sync":
            run_sync(Path(name))
        else:
            asyncio.run(run_async(Path(name)))
