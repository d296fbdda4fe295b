"""Models that judge texts: the port, and classifiers in the form of Hugging Face's `transformers`.

Takes a text, gives a score. Nothing is ever downloaded: a model is a folder on this machine.
"""

from __future__ import annotations

from typing import Any, Protocol

from guardrails.errors import Unavailable

WINDOW = 512
"""Tokens that the model is shown at once; a longer text is shown in windows that overlap by a quarter."""

_NAMES = ("inject", "jailbreak", "malicious", "unsafe", "attack")
_CURE = "install it with `pip install 'guard-policy[injection-model]'`"


class Model(Protocol):
    """Something that judges a whole text."""

    def score(self, text: str) -> float:
        """From 0, a text like any other, to 1, an injection. Raises `Unavailable` when it cannot say."""


class TransformersModel:
    """A sequence classifier from a local folder, with its tokenizer.

    `label` is the index or name of the class that means an injection; without it the one whose name says so, or
    the last of two. Raises `Unavailable` when the extra is not installed or the folder holds no such model.
    """

    def __init__(self, path: str, *, label: int | str | None = None) -> None:
        self._torch, transformers = _libraries()
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(
                path, local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise Unavailable(f"`{path}` holds no classifier that can be loaded: {error}") from error
        self._model = model.eval()
        self._label = _label_of(model.config.id2label, label)

    def score(self, text: str) -> float:
        """The highest probability of the label over all windows of the text."""
        window = min(WINDOW, self._model.config.max_position_embeddings)
        encoded = self._tokenizer(
            text, truncation=True, max_length=window, stride=window // 4, padding=True,
            return_overflowing_tokens=True, return_tensors="pt",
        )  # fmt: skip
        encoded.pop("overflow_to_sample_mapping", None)
        with self._torch.no_grad():
            logits = self._model(**encoded).logits
        return float(self._torch.softmax(logits, dim=-1)[:, self._label].max())


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise Unavailable(f"the library `{error.name}` that runs the model is not there; {_CURE}") from error
    return torch, transformers


def _label_of(names: dict[int, str], label: int | str | None) -> int:
    """The index of the class that means an injection."""
    if isinstance(label, int) and label in names:
        return label
    wanted = [str(label).lower()] if label is not None else list(_NAMES)
    for index, name in names.items():
        if any(part in name.lower() for part in wanted):
            return index
    if label is None and len(names) == 2:
        return max(names)
    known = ", ".join(f"`{name}`" for name in names.values())
    raise Unavailable(
        f"which label of the model means an injection is not clear; name one of {known} as `label`"
    )
