"""jssl report: the page as a file, and as a browser shows it."""

import collections
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from runs import write_recipe

from jssl.cli import main
from jssl.report.page import charts
from jssl.report.page.facts import read_facts


def copied(workdir, place):
    """The run with what jssl evaluate and jssl diagnose leave, and another seed."""
    shutil.copytree(workdir, place)
    results = {"encoder": {"knn": 0.91, "linear": 0.95}, "random": {"knn": 0.33}}
    evaluation = {"results": results, "step": 8, "which": "student", "data": "synthetic"}
    (place / "evaluation.json").write_text(json.dumps(evaluation))
    diagnosis = {
        "verdict": "dimensional collapse",
        "evidence": ["4 of 16 <directions>"],
        "spectrum": {"image": [4, 1, 0]},
    }
    (place / "diagnosis.json").write_text(json.dumps(diagnosis))
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"seed": 7}))
    return place


def test_page_of_two_runs_without_pictures(workdir, tmp_path, capsys):
    other, out = copied(workdir, tmp_path / "other"), tmp_path / "page.html"
    assert main(["report", str(workdir), str(other), "--out", str(out), "--no-pictures"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    page = out.read_text()
    assert "other: dimensional collapse" in page and "4 of 16 &lt;directions&gt;" in page
    assert f"jssl diagnose --workdir {workdir}" in page  # of the one that has no diagnosis
    assert re.search(r'<td data-value="0.91">0.91</td>', page) and "variance of the features of image" in page
    assert re.search(r'<td>seed</td><td class="text">0</td><td class="text">7</td>', page)
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # no network
    assert "#010203" not in page and "currentColor" in page  # drawn in the page's colours


def test_the_recipe_of_the_page_makes_the_same_config(workdir, tmp_path):
    out = tmp_path / "page.html"
    assert main(["report", str(workdir), "--out", str(out), "--no-pictures"]) == 0
    recipe = re.search(r"<pre>(from ml_collections.*?)</pre>", out.read_text(), re.S)[1]
    recipe = (
        recipe.replace("&#39;", "'")
        .replace("&#34;", '"')
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
    )
    space: dict = {}
    exec(recipe, space)
    assert space["get_config"]().to_dict() == read_facts("w", workdir).config


@pytest.mark.parametrize(("workdir_of", "told"), [("nothing", "no run in"), ("damaged", "config.json is damaged")])
def test_what_is_no_run_is_one_line(workdir, tmp_path, capsys, workdir_of, told):
    place = tmp_path / workdir_of
    if workdir_of == "damaged":
        shutil.copytree(workdir, place)
        (place / "config.json").write_text('{"seed": 0, "met')
    assert main(["report", str(place), "--out", str(tmp_path / "page.html")]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


@pytest.mark.slow
def test_points_of_many_classes_differ_in_colour_or_shape():
    labels = np.arange(40) % 10
    svg = charts.points(np.random.default_rng(0).normal(size=(40, 2)), labels, list("abcdefghij"), title="t")
    drawn = collections.Counter(re.findall(r'<use xlink:href="(#\w+)"[^>]*style="fill: (#\w+)', svg))
    assert sorted(drawn.values())[-10:] == [4] * 10 and svg.startswith('<svg role="img" aria-label="t"')


def test_a_place_that_cannot_be_written_is_told_first_and_nothing_is_left(workdir, tmp_path, capsys):
    assert main(["report", "no run", "--out", str(tmp_path / "no" / "page.html")]) == 2
    assert capsys.readouterr().err.endswith(
        "page.html cannot be written: No such file or directory; use another --out\n"
    )
    assert main(["report", "no run", "--out", str(tmp_path / "page.html")]) == 2
    assert not list(tmp_path.iterdir())


SCRIPT = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const table = document.querySelector("table.sortable"), first = () => [...table.tBodies[0].rows].map((r) => r.cells[0].innerText);
  const found = { errors: window.errors, width: innerWidth, overflow: document.documentElement.scrollWidth - innerWidth };
  found.pictures = [...document.images].map((i) => [i.naturalWidth, i.alt.length]);
  found.drawings = [...document.querySelectorAll("svg")].map((s) => s.getAttribute("aria-label").length);
  found.before = first();
  table.querySelector("th button").click();
  found.down = first();
  table.querySelector("th button").click();
  found.up = first();
  parent.postMessage(JSON.stringify(found), "*");
}, 200));
</script>
"""


FRAME = """
<!doctype html><pre id="result"></pre>
<script>addEventListener("message", (event) => { document.getElementById("result").textContent = event.data; });</script>
<iframe src="page.html" style="border: 0; width: WIDTHpx; height: 2000px"></iframe>
"""  # a window of its own is never narrower than 500 pixels


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_shows_it(workdir, tmp_path, width):
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip(
            "only a browser lays a page out and runs its script, and there is no Chromium here: apt install chromium"
        )
    vit, page = tmp_path / "mae", tmp_path / "page.html"
    recipe = write_recipe(tmp_path, "mae", 4)
    assert main(["pretrain", "--config", recipe, "--workdir", str(vit), "--no-progress"]) == 0
    assert main(["report", str(workdir), str(vit), "--out", str(page)]) == 0
    assert "None: its checkpoint or its data could not be read" in page.read_text()  # of the one whose data is gone
    early = (
        '<script>window.errors = []; window.addEventListener("error", (e) => errors.push(e.message), true);</script>'
    )
    text = page.read_text().replace("<head>", "<head>" + early).replace("</body>", SCRIPT + "</body>")
    page.write_text(text)
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)))
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
    ]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1600,2200", "--virtual-time-budget=5000"]
    shown = subprocess.run([*command, "--dump-dom", frame.as_uri()], capture_output=True, text=True, timeout=120).stdout
    found = json.loads(re.search(r'<pre id="result">(.*?)</pre>', shown, re.S)[1])
    assert found["errors"] == [] and found["width"] == width and found["overflow"] <= 0
    # Of the one whose data is there: neighbours, patches, attention and reconstruction.
    assert len(found["pictures"]) == 4 and all(size > 0 and alt > 20 for size, alt in found["pictures"])
    assert len(found["drawings"]) >= 4 and all(found["drawings"])
    assert found["down"] == sorted(found["before"], reverse=True) and found["up"] == sorted(found["before"])
