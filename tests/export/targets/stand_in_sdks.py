"""Stand-ins for what makers of NPUs give to LiteRT's compiler: SDKs as installed packages, and a compiler."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from pocketclip.export.npu.makers import Maker

TAKEN = "Partitioned subgraph<0>, selected {taken} ops, from a total of {total} ops. resulted in {pieces} partitions."


def install_sdk(site: Path, maker: Maker, version: str = "2.3.0", libraries: bool = True) -> Path:
    """Writes a maker's package below `site`, as pip leaves it; returns the folder of its libraries.

    Without `libraries` it is what pip leaves where the download failed.
    """
    module = site / maker.module
    folder = module / "data" / "lib"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text(
        "import pathlib, sys\n"
        "def path_to_sdk_libs(version=None):\n"
        "    folder = pathlib.Path(__file__).parent / 'data' / 'lib'\n"
        "    if folder.is_dir():\n"
        "        return folder\n"
        "    print('Warning: SDK files directory not found', file=sys.stderr)\n"
    )
    facts = site / f"{maker.package.replace('-', '_')}-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {maker.package}\nVersion: {version}\n")
    if libraries:
        folder.mkdir(parents=True)
        (folder / maker.library.replace("*", "_adapter")).write_bytes(b"")
    return folder


@dataclass(frozen=True)
class StandInCompiler:
    """A program in the place of LiteRT's compiler, which says what a test wants and notes how it was called."""

    program: Path

    @property
    def calls(self) -> list[dict[str, str]]:
        """The options of each call, with `LD_LIBRARY_PATH` among them."""
        notes = self.program.with_suffix(".calls")
        return [json.loads(line) for line in notes.read_text().splitlines()] if notes.is_file() else []


def write_compiler(folder: Path, said: str, *, code: int = 0) -> StandInCompiler:
    """A compiler that ends `apply` with these words and code; what it writes is the file it was given."""
    program = folder / "compiler"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, shutil, sys\n"
        "options = dict(word.lstrip('-').split('=', 1) for word in sys.argv[1:])\n"
        "options['LD_LIBRARY_PATH'] = os.environ['LD_LIBRARY_PATH']\n"
        "options['cwd'] = os.getcwd()\n"
        "with open(__file__ + '.calls', 'a') as notes:\n"
        "    notes.write(json.dumps(options) + '\\n')\n"
        "if options['cmd'] == 'info':\n"
        "    print('[LITERT_TOOLS:INFO] Loaded 1 plugins')\n"
        "    sys.exit(0)\n"
        f"print({said!r})\n"
        f"if {code} == 0:\n"
        "    shutil.copyfile(options['model'], options['o'])\n"
        f"sys.exit({code})\n"
    )
    program.chmod(0o755)
    return StandInCompiler(program)
