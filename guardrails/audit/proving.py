"""Proofs: that one record is in a log, for somebody who may not see the others.

Takes a record's place or id, gives the record, the hashes beside its way to the root, and a signed checkpoint
with that root. Whoever has the public key can check it, without the log and without its secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.audit.chain import seq_of
from guardrails.audit.checkpoints import is_signed
from guardrails.audit.errors import AuditError
from guardrails.audit.merkle import leaf, path, root_from

if TYPE_CHECKING:
    from guardrails.audit.port import Home


def prove(home: Home, record: str) -> dict[str, Any]:
    """The proof of a record, named by its place (`17`) or the id of its decision. Raises `AuditError` when there is
    none, and for a log that was changed."""
    checkpoint = home.linker.signed(home.head())
    leaves, index, line = _read(home, record, checkpoint["size"])
    if index < 0:
        raise AuditError(
            f"there is no record `{record}` in the log: name its place, or the id of its decision"
        )
    proof = path(leaves, index)
    if root_from(leaves[index], index, len(leaves), proof) != bytes.fromhex(checkpoint["root"]):
        raise AuditError("the log is not what its head says: `guard audit verify` says more")
    return {
        "record": line.decode(),
        "index": index,
        "path": [each.hex() for each in proof],
        "checkpoint": checkpoint,
    }


def _read(home: Home, record: str, size: int) -> tuple[list[bytes], int, bytes]:
    """The hashes of all records, and which one is meant."""
    wanted = b'"id":"%s"' % record.encode()
    leaves: list[bytes] = []
    index, found = -1, b""
    for part in home.parts():
        for line in part.lines:
            if len(leaves) == size:
                break
            plain = line.rstrip(b"\n")
            if index < 0 and (record == str(seq_of(plain)) or wanted in plain[:240]):
                index, found = len(leaves), plain
            leaves.append(leaf(plain))
    return leaves, index, found


def check_proof(proof: Any, public: bytes) -> dict[str, Any]:
    """The checkpoint that a proof ends at. Raises `AuditError` for a proof that proves nothing."""
    try:
        line, index = proof["record"].encode(), int(proof["index"])
        checkpoint: dict[str, Any] = proof["checkpoint"]
        siblings = [bytes.fromhex(each) for each in proof["path"]]
        size, root = int(checkpoint["size"]), bytes.fromhex(checkpoint["root"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AuditError(f"this is no proof: {type(error).__name__} at {error}") from error
    if not is_signed(checkpoint, public):
        raise AuditError("the checkpoint of the proof was not signed by the holder of this public key")
    if seq_of(line) != index:
        raise AuditError(f"the record says that it is {seq_of(line)}, and the proof is about {index}")
    if root_from(leaf(line), index, size, siblings) != root:
        raise AuditError(
            "the record is not in the log that the checkpoint is of: it or its proof was changed"
        )
    return checkpoint
