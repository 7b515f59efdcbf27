"""What can be read of a LiteRT file, changed in it and packed behind it, with the interpreter as witness."""

import zipfile

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from dermascan_core.errors import EngineError
from dermascan_core.model.compression import prune_kernel
from dermascan_core.model.export import export_network
from dermascan_core.model.litert_file import (
    EDGE_TPU_OPERATORS,
    change_kernels,
    operators,
    pack_files,
    packed_files,
    zipped_bytes,
)
from tests.small_network import random_squares


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    from dermascan_core.model.dual_branch import serving_model
    from tests.small_network import build_small_network

    weights = tmp_path_factory.mktemp("network") / "small.keras"
    return export_network(serving_model(build_small_network()), weights, format="litert")[0]


def _logits(data):
    interpreter = Interpreter(model_content=bytes(data))
    signature = interpreter.get_signature_runner()
    width = signature.get_input_details()["metadata"]["shape"][1]
    answers = signature(image=random_squares(1).astype(np.float32), metadata=np.full((1, width), 0.5, np.float32))
    return answers["output_0"][0]


def test_operators_are_counted_by_name(network_file):
    found = operators(network_file)

    assert (found["CONV_2D"], found["FULLY_CONNECTED"]) == (2, 3)
    assert set(found) <= EDGE_TPU_OPERATORS


def test_kernels_that_stay_give_the_same_answers(network_file):
    same = change_kernels(network_file.read_bytes(), lambda kernel: kernel)

    np.testing.assert_allclose(_logits(same), _logits(network_file.read_bytes()), atol=1e-5)


def test_every_kernel_is_changed_once_and_sees_channels_of_size_1(network_file):
    seen = []

    def halve(kernel):
        seen.append(kernel.shape)
        assert np.abs(kernel).max(axis=1) == pytest.approx(np.ones(len(kernel)))
        return kernel / 2

    changed = change_kernels(network_file.read_bytes(), halve)

    assert len(seen) == 5
    assert {(8, 75), (16, 72), (12, 20)} < set(seen)
    assert not np.allclose(_logits(changed), _logits(network_file.read_bytes()))


def test_network_without_kernels_answers_its_bias_alone(network_file):
    empty = change_kernels(network_file.read_bytes(), np.zeros_like)

    np.testing.assert_array_equal(_logits(empty), np.zeros(len(_logits(empty))))  # biases of a new network are 0


def test_pruned_network_zips_smaller_and_is_as_large(network_file):
    data = network_file.read_bytes()

    pruned = change_kernels(data, lambda kernel: prune_kernel(kernel, 0.7))

    assert abs(len(pruned) - len(data)) < 2000
    assert zipped_bytes(pruned) < 0.75 * zipped_bytes(data)


def test_packed_files_are_seen_by_zip_readers_and_not_by_the_interpreter(network_file, tmp_path):
    path = tmp_path / "packed.tflite"
    path.write_bytes(network_file.read_bytes())

    pack_files(path, {"labels.txt": b"mel\nnv\n", "model.json": '{"α": 1}'.encode()})

    assert path.read_bytes().startswith(network_file.read_bytes())
    assert packed_files(path) == {"labels.txt": b"mel\nnv\n", "model.json": '{"α": 1}'.encode()}
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    np.testing.assert_array_equal(_logits(path.read_bytes()), _logits(network_file.read_bytes()))
    Interpreter(str(path)).allocate_tensors()
    assert operators(path) == operators(network_file)


def test_packing_twice_the_same_gives_the_same_bytes(network_file, tmp_path):
    packed = []
    for name in ("a", "b"):
        path = tmp_path / name
        path.write_bytes(network_file.read_bytes())
        pack_files(path, {"labels.txt": b"mel\n"})
        packed.append(path.read_bytes())

    assert packed[0] == packed[1]


def test_file_with_nothing_packed_has_no_files(network_file):
    assert packed_files(network_file) == {}


@pytest.mark.parametrize("content", [b"", b"no network", b"PK\x03\x04" + bytes(100)])
def test_file_that_is_no_network_is_one_sentence(content, tmp_path):
    path = tmp_path / "odd.tflite"
    path.write_bytes(content)

    with pytest.raises(
        EngineError, match=r"^Expected a LiteRT network in 'odd\.tflite'\. It is none\. Export it again\.$"
    ):
        operators(path)
