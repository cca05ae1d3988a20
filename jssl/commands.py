"""What each subcommand takes, and what it runs. Modules are imported when they are asked for, so that --help answers at once."""

import argparse
import os
import sys

__all__ = ["add_commands"]

STUDIES = {
    "collapse": "breakages of methods, and what the diagnosis says",
    "language": "causal and masked language models of equal size",
    "mae-vs-ijepa": "pixels or features predicted, for equal computation",
    "clip": "pictures named by captions, beside labels",
    "protocols": "whether protocols rank checkpoints and methods alike",
}
"""Each is ``STUDY`` of the module of its name in ``jssl.study``."""


def add_commands(commands) -> None:
    """Adds every subcommand: what it takes, and as ``run`` the function of the arguments that does it.

    Args:
      commands: of ``argparse.ArgumentParser.add_subparsers``.
    """
    pretrain = commands.add_parser("pretrain", help="train an encoder, or resume the run found in the workdir")
    pretrain.add_argument("--config", required=True, help="a recipe, e.g. dino:small,cifar10 or mine.py:small")
    pretrain.add_argument("--workdir", required=True, help="takes checkpoints, metrics.jsonl and config.json")
    pretrain.add_argument("--init-from", metavar="RUN", help="workdir of a run, whose weights a new run starts from")
    pretrain.add_argument("--partial", action="store_true", help="--init-from takes those that fit; otherwise all must")
    pretrain.add_argument("--no-progress", action="store_true", help="say nothing but warnings and errors")
    pretrain.set_defaults(run=_pretrain)

    plan = commands.add_parser("plan", help="what a run needs on a topology: memory, traffic, time, chip-hours")
    plan.add_argument("--config", required=True)
    plan.add_argument("--topology", help="v5e:4x4, h100:8, h100:4x8, cpu:8 ...; what the recipe is for by default")
    plan.add_argument("--fsdp", type=int, help="devices that share one copy of the state")
    plan.add_argument("--batch", type=int, help="examples a step, over all devices")
    plan.add_argument("--mfu", type=float, default=0.4, help="share of the peak that the cost is told for; 0.4")
    plan.add_argument("--num-examples", type=int, help="in the training data, which is then not opened")
    plan.add_argument("--largest", action="store_true", help="look for the largest batch that fits, too")
    plan.add_argument("--json", action="store_true", help="JSON instead of tables")
    plan.set_defaults(run=_plan)

    bench = commands.add_parser("bench", help="time a recipe's step and feed on the devices here")
    bench.add_argument("--config", required=True)
    bench.add_argument("--steps", type=int, default=20, help="that are timed, of each kind")
    bench.add_argument(
        "--profile",
        nargs="?",
        const="profile",
        metavar="FOLDER",
        help="leave a trace there; print the dearest operations",
    )
    bench.add_argument("--json", action="store_true", help="JSON instead of a table")
    bench.set_defaults(run=_bench)

    evaluate = commands.add_parser("evaluate", help="k-NN, linear accuracy and more of the frozen features")
    evaluate.add_argument("--workdir", required=True)
    evaluate.add_argument(
        "--protocols",
        default="knn,linear",
        help="with options, e.g. knn:k=5+20,linear:solver=sgd,few_labels:n=1%%+10,attentive,finetune:epochs=10,collapse,zero_shot,"
        "retrieval,flow",
    )
    evaluate.add_argument("--data", help="another source than the one pretrained on, e.g. tar:'images/*.tar.gz'")
    evaluate.add_argument(
        "--teacher",
        action=argparse.BooleanOptionalAction,
        help="evaluate the EMA teacher, or the student; by default what the method's paper evaluates",
    )
    evaluate.set_defaults(run=_evaluate)

    compare = commands.add_parser("compare", help="evaluated runs side by side, and whether protocols rank them alike")
    compare.add_argument("workdirs", nargs="+", metavar="RUN", help="workdirs of runs, e.g. runs/*")
    compare.add_argument("--json", action="store_true", help="JSON instead of tables")
    compare.set_defaults(run=_compare)

    diagnose = commands.add_parser("diagnose", help="say what is wrong with a run, if anything, and what shows it")
    diagnose.add_argument("--workdir", required=True, help="of a run, finished or under way")
    diagnose.add_argument("--data", help="another source than the one pretrained on")
    diagnose.add_argument("--json", action="store_true", help="JSON instead of tables")
    diagnose.set_defaults(run=_diagnose)

    embed = commands.add_parser("embed", help="write features of a data set to a file")
    embed.add_argument("--workdir", required=True)
    embed.add_argument("--data", required=True, help="a source, e.g. folder:images or folder:'photos/*.jpg'")
    embed.add_argument("--split", default="all", choices=("all", "train", "test"), help="every example by default")
    embed.add_argument("--out", required=True, help="features.npz, .npy or .parquet; with labels and names of files")
    embed.add_argument("--readout", help="e.g. projector or text: one of the method's; the first by default")
    embed.add_argument("--tokens", action="store_true", help="features of each patch, not one vector per example")
    embed.add_argument("--batch-size", type=int, default=128, help="examples at a time")
    embed.add_argument("--teacher", action="store_true", help="use the EMA teacher instead of the student")
    embed.set_defaults(run=_embed)

    generate = commands.add_parser("generate", help="continue a text with a language model")
    generate.add_argument("--workdir", required=True)
    generate.add_argument("--prompt", default="", help="the beginning")
    generate.add_argument("--tokens", type=int, default=256, help="how many to add")
    generate.add_argument("--temperature", type=float, default=0.8, help="0 takes the likeliest token")
    generate.add_argument("--top-k", type=int, default=0, help="draw among so many of the likeliest; 0: among all")
    generate.add_argument("--seed", type=int, default=0)
    generate.set_defaults(run=_generate)

    report = commands.add_parser("report", help="write a page about runs: figures, curves, pictures, differences")
    report.add_argument("workdirs", nargs="+", metavar="RUN", help="workdirs of jssl pretrain")
    report.add_argument("--out", default="report.html", help="the file; report.html by default")
    report.add_argument("--data", help="another source of pictures than the one pretrained on")
    report.add_argument("--no-pictures", action="store_true", help="read no checkpoint and no data")
    report.set_defaults(run=_report)

    views = commands.add_parser("views", help="show what the method sees of some examples")
    views.add_argument("--config", required=True)
    views.add_argument("--out", required=True, help="a .png file")
    views.add_argument("--num", type=int, default=8, help="examples (rows)")
    views.set_defaults(run=_views)

    study = commands.add_parser("study", help=f"answer a question with runs of its own: {', '.join(STUDIES)}")
    study.add_argument("name", choices=tuple(STUDIES), help="; ".join(f"{n}: {asks}" for n, asks in STUDIES.items()))
    study.add_argument("--workdir", help="takes a run for each row; a finished one is not repeated; runs/study_NAME")
    study.add_argument("--rows", metavar="ROW,ROW", default="", help="some of them; all by default")
    study.add_argument("--data", help="another source than the study's own")
    study.add_argument("--full", action="store_true", help="the recipes of the papers, for an accelerator")
    study.add_argument("--json", action="store_true", help="JSON instead of a table")
    study.set_defaults(run=_study)

    listing = commands.add_parser("methods", help="list the methods")
    listing.set_defaults(run=_methods)

    listing = commands.add_parser("recipes", help="list the recipes: what --config takes")
    listing.set_defaults(run=_recipes)


def _pretrain(args) -> int:
    from jssl.config import load_config
    from jssl.train.loop import pretrain

    return pretrain(
        load_config(args.config, args.overrides),
        args.workdir,
        progress=not args.no_progress,
        init_from=args.init_from,
        partial=args.partial,
    )


def _plan(args) -> int:
    from jssl.plan.command import plan_run

    given = {"fsdp": args.fsdp, "data.batch_size": args.batch}
    plan_run(
        args.config,
        [*args.overrides, *(f"{key}={value}" for key, value in given.items() if value is not None)],
        topology=args.topology,
        mfu=args.mfu,
        num_examples=args.num_examples,
        largest=args.largest,
        as_json=args.json,
    )
    return 0


def _bench(args) -> int:
    from jssl.bench.command import bench_run

    bench_run(args.config, args.overrides, steps=args.steps, profile=args.profile, as_json=args.json)
    return 0


def _evaluate(args) -> int:
    from jssl.report.evaluate import evaluate_run

    evaluate_run(args.workdir, protocols=args.protocols, data=args.data, use_teacher=args.teacher)
    return 0


def _compare(args) -> int:
    from jssl.report.compare import compare_runs

    compare_runs(args.workdirs, as_json=args.json)
    return 0


def _diagnose(args) -> int:
    import json

    from jssl.report.diagnose import diagnose_run
    from jssl.report.diagnosis_table import diagnosis_text

    report = diagnose_run(args.workdir, data=args.data)
    print(json.dumps(report, indent=1) if args.json else diagnosis_text(report))
    return 0


def _embed(args) -> int:
    from jssl.report.embed import embed_run

    embed_run(
        args.workdir,
        data=args.data,
        split=args.split,
        out=args.out,
        readout=args.readout,
        tokens=args.tokens,
        use_teacher=args.teacher,
        batch_size=args.batch_size,
    )
    return 0


def _generate(args) -> int:
    from jssl.report.generate import generate_run

    print(
        generate_run(
            args.workdir,
            prompt=args.prompt,
            tokens=args.tokens,
            temperature=args.temperature,
            top_k=args.top_k,
            seed=args.seed,
        )
    )
    return 0


def _report(args) -> int:
    from jssl.report.page import write_page

    write_page(args.workdirs, args.out, data=args.data, pictures=not args.no_pictures)
    print(args.out)
    return 0


def _views(args) -> int:
    from jssl.config import load_config
    from jssl.report.views import draw

    draw(load_config(args.config, args.overrides), args.out, num=args.num)
    return 0


def _study(args) -> int:
    import json

    from jssl.study import frame

    study = frame.find(args.name)
    found = frame.run_study(
        study,
        args.workdir or f"runs/study_{args.name}",
        [name for name in args.rows.split(",") if name],
        data=args.data,
        full=args.full,
        overrides=args.overrides,
        tell=_tell,
    )
    print(json.dumps(found, indent=1) if args.json else study.table(found))
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _methods(args) -> int:
    from jssl.methods import REGISTRY

    rows = [
        (
            name,
            f"carries: {', '.join(entry.carries) or '-'}",
            f"asks: {', '.join(entry.asks) or '-'}",
            f"golden: {entry.golden}",
            entry.paper,
        )
        for name, entry in sorted(REGISTRY.items())
    ]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return _print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows)


def _recipes(args) -> int:
    from jssl import config_file

    names = []
    for name, file in config_file.recipes().items():
        variants = getattr(config_file.load(file), "variants", [()])
        names += [f"{name}:{','.join(words)}" if words else name for words in variants]
    return _print(names)


def _print(lines) -> int:
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the list, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails, too
    return 0
