"""Erasing: a person is forgotten, and the log still verifies.

Takes the id of a person, destroys their key. What was sealed under it stays where it is, and nobody can open it
any more; the chain is over the sealed text, so nothing has to be changed. A record says that it was done, and
for which pseudonym, which by then leads to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardrails.audit.linking import own_record

if TYPE_CHECKING:
    from guardrails.audit.port import Home


def erase(home: Home, subject: str) -> str | None:
    """Destroy the key of a person; gives the pseudonym, None where there is no such person. Raises `AuditError`.

    Processes that write to the log notice within a second (see `guardrails.audit.subjects`); what they seal until
    then cannot be opened either.
    """
    subjects = home.subjects()
    handle = subjects.handle_of(subject)
    if handle is None:
        return None
    home.append([own_record("erased", {"principal": handle})])
    subjects.erase(subject)
    return handle
