"""The Dockerfile's steps, carried out without Docker: what comes of them runs.

Not carried out: pulling the base images (the machine's Python stands for theirs), and `useradd`,
which would be this machine's: that its user can read all and write nothing is seen by the modes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package.dockerfile import Builder, Stage, command, parse
from tests.package.installing import ROOT

UID = 10001  # what deploy/helm runs pods as
BUILD, IMAGE = parse((ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """A folder with what the image has, which others than root may read."""
    root = Path(tempfile.mkdtemp(prefix="batchline-image-"))
    root.chmod(0o755)
    before = os.umask(0o022)
    try:
        build = Builder(root)
        for word, rest in BUILD.steps:
            build.do(word, rest)
        yield root
    finally:
        os.umask(before)
        shutil.rmtree(root)


def run_in(image: Path, *program: str, **environ: str) -> str:
    """Run one of its programs with the image's environment; what it prints."""
    env = {
        name: value.replace("/data", str(image / "data")).replace("/opt", str(image / "opt"))
        for name, value in IMAGE.environ().items()
    }
    env["PATH"] = env["PATH"].replace("$PATH", os.environ["PATH"])
    done = subprocess.run(
        program,
        cwd=image / "srv/batchline",
        env={**env, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.long
@pytest.mark.timeout(500)
def test_what_the_steps_make_runs(image: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    assert "up to date" in run_in(image, "batchline", "migrate", **servers)
    web = ["gunicorn", "--config", "python:app.server.gunicorn", "--check-config"]
    run_in(image, *web, "app.server.wsgi:create_app()", **servers)
    loaded = run_in(
        image,
        "python",
        "-c",
        "import workers.celery as c; print(c.__file__, c.app.main)",
        **servers,
    )
    # In place, where the Procfile is, and not from this clone.
    assert f"{image}/srv/batchline/workers/celery.py batchline" in loaded
    assert (image / "srv/batchline/Procfile").is_file()
    first, *arguments = command(IMAGE.all("CMD")[0])
    assert "--examples" in run_in(image, first, *arguments, "--help")
    # Compiled when it was built: a root that cannot be written to keeps nothing.
    assert list((image / "srv/batchline/app/core/__pycache__").glob("settings.*.pyc"))


@pytest.mark.long
@pytest.mark.timeout(500)
def test_the_image_has_the_lock_s_packages_and_no_others(image: Path) -> None:
    listed = run_in(image, "python", "-m", "pip", "list", "--format=freeze")
    installed = {line.partition("==")[0].lower().replace("_", "-") for line in listed.split()}
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lock if line[:1].isalnum()}
    assert installed - pinned <= {"pip", "batchline"}
    assert "pytest" not in installed
    # Nothing of the tests is in it, nor what somebody keeps beside the code.
    names = {path.name for path in (image / "srv/batchline").iterdir()}
    assert not names & {"tests", ".git", "var", ".venv", "docs", "deploy"}


@pytest.mark.long
@pytest.mark.timeout(500)
def test_the_image_s_user_can_read_everything_and_write_nothing(image: Path) -> None:
    parts = [path for part in ("opt", "srv") for path in (image / part).rglob("*")]
    assert len(parts) > 5000
    wrong = []
    for path in parts:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        # For others: read, and enter; never write.
        if not mode & 0o004 or mode & 0o002 or (path.is_dir() and not mode & 0o001):
            wrong.append(f"{path}: {mode:o}")
    assert wrong == []


@pytest.mark.long
@pytest.mark.timeout(500)
def test_the_shop_s_image_has_its_operations_and_nothing_of_its_author_s(
    image: Path, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "examples" / "shop", tmp_path / "shop")
    # What the chapter before has its reader make there.
    secrets = [tmp_path / "shop" / name for name in ("var/env", "venv/pyvenv.cfg", "shop.pem")]
    for secret in secrets:
        secret.parent.mkdir(exist_ok=True)
        secret.write_text("not for others")
    [stage] = parse((tmp_path / "shop" / "Dockerfile").read_text())
    assert stage.base == "batchline"
    words = [word for word, _ in stage.steps]
    assert words[0] == words[-1] == "USER"
    build = Builder(image, source=tmp_path / "shop")
    layers: set[str] = set()
    try:
        for word, rest in stage.steps[1:-1]:
            build.do(word, rest)
            layers |= {path.name for path in (image / "tmp").rglob("*")}
        assert "stock.py" in layers
        assert not layers & {secret.name for secret in secrets}
        assert not list((image / "tmp").iterdir())
        shown = run_in(image, "batchline", "check", "shop.stock", "shop.prices")
        assert {"shop.movement", "shop.publish_price"} <= set(shown.split())
    finally:
        run_in(image, "python", "-m", "pip", "uninstall", "--quiet", "--yes", "batchline-shop")


def test_the_second_stage_takes_what_the_first_made_and_nothing_else() -> None:
    copied = [line.split() for line in IMAGE.all("COPY")]
    assert [line[0] for line in copied] == [f"--from={BUILD.name}"] * 2
    assert [line[1:] for line in copied] == [["/opt/venv"] * 2, ["/srv/batchline"] * 2]
    assert IMAGE.base == BUILD.base.partition(" ")[0]
    # A link to a Python of another base would lead nowhere.
    assert IMAGE.base.startswith("python:3.13")


def test_the_image_s_user_owns_its_data_and_no_code() -> None:
    [made] = IMAGE.all("RUN")
    assert made.startswith(f"useradd --system --uid {UID} ")
    assert "--shell /usr/sbin/nologin batchline" in made
    assert "install -d -o batchline -g batchline -m 0700 /data" in made
    words = [word for word, _ in IMAGE.steps]
    # What comes before is root's, and nothing is written after.
    assert words.index("USER") > max(words.index("RUN"), words.index("COPY"))
    assert not {"RUN", "COPY", "ADD"} & set(words[words.index("USER") :])
    assert IMAGE.all("VOLUME") == ["/data"] == [IMAGE.environ()["BATCHLINE_HOME"]]


def test_the_image_is_told_what_is_not_there_to_be_told() -> None:
    assert command(IMAGE.all("ENTRYPOINT")[0]) == []
    assert IMAGE.all("STOPSIGNAL") == ["SIGTERM"]
    assert IMAGE.all("EXPOSE") == ["8000 5555"]
    known = {"FROM", "RUN", "COPY", "WORKDIR", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"}
    steps: list[Stage] = [BUILD, IMAGE]
    words = {word for stage in steps for word, _ in stage.steps}
    assert words <= known | {"ENTRYPOINT", "CMD"}, "a step that no test looks at"
