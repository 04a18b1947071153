"""Commands on our pages, parsed and not run: ``python -m house.commands MODULES_TO_IMPORT``."""

import argparse
import importlib
import importlib.util
import json
import re
import runpy
import shlex
import sys
import traceback

from house.modules import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
OURS = r"python(?:3\.\d+)? -m (?:benchmarks|segclf|tests)\b|python docs/\w+\.py"


class Taken(BaseException):
    """The options of a command are taken; what it would do is left."""


def commands(page):
    """Yield what a page tells to run: a line of a shell block, or code of one or two lines."""
    text = page.read_text(encoding="utf-8")
    shell = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    yield from (line for block in shell for line in block.splitlines() if re.search(OURS, line))
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    for code in re.findall(r"`([^`]+)`", prose):
        if re.match(OURS, code):
            yield " ".join(code.split())


def words_of(command):
    """Return a module or file of ours, and its arguments."""
    words = shlex.split(re.sub(r"^.*?(?=\S*python)", "", command.split("&&")[-1]), comments=True)
    words = words[1:]
    return (words[1], words[2:]) if words[0] == "-m" else (words[0], words[1:])


def refusal(command):
    """Return what is wrong with a command; None where it would run."""
    name, arguments = words_of(command)
    if name.endswith(".py"):
        return None if (ROOT / name).exists() else "no such file"
    if importlib.util.find_spec(name) is None:
        return "no such module"
    if name.startswith("tests.") or (name == "segclf" and len(arguments) < 2):
        return None  # the first may write where it is run, the second names a command
    before, sys.argv = sys.argv, [name, *arguments]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=False)
    except Taken:
        return None
    except SystemExit as error:
        return f"exit {error.code}"
    except Exception:
        return traceback.format_exc(limit=1)
    finally:
        sys.argv = before
    return "it parses no options" if arguments else None


def stop_after_parsing():
    """Let whoever parses arguments come no farther."""
    parse = argparse.ArgumentParser.parse_args

    def parse_args(self, *args, **kwargs):
        parse(self, *args, **kwargs)
        raise Taken

    argparse.ArgumentParser.parse_args = parse_args


def main(modules):
    """Import modules, and print, as JSON, what is wrong with which command of which page."""
    for name in modules:
        importlib.import_module(name)
    stop_after_parsing()
    found = {page.relative_to(ROOT).as_posix(): list(commands(page)) for page in PAGES}
    wrong = {}
    for command in dict.fromkeys(each for here in found.values() for each in here):
        if said := refusal(command):
            wrong[command] = [said, *(page for page, here in found.items() if command in here)]
    print(json.dumps(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
