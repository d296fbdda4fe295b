"""Endings of domain names: which exist, and which of them are also something else.

Data, and the list of the public suffixes as the installed `tldextract` ships it: read from its file, never
fetched from anywhere.
"""

from __future__ import annotations

from functools import lru_cache

_ALONE = """
com org net edu gov mil int io co biz eu de uk fr nl be at ch se dk fi ie cz pl hu ro gr pt jp cn kr tw hk sg
au nz ca br mx ar cl pe za ng ke eg ae il tr ru ua kz us dev xyz online site shop store tech cloud club live
digital agency solutions services company email global group ventures capital finance bank insurance health
school university academy museum aero coop jobs mobi travel blog wiki news website space systems network
software technology consulting example invalid onion tv gg lu li bg hr si sk ee lv lt es ai
"""
_FILES = """
md py rs sh pl so ps zip mov js ts json yaml yml txt png jpg jpeg gif svg webp ico css html htm xml csv log pdf
doc docx xls xlsx ppt gz tar bz exe dll bin conf cfg ini toml lock java kt go rb php c h cpp hpp cs swift scala
sql db bak tmp mp mkv avi wav bmp tiff woff ttf eot map jar war class vue tsx jsx ipynb
"""
_STANDING = frozenset(_ALONE.split())
_FILE_TYPES = frozenset(_FILES.split())
_LOCAL = frozenset({"local", "internal", "lan", "intranet", "localdomain", "corp", "home", "test", "example"})


def stands_alone(ending: str) -> bool:
    """Whether `name.ending` is a domain name even without anything around it."""
    return ending.lower() in _STANDING


def is_file_type(ending: str) -> bool:
    """Whether names of files end like this."""
    return ending.lower() in _FILE_TYPES


def is_known_ending(ending: str) -> bool:
    """Whether the ending is registered, or in use inside of networks."""
    name = ending.lower()
    return name in _STANDING or name in _LOCAL or name in _registered()


@lru_cache(maxsize=1)
def _registered() -> frozenset[str]:
    from importlib.util import find_spec
    from pathlib import Path

    package = find_spec("tldextract")
    if package is None or not package.origin:
        return frozenset()
    listing = Path(package.origin).with_name(".tld_set_snapshot").read_text("utf-8")
    rows = (row.strip() for row in listing.splitlines())
    return frozenset(row for row in rows if row and "." not in row and not row.startswith(("//", "*", "!")))
