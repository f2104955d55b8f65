"""A Dockerfile as data, as far as tests of ours need it."""

import json
import re
from dataclasses import dataclass

from tests.support.project import text


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in upper case, the rest on one line, and the stage that it stands in (from 0)."""

    name: str
    value: str
    stage: int

    @property
    def words(self) -> list[str]:
        """The arguments, of a shell or a JSON form."""
        found: list[str] = json.loads(self.value) if self.value.startswith("[") else self.value.split()
        return found


def instructions(path: str) -> list[Instruction]:
    lines = [line for line in text(path).split("\n") if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found: list[Instruction] = []
    stage = -1
    for line in filter(None, (line.strip() for line in joined.split("\n"))):
        name, value = line.split(maxsplit=1)
        stage += name.upper() == "FROM"
        found.append(Instruction(name.upper(), re.sub(r"\s+", " ", value), stage))
    return found


def environment(of: list[Instruction]) -> dict[str, str]:
    pairs = [re.findall(r'(\w+)=("[^"]*"|\S+)', each.value) for each in of if each.name == "ENV"]
    return {name: value.strip('"') for each in pairs for name, value in each}
