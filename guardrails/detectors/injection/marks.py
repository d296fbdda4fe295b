"""Marks that only the inside of a model's prompt has, hidden characters, and links that carry data out.

Takes a text as it was given or spelled plainly, gives reasons. These need no words of any language.
"""

from __future__ import annotations

import re

from guardrails.detectors.injection.matching import QUOTED, is_told
from guardrails.detectors.injection.signal import Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS = (
    ("delimiter", 0.85, "a delimiter of a model's prompt", "<| inst] sys>> _of_turn> system_prompt] _tools] tool_results]",
     r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text"
     r"|endofprompt|channel|message)\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS)\]"),
    ("delimiter", 0.6, "a line that poses as another speaker", "system developer assistant",
     r"^[ \t>*]{0,4}(?:#{1,4} ?|\*\*|\[|<|\(|={2,} ?|-{2,} ?)/?"
     r"(?:system|developer|assistant|system (?:prompt|message|note|override|instructions?))"
     r"(?:\*\*:?|\]:?|>|\):?|:| ?={2,}| ?-{2,}|$)"),
    ("delimiter", 0.45, "a line that poses as another speaker", "system developer assistant human",
     r"^[ \t]{0,4}(?:system|developer|system message|system prompt|assistant|human)[ ]?:[ ]?\S"),
    ("delimiter", 0.55, "a message in the form of a chat", "role",
     r"[\"']role[\"']\s{0,3}:\s{0,3}[\"'](?:system|developer|assistant)[\"']\s{0,3},\s{0,3}[\"']content[\"']"),
    ("tool", 0.65, "a call or an answer of a tool, written out", "<",
     r"</?(?:function_calls?|invoke|tool_calls?|tool_use|tool_results?"
     r"|function_results?|antml:[a-z_]{1,20}|tool_response)(?:\s[^<>\n]{0,80})?>"
     r"|<\|(?:tool_call|python_tag|tool_calls?_begin)\|>"),
    ("tool", 0.5, "a call of a tool, written out", "tool function observation action",
     r"[\"'](?:tool_calls|function_call|tool_name|tool_use)[\"']\s{0,3}:\s{0,3}[\[{\"']"
     r"|^\s{0,4}(?:Action Input|Observation|Tool (?:output|result|response)|Function result)\s?:\s?\S"),
    ("exfiltration", 0.6, "an image whose address waits for data", "](",
     r"!\[[^\]\n]{0,100}\]\(\s?https?://[^\s)]{1,200}\?[^\s)]{0,200}(?:=\s?(?:\{|<|\[|%7B|\$|DATA|BASE64|SECRET|HERE|YOUR|INSERT"
     r"|ENCODED)|=\)|=\s)"),
    ("exfiltration", 0.5, "a link whose address waits for data", "http",
     r"https?://[^\s)\"'<>]{1,200}[?&/](?:[\w.-]{1,30}=)?(?:\{\{?"
     r"(?:data|secret|conversation|history|prompt|summary|email|token|password|key|content|user|chat|context|message)"
     r"[\w ]{0,20}\}|\["
     r"(?:data|secret|conversation|history|prompt|summary|token|password|content|user|insert)[^\]\n]{0,40}\]"
     r"|<(?:data|secret|conversation|history|prompt|summary|token|password|content|user|base64|insert)[^>\n]{0,40}>)"),
    ("exfiltration", 0.4, "an image with a long query", "]( <img",
     r"(?:!\[[^\]\n]{0,100}\]\(\s?|<img[^>\n]{0,80}src=[\"']?)https?://[^\s)\"'>]{1,200}\?[\w.-]{1,30}=[A-Za-z0-9+/%_=-]{48,1000}"),
    ("hidden", 0.35, "text that is styled not to be seen", "font-size color opacity display",
     r"(?:font-size\s?:\s?[01](?:px|pt|em)?|color\s?:\s?(?:white|#fff(?:fff)?)\s?[;\"']"
     r".{0,60}background(?:-color)?\s?:\s?(?:white|#fff)|opacity\s?:\s?0\s?[;\"']"
     r"|display\s?:\s?none)"),
)  # fmt: skip

_TAGS = re.compile("[\U000e0020-\U000e007f]{3,}")
_FLAG = "\U0001f3f4"
_ZERO_WIDTH = re.compile("[\u200b\u200c\u200d\u2060\u2061-\u2064\ufeff]{4,}")
_SPLIT = re.compile("[A-Za-z][\u200b\u2060\u2062-\u2064\ufeff][A-Za-z]")
_OVERRIDE = re.compile("[\u202d\u202e]")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_FEWEST_SPLIT = 3
_COMPILED = tuple((kind, weight, words, tuple(needs.split()), re.compile(pattern, re.IGNORECASE | re.MULTILINE))
                  for kind, weight, words, needs, pattern in _MARKS)  # fmt: skip


def marks(text: str) -> Iterator[Reason]:
    """Every mark in a plain text; of each kind the first. A pattern is tried where one of its literals is."""
    lowered = text.lower()
    for kind, weight, words, needs, pattern in _COMPILED:
        if any(literal in lowered for literal in needs) and (found := pattern.search(text)):
            told = is_told(text, *found.span())
            yield Reason(kind, *found.span(), round(weight * QUOTED, 4) if told else weight, words)


def hidden(text: str) -> Iterator[Reason]:
    """Characters of the text as given that show as nothing or turn its direction."""
    if text.isascii():
        return
    for tag in _TAGS.finditer(text):
        if text[tag.start() - 1 : tag.start()] != _FLAG:
            yield Reason("hidden", *tag.span(), 0.8, "text in invisible tag characters")
    for pattern, weight, words in (
        (_ZERO_WIDTH, 0.5, "a run of characters without width"),
        (_SELECTORS, 0.6, "bytes hidden in variation selectors"),
        (_OVERRIDE, 0.4, "a character that turns the direction of the text"),
    ):
        if found := pattern.search(text):
            yield Reason("hidden", *found.span(), weight, words)
    splits = list(_SPLIT.finditer(text))
    if len(splits) >= _FEWEST_SPLIT:
        yield Reason(
            "hidden", splits[0].start(), splits[-1].end(), 0.4, "words split by characters without width"
        )


def tag_texts(text: str) -> Iterator[tuple[int, int, str]]:
    """Where text is written in tag characters, and what it says."""
    for found in _TAGS.finditer(text):
        yield *found.span(), "".join(chr(ord(c) - 0xE0000) for c in found.group())
