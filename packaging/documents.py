"""Man pages and shell completions, made from the programs' own argument parsers.

Role: commands, options and their help are what the parser says; what a parser does not know (files,
examples) is in packaging/man/*.in around it. Completions are shtab's.
Boundary: imports the programs, runs nothing of them; writes below the directory it is given.
Threading: none.

``documents.py [PROGRAM...] DIRECTORY`` writes below the directory what belongs below a share/:
man/man1/PROGRAM.1, bash-completion/completions/PROGRAM and
zsh/vendor-completions/_PROGRAM.
"""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = ("lxfs", "lxtui")

# What shtab is to complete an argument with, by the word that stands for it in the usage.
_FILES = {"bash": "_shtab_compgen_files", "zsh": "_files"}
_DIRECTORIES = {"bash": "_shtab_compgen_dirs", "zsh": "_files -/"}
_COMMANDS = {"bash": "_shtab_compgen_commands", "zsh": "_command_names -e"}
_PIDS = {"bash": "_shtab_compgen_pids", "zsh": "_pids"}
COMPLETED = {"FILE": _FILES, "DIR": _DIRECTORIES, "COMMAND": _COMMANDS, "PID": _PIDS}
PREAMBLE = {
    "bash": """
_shtab_compgen_commands() {
  compgen -c -f -- "$1"
}
_shtab_compgen_pids() {
  compgen -W "$(ps -eo pid=)" -- "$1"
}
""",
    "zsh": "",
}


def parser_of(program: str) -> argparse.ArgumentParser:
    """Return the parser of a program of this checkout."""
    parser = importlib.import_module(f"{program}.cli")._parser()
    assert isinstance(parser, argparse.ArgumentParser)  # noqa: S101 - our own function
    return parser


def commands(parser: argparse.ArgumentParser) -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """Return the verbs of a parser in its own order: each one's parser and its line of help.

    A verb with verbs of its own comes first, then those, by both names.
    """
    found: dict[str, tuple[argparse.ArgumentParser, str]] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, sub in action.choices.items():
                found[name] = (sub, helps[name])
                found |= {f"{name} {deed}": one for deed, one in commands(sub).items()}
    return found


def escaped(text: str) -> str:
    r"""Return plain text as roff: no line of it a request, no hyphen one that may be broken at."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def sentence(text: str) -> str:
    """Return a line of help as a sentence."""
    text = " ".join(text.replace("%%", "%").split())
    return text if text.endswith(".") else f"{text}."


def arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the lines on a parser's options and arguments that have any help."""
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        if not action.help or action.help == argparse.SUPPRESS:
            continue
        value = str(action.metavar or action.dest.upper())
        if action.choices:
            value = "|".join(map(str, action.choices))
        if not action.option_strings:
            heading = rf"\fI{escaped(value)}\fR"
        else:
            names = (rf"\fB{escaped(name)}\fR" for name in action.option_strings)
            heading = ", ".join(names)
            if action.nargs != 0:
                heading += rf" \fI{escaped(value)}\fR"
        yield f".TP\n{heading}"
        yield escaped(sentence(action.help[:1].upper() + action.help[1:]))


def synopsis(program: str, verb: str, parser: argparse.ArgumentParser) -> str:
    """Return how a verb is called, on one line: the program's own usage."""
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    rest = usage.removeprefix(f"{program} {verb}").replace("[-h]", "").strip()
    return rf"\fB{program} {verb}\fR {escaped(rest)}".rstrip()


def page(program: str, parser: argparse.ArgumentParser, version: str, day: str) -> str:
    """Return a program's man page."""
    verbs = commands(parser)
    short = "\n".join(
        f"{synopsis(program, verb, sub)}\n.br" for verb, (sub, _help) in verbs.items()
    )
    long = []
    for verb, (sub, told) in verbs.items():
        long.append(f".SS {program} {verb}\n{synopsis(program, verb, sub)}\n.PP")
        long.append(escaped(sentence(sub.description or told[:1].upper() + told[1:])))
        long += arguments(sub)
    text = (HERE / "man" / f"{program}.1.in").read_text(encoding="utf-8")
    for name, value in {
        "VERSION": version,
        "DATE": day,
        "SYNOPSIS": short,
        "OPTIONS": "\n".join(arguments(parser)),
        "COMMANDS": "\n".join(long),
    }.items():
        text = text.replace(f"@{name}@", value)
    return text


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the completions of a program for ``bash`` or ``zsh``."""
    import shtab  # noqa: PLC0415 - man pages are made without it

    for sub, told in commands(parser).values():
        sub.description = sub.description or told  # what zsh shows beside the verb
        for action in sub._actions:
            if (shells := COMPLETED.get(str(action.metavar))) is not None:
                action.complete = shells  # type: ignore[attr-defined]  # shtab's own way
    return str(shtab.complete(parser, shell, preamble=PREAMBLE))  # type: ignore[arg-type]  # it takes both


def write(program: str, directory: Path) -> None:
    """Write a program's page and completions."""
    version = importlib.import_module(program).__version__
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    os.environ["COLUMNS"] = "200"  # argparse breaks its usage to the width of the terminal
    text = page(program, parser_of(program), version, f"{now:%Y-%m-%d}")
    files = {
        f"man/man1/{program}.1": text,
        f"bash-completion/completions/{program}": completion(parser_of(program), "bash"),
        f"zsh/vendor-completions/_{program}": completion(parser_of(program), "zsh"),
    }
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content, encoding="utf-8")


def main(argv: list[str]) -> None:
    """Write the documents of the programs named, or of both."""
    *programs, target = argv
    sys.path.insert(0, str(HERE.parent))
    for program in programs or PROGRAMS:
        write(program, Path(target))


if __name__ == "__main__":
    main(sys.argv[1:])
