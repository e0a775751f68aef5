"""Artifacts are kept by Run and name, up to so many bytes."""

from agentrun.run.artifacts import Artifacts


def test_a_name_is_free_or_made_so():
    kept = Artifacts()
    urls = [kept.add("r", name, "image/png", b"x") for name in ("a.png", "a.png", "../odd name", "..")]
    assert [artifact and artifact.url for artifact in urls] == [
        "/runs/r/artifacts/a.png",
        "/runs/r/artifacts/a-2.png",
        "/runs/r/artifacts/odd-name",
        "/runs/r/artifacts/artifact",
    ]
    assert kept.get("r", "a-2.png") is urls[1] and kept.get("other", "a.png") is None


def test_the_oldest_make_room():
    kept = Artifacts(most_bytes=10)
    for number in range(3):
        kept.add(f"r{number}", "a", "text/plain", bytes(5))
    assert [kept.get(f"r{number}", "a") is not None for number in range(3)] == [False, True, True]
    assert kept.add("r", "too-large", "text/plain", bytes(11)) is None
