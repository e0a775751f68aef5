"""What a user of the original's Python client writes for a browser, run where `agentrun` is that client.

`python official_browser.py PYTHON PROGRAM`: Playwright is in another environment, and is told where to connect.
"""

import json
import subprocess
import sys
from pathlib import Path

from agentrun.sandbox.model import TemplateInput

from agentrun.sandbox import Sandbox, TemplateType

NAMES = {TemplateType.BROWSER: "official-browser", TemplateType.AIO: "official-aio"}


def visit(box, python, program):
    url, headers = box.get_cdp_url(record=True, with_headers=True)
    done = subprocess.run([python, program, url, json.dumps(headers)], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"title": "visited"}


def check(kind, python, program):
    template = Sandbox.create_template(TemplateInput(template_name=NAMES[kind], template_type=kind))
    assert template.template_type == kind and template.status == "READY", template
    with Sandbox.create(kind, NAMES[kind]) as box:
        assert box.check_health()["status"] == "ok"
        visit(box, python, program)
        assert "/ws/liveview" in box.get_vnc_url()
        (film,) = box.list_recordings()["recordings"]
        box.download_recording(film["filename"], "film.mkv")
        assert Path("film.mkv").read_bytes().startswith(b"\x1a\x45\xdf\xa3")
        box.delete_recording(film["filename"])
        assert box.list_recordings()["recordings"] == []
        if kind is TemplateType.AIO:
            results = box.context.execute(code="6 * 7")["results"]
            assert "42" in [one["text"] for one in results if one["type"] == "result"], results
    Sandbox.delete_template(NAMES[kind])


for one in NAMES:
    check(one, *sys.argv[1:])
