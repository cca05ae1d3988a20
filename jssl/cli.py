"""The ``jssl`` command: pretrain, plan, bench, evaluate, compare, diagnose, report, embed, generate, views, study, methods,
recipes."""

import argparse
import importlib.metadata
import logging
import platform
import sys

import jssl
from jssl.commands import add_commands

TOGETHER = ("pretrain", "evaluate", "embed")
"""Commands that several processes run as one."""


def main(argv: list[str] | None = None) -> int:
    """Runs a subcommand. Bad input is one line on stderr and exit code 2."""
    parser = argparse.ArgumentParser(prog="jssl", description="Self-supervised pretraining in JAX.")
    versions = f"jssl {jssl.__version__}, jax {importlib.metadata.version('jax')}, Python {platform.python_version()}"
    parser.add_argument("--version", action="version", version=versions)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_commands(commands)
    args, rest = parser.parse_known_args(argv)
    args.overrides = [word.removeprefix("--config.") for word in rest if word.startswith("--config.")]
    unknown = [word for word in rest if not word.startswith("--config.")]
    if unknown or (args.overrides and args.command not in ("pretrain", "plan", "bench", "views", "study")):
        parser.error(f"unknown argument {(unknown or rest)[0]!r}; overrides are written --config.key=value")
    logging.basicConfig(level=logging.WARNING, format="jssl: %(message)s")
    return _one_line(args)


def _one_line(args) -> int:
    try:
        from jssl import compilation_cache, peers, processes
        from jssl.train.log import Collapsed, NonFiniteLoss
    except KeyboardInterrupt:  # these imports take seconds
        print("jssl: interrupted", file=sys.stderr)
        return 130
    compilation_cache.enable()
    try:
        if args.command in TOGETHER:
            processes.initialise()
            if not processes.first():
                logging.getLogger().setLevel(logging.ERROR)  # what is worth a warning the first one says
        return args.run(args)
    except (ValueError, OSError) as error:
        return _refuse(error, 2)
    except (NonFiniteLoss, Collapsed) as error:
        return _refuse(error, 1)
    except KeyboardInterrupt as error:
        return _refuse(error, 130)
    except Exception as error:  # one that nobody foresaw: its traceback is worth more than a line
        peers.fail(1, f"{type(error).__name__}: {error}", error, trace=True)
        raise


def _refuse(error: BaseException, code: int) -> int:
    """Says what is wrong in one line; where there are several processes, the others end with it."""
    from jssl import peers

    line = "interrupted" if isinstance(error, KeyboardInterrupt) else " ".join(str(error).split())
    peers.fail(code, line, error)
    print(f"jssl: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
