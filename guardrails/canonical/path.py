"""Paths: text → `Path`, whose `text` is absolute or relative, `/`-separated and free of `.` and `..`.

The one idea: everything that a program *might* expand or translate on the way to the file (`~`, `$HOME`,
`%2e`, a look-alike slash, a short Windows name) makes the path ambiguous; what is left is compared by
components, so `/workspace-evil` is not within `/workspace`.

Two limits are the reader's to know. `parse_path` is lexical: it does not see symbolic links, `real_path`
does. And POSIX paths are compared with their case; on a case-insensitive file system (macOS by default) two
spellings may be one file, so deny by `within` a directory rather than by a list of file names.
"""

from __future__ import annotations

from guardrails.canonical.text import (
    MAX_SHORT,
    ambiguous,
    normalised,
    require_bounded,
    require_visible,
    shown,
)
from guardrails.canonical.value import Canonical, remembered

# Typographic spaces do occur in file names: macOS puts U+202F into those of its screenshots.
_SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_SEPARATOR_TWINS = frozenset(
    "\u2044\u2215\u2216\u2571\u2572\u29f5\u29f8\u29f9"  # slashes
    "\u3002\uff61\u0589\u06d4\u2236\ua789"  # dots and colons
)
_MAGIC_LINKS = frozenset({"root", "cwd", "fd", "exe", "map_files"})
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [port + digit for port in ("com", "lpt") for digit in "0123456789¹²³"]
)


class Path(Canonical):
    """A path in canonical form. Windows paths are kept in lower case, their drive in upper case."""

    __slots__ = ("anchor", "parts")
    anchor: str
    parts: tuple[str, ...]
    """The names below the anchor."""

    @property
    def absolute(self) -> bool:
        return bool(self.anchor)

    @property
    def windows(self) -> bool:
        return self.anchor not in ("", "/")

    @property
    def name(self) -> str:
        """The last component; empty for a root."""
        return self.parts[-1] if self.parts else ""

    @property
    def stem(self) -> str:
        """The name without its last extension."""
        return self._split_name()[0]

    @property
    def extension(self) -> str:
        """The last extension in lower case, without its dot; empty when there is none."""
        return self._split_name()[1].lower()

    def _split_name(self) -> tuple[str, str]:
        stem, dot, extension = self.name.rpartition(".")
        return (stem, extension) if dot and stem.strip(".") else (self.name, "")

    @property
    def parent(self) -> Path:
        """The directory of this path; a root is its own parent."""
        if self.parts and self.name != "..":
            return _path(self.anchor, self.parts[:-1])
        return self if self.anchor else _path("", (*self.parts, ".."))

    @property
    def hidden(self) -> bool:
        """Whether any component starts with a dot."""
        return any(part[0] == "." and part != ".." for part in self.parts)

    def within(self, root: Path) -> bool:
        """Whether this is `root` or lies below it. Raises `Ambiguous` unless both are absolute and of the
        same system."""
        return within(self, root)


def within(path: Path, root: Path) -> bool:
    """Whether `path` is `root` or lies below it; see `Path.within`."""
    for place in (path, root):
        if not place.absolute:
            raise ambiguous(place.text, "is a relative path; give a base")
    if path.windows != root.windows:
        raise ambiguous(path.text, f"cannot be compared with {shown(root.text)}, a path of another system")
    return path.anchor == root.anchor and path.parts[: len(root.parts)] == root.parts


@remembered
def parse_path(text: str, base: str | None = None) -> Path:
    """Read a path; a relative one is taken from `base`, which must be absolute.

    Without a base a relative path stays relative. Raises `Ambiguous` when the text could name two files.
    """
    start = _base(base)
    text = _checked(text)
    anchor, rest = _split_anchor(text, windows=start is not None and start.windows)
    names = rest.split("/")
    if anchor in ("", "/") and (start is None or anchor == "/"):
        return _path(anchor, _collapse(names, anchor, text))
    if anchor == "" and start is not None:
        anchor, names = start.anchor, [*start.parts, *names]
    if anchor != "/":
        names = [_windows_name(name, text) for name in names]
    return _path(anchor, _collapse(names, anchor, text))


def real_path(text: str, base: str | None = None) -> Path:
    """The file that `text` names on this machine, now: symbolic links are followed.

    What does not exist yet is taken as written below the part that does. Raises `Ambiguous` for a text that
    `parse_path` refuses, a loop of links, a directory that may not be read, and a `..` that leaves a link
    somewhere else than its spelling says. The answer holds until somebody changes a link.
    """
    import os.path

    lexical = parse_path(text, base)
    if not lexical.absolute or lexical.windows != (os.name == "nt"):
        raise ambiguous(text, "cannot be looked up on this machine; give an absolute path or a base")
    found = _resolved(os.path.join(base or "", text), text)
    if _resolved(lexical.text, text) != found:
        raise ambiguous(text, "leads to different files before and after its `..` are removed")
    return parse_path(found)


def _resolved(path: str, text: str) -> str:
    import os.path

    try:
        return os.path.realpath(path, strict=True)
    except FileNotFoundError:
        # Not strict: follows a dangling link to where a new file would appear.
        return os.path.realpath(path)
    except OSError as error:
        raise ambiguous(text, f"cannot be resolved: {(error.strerror or 'unknown reason').lower()}") from None


def _path(anchor: str, parts: tuple[str, ...]) -> Path:
    return Path(anchor + "/".join(parts) or ".", anchor=anchor, parts=parts)


def _base(base: str | None) -> Path | None:
    if base is None:
        return None
    start = parse_path(base)
    if not start.absolute:
        raise ambiguous(base, "is a relative path and cannot be a base")
    return start


def _checked(text: str) -> str:
    """`text` in NFC, once nothing in it is open to interpretation but its separators."""
    require_bounded(text, MAX_SHORT)
    require_visible(text, allowed=_SPACES)
    if not text or text != text.strip():
        raise ambiguous(text, "is empty or has spaces at its ends")
    if not text.isascii():
        _require_no_twins(text)
    _require_no_expansion(text)
    return normalised(text)


def _require_no_twins(text: str) -> None:
    for character in text:
        if character in _SEPARATOR_TWINS or _hides(character):
            from guardrails.canonical.text import described

            raise ambiguous(text, f"contains {described(character)}, which some programs read as another")


def _hides(character: str) -> bool:
    """Whether normalisation turns the character into, or into something with, a meaningful ASCII one."""
    if character.isascii():
        return False
    compatible = normalised(character, "NFKC")
    return any(c in "./\\:~$%" for c in compatible) or normalised(character).isascii()


def _require_no_expansion(text: str) -> None:
    if text[0] == "~":
        raise ambiguous(text, "starts with `~`, and whose home directory that is depends on who runs it")
    if any(after[0].isalpha() or after[0] in "_{(" for after in text.split("$")[1:] if after):
        raise ambiguous(text, "contains a variable, whose value is unknown")
    if "%" in text:
        _require_plain_percent(text)
    if "{" in text and "}" in text and ("," in text or ".." in text):
        raise ambiguous(text, "contains braces that a shell would expand")
    head, colon, _ = text.partition(":")
    if colon and (text.startswith("://", len(head)) or head.lower() == "file"):
        raise ambiguous(text, "is a URL, not a path")


def _require_plain_percent(text: str) -> None:
    pieces = text.split("%")[1:]
    if any(_is_hex_pair(piece[:2]) for piece in pieces):
        raise ambiguous(text, "contains percent-encoding, which only some programs decode")
    if any(piece and "/" not in piece and " " not in piece for piece in pieces[:-1]):
        raise ambiguous(text, "contains a variable, whose value is unknown")


def _is_hex_pair(text: str) -> bool:
    return len(text) == 2 and all(c in "0123456789abcdefABCDEF" for c in text)


def _split_anchor(text: str, *, windows: bool) -> tuple[str, str]:
    """The anchor of a path and what follows, with `/` as the only separator left."""
    if text[0].isascii() and text[0].isalpha() and text[1:2] == ":":
        return _split_drive(text.replace("\\", "/"))
    if text.startswith("\\\\"):
        return _split_share(text)
    if "\\" in text and not windows:
        raise ambiguous(text, "contains a backslash, which separates on Windows only")
    text = text.replace("\\", "/")
    if text[0] == "/" and windows:
        raise ambiguous(text, "has no drive, and the current one is unknown")
    if text.startswith("//") and not text.startswith("///"):
        raise ambiguous(text, "starts with two slashes, which is a network share on some systems")
    return ("/", text[1:]) if text[0] == "/" else ("", text)


def _split_drive(text: str) -> tuple[str, str]:
    if text[2:3] != "/":
        raise ambiguous(text, "is relative to the current directory of a drive")
    return text[0].upper() + ":/", text[3:]


def _split_share(text: str) -> tuple[str, str]:
    server, _, rest = text[2:].replace("\\", "/").partition("/")
    share, _, rest = rest.partition("/")
    if server in ("", ".", "?") or not share.strip(".") or not server.strip("."):
        raise ambiguous(text, "is a Windows device path or an incomplete share")
    return f"\\\\{_windows_name(server, text)}/{_windows_name(share, text)}/", rest


def _windows_name(name: str, text: str) -> str:
    """A component as Windows compares it, in lower case; refused when Windows would read it differently."""
    if name in ("", ".", ".."):
        return name
    if any(c in '<>:"|?*¥₩' for c in name):
        raise ambiguous(text, "contains a character that Windows reserves, for streams or otherwise")
    if name[-1] in ". ":
        raise ambiguous(text, "has a component that ends in a dot or space, which Windows removes")
    if "~" in name and name.split("~", 1)[1][:1].isdigit():
        raise ambiguous(text, "contains a short Windows name, which stands for another")
    if name.split(".")[0].rstrip().lower() in _DEVICES:
        raise ambiguous(text, "names a Windows device")
    if not name.isascii() and (name.lower() != name.upper().lower() or any(map(_lowers_to_ascii, name))):
        raise ambiguous(text, "contains letters whose upper case is not certain")
    return name.lower()


def _lowers_to_ascii(character: str) -> bool:
    return not character.isascii() and any(c.isascii() for c in character.lower())


def _collapse(names: list[str], anchor: str, text: str) -> tuple[str, ...]:
    """`names` without `.`, `..` and empty ones."""
    kept: list[str] = []
    for name in names:
        if name == "..":
            _step_up(kept, anchor, text)
        elif name not in ("", "."):
            _require_true_name(name, text)
            kept.append(name)
            if anchor == "/" and _is_magic(kept):
                raise ambiguous(text, "goes through a link that the kernel keeps for each process")
    return tuple(kept)


def _step_up(kept: list[str], anchor: str, text: str) -> None:
    if kept and kept[-1] != "..":
        kept.pop()
    elif anchor:
        raise ambiguous(text, "goes above the root")
    else:
        kept.append("..")


def _require_true_name(name: str, text: str) -> None:
    if name != name.strip():
        raise ambiguous(text, "has a component with spaces at its ends, which some programs strip")
    if not name.strip("."):
        raise ambiguous(text, "has a component of dots only, which some systems read as `..`")


def _is_magic(parts: list[str]) -> bool:
    if parts[0] == "proc":
        return len(parts) > 2 and parts[-1] in _MAGIC_LINKS
    return parts == ["dev", "fd"]
