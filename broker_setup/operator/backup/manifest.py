"""What stands in an export's manifest, and whether an export is whole and ours to import; no I/O."""

import hmac
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from broker_setup.errors import ArgumentError
from broker_setup.topology import LEDGER
from broker_setup.wire.seals import secret_id
from broker_setup.wire.secret_keys import derived_key

MANIFEST = "manifest.json"
VERSION = 1


class ExportedFile(Struct, frozen=True):
    """A file with the messages of `queue`, one in each line, or of none; `sha256` is of all its bytes, in hex."""

    name: str
    queue: str
    messages: int
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True):
    """What an export has: its number `id`, when it was begun and ended (ISO 8601), its files, and what it lacks.

    `secrets` names each SECRET_KEY that return addresses may be sealed under, without telling anything of it. `missing`
    are the uuids of submissions that were under way and did not come, each with its course queue. `signature` is over
    all else, under the first secret: so the sums of the files are its too.
    """

    version: int
    id: str
    xqueue: str
    began: str
    ended: str
    secrets: Sequence[int]
    files: Sequence[ExportedFile]
    missing: dict[str, str]
    signature: str = ""

    @property
    def messages(self) -> int:
        """How many messages there are in all, beside the ledger's frames."""
        return sum(self.by_queue.values())

    @property
    def by_queue(self) -> dict[str, int]:
        """How many messages there are of each queue but the ledger."""
        return {file.queue: file.messages for file in self.files if file.queue not in {LEDGER, ""}}

    @property
    def frames(self) -> int:
        """How many frames of the ledger there are."""
        return sum(file.messages for file in self.files if file.queue == LEDGER)


class _Version(Struct):
    version: int


def encode_manifest(manifest: Manifest) -> bytes:
    """Make the file."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode_manifest(content: bytes) -> Manifest:
    """Read the file; raise ArgumentError where it is none, or of another version."""
    try:
        version = msgspec.json.decode(content, type=_Version).version
        if version != VERSION:
            raise ArgumentError(f"{MANIFEST} is of version {version}, and this XQueue reads {VERSION}: take another")
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ArgumentError(f"{MANIFEST} is not that of an export: {error}") from error


def signed(manifest: Manifest, secret: str) -> Manifest:
    """Sign a manifest."""
    return replace(manifest, signature=_signature(manifest, secret))


def check_signature(manifest: Manifest, secrets: Iterable[str]) -> None:
    """Raise ArgumentError unless a manifest is as it was made under one of `secrets`."""
    if not any(hmac.compare_digest(_signature(manifest, secret), manifest.signature) for secret in secrets):
        raise ArgumentError(f"{MANIFEST} is not as it was exported: its signature is another; take another copy")


def _signature(manifest: Manifest, secret: str) -> str:
    content = encode_manifest(replace(manifest, signature=""))
    return hmac.digest(derived_key(secret, "manifest of an export"), content, "sha256").hex()


def secrets_named(secrets: Iterable[str]) -> list[int]:
    """Name secrets as a manifest does."""
    return [secret_id(secret) for secret in secrets]


def check_secrets(manifest: Manifest, secrets: Iterable[str]) -> None:
    """Raise ArgumentError unless `secrets` has all under which an export's return addresses may be sealed."""
    if unknown := set(manifest.secrets) - set(secrets_named(secrets)):
        raise ArgumentError(
            f"the export was made under {len(unknown)} of {len(manifest.secrets)} SECRET_KEYs that are not set here: "
            "nothing of it could reach an LMS. Set SECRET_KEY and SECRET_KEY_FALLBACKS as they were"
        )
