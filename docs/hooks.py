"""What the docs site shows that is not written by hand: README as first page, recipes, methods and the API by their names."""

import importlib
import inspect
import pathlib
import re
import sys

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # recipes and registry of this very tree

from jssl import config, methods, objectives, views  # noqa: E402


def on_files(files, config):
    """README is the first page, the changes are one, and every method has one."""
    for page, name in (("index.md", "README.md"), ("changelog.md", "CHANGELOG.md")):
        text = (ROOT / name).read_text().replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    for name, entry in methods.REGISTRY.items():
        files.append(File.generated(config, f"methods/{name}.md", content=method_page(name, entry)))
    return files


def on_config(config):
    """The methods in the navigation, by family."""
    pages = [{"All methods": "methods.md"}]
    for family, names in families().items():
        pages.append({family: [{name: f"methods/{name}.md"} for name in names]})
    for section in config.nav:
        if "Methods" in section:
            section["Methods"] = pages
    return config


def on_page_markdown(markdown, page, config, files):
    """Fills the marks, and sends links to files outside docs/ to the repository."""
    for mark, make in MARKS.items():
        if mark in markdown:
            markdown = markdown.replace(mark, make())
    if page.file.src_uri == "index.md":
        return re.sub(
            r"\]\((?=[A-Z]+(?:\.\w+)?\)|(?:configs|jssl|benchmarks|tests|examples)/)", f"]({tree(config)}", markdown
        )
    return markdown.replace("](../", f"]({tree(config)}") if "/" not in page.file.src_uri else markdown


def tree(config):
    """Where the repository's files are read."""
    return f"{config.repo_url}/blob/main/"


def first_line(module):
    """The first paragraph of a docstring in one line."""
    return " ".join(inspect.getdoc(module).split("\n\n")[0].split())


def families():
    """Family -> names of its methods."""
    found: dict[str, list[str]] = {}
    for name, entry in sorted(methods.REGISTRY.items()):
        package = entry.build.__module__.removeprefix("jssl.methods.").split(".")
        found.setdefault(package[0].capitalize().replace("Siamese", "Two networks"), []).append(name)
    return found


def recipe_of(name):
    """The recipe's module."""
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", ROOT / "configs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recipe_table(name):
    """One row per variant of a recipe: what it trains, how and how long."""
    module = recipe_of(name)
    lines = ["| variant | encoder | optimiser | batch | length |", "| --- | --- | --- | --- | --- |"]
    for variant in (",".join(pair) for pair in getattr(module.get_config, "variants", [])) or ():
        made = module.get_config(variant)
        encoder = made.method.get("encoder", {}).get("name", "the method's own")
        rule = f"{made.optimizer.name} {made.optimizer.learning_rate:g}"
        length = made.steps if isinstance(made.steps, str) else f"{made.steps} steps"
        lines.append(f"| `{name}.py:{variant}` | {encoder} | {rule} | {made.data.batch_size} | {length} |")
    return "\n".join(lines)


def recipes():
    """Every recipe: its docstring, which says where its numbers come from, and its variants."""
    parts = []
    for name in sorted(path.stem for path in (ROOT / "configs").glob("*.py")):
        if hasattr(recipe_of(name).get_config, "variants"):
            parts += [f"## {name}", notes(recipe_of(name)), recipe_table(name)]
    return "\n\n".join(parts)


def notes(module):
    """A recipe's docstring, its command in a block."""
    return re.sub(r"^(jssl pretrain .*)$", r"```text\n\1\n```", inspect.getdoc(module), flags=re.M)


def method_table():
    """One row per method."""
    lines = ["| method | what | carries | asks for | checked against |", "| --- | --- | --- | --- | --- |"]
    for name, entry in sorted(methods.REGISTRY.items()):
        what = first_line(inspect.getmodule(entry.build)).split(": ", 1)[-1].rstrip(".")
        golden = "its formula" if entry.golden == "formula" else "the authors' code"
        cells = (f"[`{name}`](methods/{name}.md)", what, ", ".join(entry.carries), ", ".join(entry.asks), golden)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def method_page(name, entry):
    """A method: what it does, its recipe and its options, from their docstrings."""
    builder = f"{entry.build.__module__}.{entry.build.__name__}"
    parts = [f"# {name}", inspect.getdoc(inspect.getmodule(entry.build)), f"{entry.paper}.", "## Recipe"]
    if (ROOT / "configs" / f"{name}.py").exists():
        parts += [notes(recipe_of(name)), recipe_table(name)]
    parts += ["## Options", "In a config these are the keys of `config.method`.", f"::: {builder}"]
    return "\n\n".join(parts)


def api(package):
    """The public names of a package, by the sub-package that they are defined in."""

    def make():
        groups: dict[str, list[str]] = {}
        for name in package.__all__:
            value = getattr(package, name)
            if callable(value):
                home = value.__module__.removeprefix(f"{package.__name__}.").split(".")
                groups.setdefault(f"{package.__name__}.{home[0]}", []).append(name)
        parts = []
        for home, names in sorted(groups.items()):
            parts.append(f"## {first_line(importlib.import_module(home)).rstrip('.')}")
            parts += [f"::: {package.__name__}.{name}" for name in names]
        return "\n\n".join(parts)

    return make


def keys():
    """The default config with its comments: the very source."""
    source = inspect.getsource(config.default_config)
    body = source[source.index("ConfigDict(\n") + len("ConfigDict(\n") : source.index("type_safe=False")]
    return f"```python\n{inspect.cleandoc(body).rstrip().rstrip(',')}\n```"


def result(name):
    """A table that a benchmark wrote, with the command that makes it."""

    def make():
        return (ROOT / "benchmarks" / "results" / f"{name}.md").read_text().partition("\n")[2].strip()

    return make


MARKS = {
    "<!-- recipes -->": recipes,
    "<!-- methods -->": method_table,
    "<!-- objectives -->": api(objectives),
    "<!-- views -->": api(views),
    "<!-- config -->": keys,
    **{f"<!-- {name} -->": result(name) for name in ("faults", "plans", "wire", "bench", "overhead", "compare")},
}
