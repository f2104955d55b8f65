"""A private node in a folder in which RabbitMQ can't run."""

from pathlib import Path

import pytest

from deploy.local.errors import BootError
from deploy.local.node import PrivateNode


@pytest.mark.parametrize("folder", ["my xqueue", "f\u00fcr mich"])
def test_it_is_refused_in_one_sentence_and_can_be_stopped_all_the_same(tmp_path: Path, folder: str) -> None:
    node = PrivateNode(tmp_path / folder)
    with pytest.raises(BootError, match=f"RabbitMQ can't run in .*{folder}.*XQUEUE_DATA_DIR"):
        node.start()
    node.stop()
    assert not (tmp_path / folder).exists()
