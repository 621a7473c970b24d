"""Man pages and shell completions, made from the programs' own argument parsers.

Role: commands, options and their help are what the parser says; what a parser does not know (files,
examples) is in packaging/man/*.in around it. Completions are shtab's.
Boundary: imports the programs, runs nothing of them; writes below the directory it is given.
Threading: none.

``documents.py [PROGRAM...] DIRECTORY`` writes below the directory what belongs below a share/:
man/man1/PROGRAM.1, bash-completion/completions/PROGRAM, zsh/vendor-completions/_PROGRAM and
fish/vendor_completions.d/PROGRAM.fish.
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

SHELLS = {
    "bash": "bash-completion/completions/{}",
    "zsh": "zsh/vendor-completions/_{}",
    "fish": "fish/vendor_completions.d/{}.fish",
}
"""Where each shell looks, below a share/."""


def _spec(bash: str, zsh: str, fish: str) -> dict[str, str]:
    return {"bash": bash, "zsh": zsh, "fish": fish}


def _asked(kind: str) -> dict[str, str]:
    """What lxtui itself is asked for (lxtui/completing.py)."""
    return _spec(
        f"_lxtui_{kind}", f"_lxtui_names {kind}", f"(lxtui complete {kind} (commandline -ct))"
    )


_ANYTHING = {"DIR": _spec("_shtab_compgen_dirs", "_files -/", "(__fish_complete_directories)")}
_ANYTHING["FILE"] = _spec(
    "_shtab_compgen_files", "_files", "(__fish_complete_path (commandline -ct))"
)
_ANYTHING["COMMAND"] = _spec(
    "_shtab_compgen_commands", "_command_names -e", "(__fish_complete_command)"
)
_ANYTHING["PID"] = _spec("_shtab_compgen_pids", "_pids", "(__fish_complete_pids)")
COMPLETED = {
    "lxfs": _ANYTHING,
    "lxtui": {
        **_ANYTHING,
        "HOST": _asked("hosts"),
        "TARGET": _asked("hosts"),
        "HOST:NAME": _asked("instances"),
        "HOST:NAME/PATH": _asked("instances"),
        "HOST:NAME[/PATH]": _asked("instances"),
        "LOCAL": _ANYTHING["FILE"],
        "HOST[:NAME]": _asked("hosts"),
        "MOVE": _asked("moves"),
        "VIEW": _asked("views"),
        "C": _asked("columns"),
        "C,C": _asked("columns"),
    },
}
"""What shtab is to complete an argument with, by the word that stands for it in the usage."""
_KINDS = ("hosts", "instances", "moves", "views", "columns")
PREAMBLE = {
    ("lxfs", "bash"): """
_shtab_compgen_commands() {
  compgen -c -f -- "$1"
}
_shtab_compgen_pids() {
  compgen -W "$(ps -eo pid=)" -- "$1"
}
""",
    ("lxtui", "bash"): """
_shtab_compgen_commands() {
  compgen -c -f -- "$1"
}
"""
    + "".join(
        f'_lxtui_{kind}() {{\n  lxtui complete {kind} "$1" 2>/dev/null\n}}\n' for kind in _KINDS
    ),
    ("lxtui", "zsh"): """
_lxtui_names() {
  local -a found
  found=(${(f)"$(lxtui complete $1 "$PREFIX" 2>/dev/null)"})
  compadd -S '' -- ${(M)found:#*:}
  compadd -- ${found:#*:}
}
""",
}
# For bash a colon ends a word: shtab's function is given the words as they are meant, and readline
# what comes after the last colon.
AFTER = {
    ("lxtui", "bash"): """
_lxtui() {
  local line=$COMP_LINE blank word at prefix
  local -a words=()
  for ((at = 0; at <= COMP_CWORD; at++)); do
    word=${COMP_WORDS[at]}
    blank=${line%%[![:space:]]*}
    if ((at)) && [[ -z $blank && ($word == :* || ${words[-1]} == *:) ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
    line=${line#"$blank"}
    line=${line#"$word"}
  done
  local -a COMP_WORDS=("${words[@]}")
  local COMP_CWORD=$((${#words[@]} - 1))
  _shtab_lxtui
  word=${words[-1]}
  if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
    prefix=${word%"${word##*:}"}
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
  fi
  if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]]; then
    compopt -o nospace 2>/dev/null
  fi
  return 0
}
complete -o bashdefault -F _lxtui lxtui
""",
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
        **(own_sections() if program == "lxtui" else {}),
        "VERSION": version,
        "DATE": day,
        "SYNOPSIS": short,
        "OPTIONS": "\n".join(arguments(parser)),
        "COMMANDS": "\n".join(long),
    }.items():
        text = text.replace(f"@{name}@", value)
    return text


def own_sections() -> dict[str, str]:
    """Return what lxtui's tables say: its actions with their keys, and its settings."""
    names = ("actions", "config", "key_names")
    actions, config, key_names = (importlib.import_module(f"lxtui.{name}") for name in names)
    signs = {name: sign for sign, name in key_names.SIGNS.items() if sign != " "}
    keys = []
    for one in actions.ACTIONS:
        pressed = " ".join(signs.get(key, key) for key in one.key.split(",")) or f":{one.id}"
        heading = rf"\fB{escaped(pressed)}\fR ({escaped(one.id)})"
        keys.append(f".TP\n{heading}\n{escaped(sentence(one.help))}")
    settings = [
        f".TP\n\\fB{escaped(one.name)}\\fR\n{escaped(sentence(one.help))}\n"
        f"{escaped(sentence(one.shape[:1].upper() + one.shape[1:]))}\n"
        f"Default: {escaped(one.default)}."
        for one in config.SETTINGS
    ]
    return {"KEYS": "\n".join(keys), "SETTINGS": "\n".join(settings)}


def completion(program: str, shell: str) -> str:
    """Return the completions of a program for one of the shells."""
    import shtab  # noqa: PLC0415 - man pages are made without it

    parser = parser_of(program)
    for sub, told in commands(parser).values():
        # What zsh shows beside the verb. A percent sign is itself to argparse there, not to shtab.
        sub.description = (sub.description or told.replace("%%", "%")).replace("%", "%%")
        for action in sub._actions:
            if (shells := COMPLETED[program].get(str(action.metavar))) is not None:
                action.complete = shells  # type: ignore[attr-defined]  # shtab's own way
    text = str(shtab.complete(parser, shell, preamble=PREAMBLE.get((program, shell), "")))
    return text + AFTER.get((program, shell), "")


def write(program: str, directory: Path) -> None:
    """Write a program's page and completions."""
    version = importlib.import_module(program).__version__
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    os.environ["COLUMNS"] = "200"  # argparse breaks its usage to the width of the terminal
    text = page(program, parser_of(program), version, f"{now:%Y-%m-%d}")
    files = {
        f"man/man1/{program}.1": text,
        **{path.format(program): completion(program, shell) for shell, path in SHELLS.items()},
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
