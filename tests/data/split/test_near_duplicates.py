"""Near-duplicates and images of the same scene are found; others are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tmunet.data.split import near_duplicates
from tmunet.data.split.near_duplicates import (
    NEAR_DUPLICATE,
    SAME_SCENE,
    clusters,
    find_nearest,
    find_similar_pairs,
    signature,
)


def scene(seed: int, height: int = 120, width: int = 160) -> np.ndarray:
    """Soft colored blobs, (H, W, 3) of 40 to 200."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = gaussian_filter(noise, (8, 8, 0))
    low, high = smooth.min(), smooth.max()
    return (40 + 160 * (smooth - low) / (high - low)).astype(np.uint8)


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    return float(signature(a) @ signature(b))


def test_a_signature_has_mean_0_and_length_1():
    made = signature(scene(0))
    assert (made.shape, made.dtype) == ((64 * 64,), np.float32)
    assert made.mean() == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(made) == pytest.approx(1, abs=1e-5)


def test_the_similarity_of_two_small_images_is_their_correlation():
    random = np.random.default_rng(0)
    a, b = random.integers(0, 256, (2, 64, 64), dtype=np.uint8)
    expected = np.corrcoef(a.ravel(), b.ravel())[0, 1]
    assert similarity(a[..., None], b[..., None]) == pytest.approx(expected, abs=1e-5)


def test_a_uniform_image_has_no_similar_one():
    flat = signature(np.full((20, 30, 3), 90, np.uint8))
    assert not flat.any()
    assert list(find_similar_pairs([flat, flat, signature(scene(0))], SAME_SCENE)) == []


def changed(image: np.ndarray) -> dict[str, np.ndarray]:
    """The same picture, saved in other ways."""
    gray = np.asarray(Image.fromarray(image).convert("L"))
    return {
        "darker": (image * 0.7 + 5).astype(np.uint8),
        "larger": np.asarray(Image.fromarray(image).resize((400, 300), Image.Resampling.BILINEAR)),
        "gray": gray[..., None],
        "16 bits": gray[..., None].astype(np.uint16) * 100,
        "noisy": (image + np.random.default_rng(1).normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8),
    }


@pytest.mark.parametrize("how", ["darker", "larger", "gray", "16 bits", "noisy"])
def test_the_same_picture_saved_otherwise_is_a_near_duplicate(how):
    image = scene(3)
    assert similarity(image, changed(image)[how]) > NEAR_DUPLICATE


def test_a_small_movement_is_the_same_scene():
    wide = scene(4, width=164)
    assert SAME_SCENE < similarity(wide[:, :160], wide[:, 2:162]) < NEAR_DUPLICATE
    assert abs(similarity(scene(4), scene(5))) < 0.8
    assert abs(similarity(scene(4), scene(4)[::-1])) < 0.8


@pytest.mark.parametrize("rows", [1, 3, 1024])
def test_pairs_are_those_of_the_correlation_matrix(monkeypatch, rows):
    monkeypatch.setattr(near_duplicates, "_ROWS", rows)
    random = np.random.default_rng(2)
    base = random.normal(size=(4, 50))
    vectors = base[random.integers(0, 4, 10)] + random.normal(0, 0.15, (10, 50))
    vectors -= vectors.mean(axis=1, keepdims=True)
    group = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    matrix = np.corrcoef(vectors)
    expected = [(i, j) for i in range(10) for j in range(i + 1, 10) if matrix[i, j] > SAME_SCENE]
    found = list(find_similar_pairs(list(group), SAME_SCENE))
    assert 0 < len(expected) < 45
    assert [(i, j) for i, j, _ in found] == expected
    assert [r for _, _, r in found] == pytest.approx([matrix[i, j] for i, j in expected], abs=1e-5)


def test_no_image_has_no_pair_and_a_similarity_is_at_most_1():
    assert list(find_similar_pairs([], SAME_SCENE)) == []
    same = signature(scene(6))
    assert [(i, j) for i, j, r in find_similar_pairs([same] * 3, NEAR_DUPLICATE) if 0.999 < r <= 1] == [
        (0, 1),
        (0, 2),
        (1, 2),
    ]


@given(st.integers(1, 20).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_clusters_are_the_connected_components(graph):
    count, pairs = graph
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    edges = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(count, count))
    _, expected = connected_components(edges, directed=False)
    found = clusters(count, pairs)
    same = np.equal.outer(found, found)
    assert np.array_equal(same, np.equal.outer(expected, expected))
    assert sorted(set(found), key=found.index) == list(range(len(set(found))))


@given(st.integers(0, 2**31), st.integers(0, 9), st.integers(0, 9))
def test_the_nearest_image_is_that_of_a_comparison_of_all_pairs(seed, count, others):
    random = np.random.default_rng(seed)
    base = random.standard_normal(4096)

    def draw(n):
        noisy = [base + random.uniform(0.1, 0.5) * random.standard_normal(4096) for _ in range(n)]
        return [((x - x.mean()) / np.linalg.norm(x - x.mean())).astype(np.float32) for x in noisy]

    here, there = draw(count), draw(others)
    found = {i: (j, similarity) for i, j, similarity in find_nearest(here, there, SAME_SCENE)}
    for i, one in enumerate(here):
        similarity = [float(one.astype(float) @ other.astype(float)) for other in there]
        if max(similarity, default=0) > SAME_SCENE + 1e-5:
            assert similarity[found[i][0]] == pytest.approx(max(similarity), abs=1e-5)
            assert found[i][1] == pytest.approx(max(similarity), abs=1e-5)
        elif max(similarity, default=0) < SAME_SCENE - 1e-5:
            assert i not in found


def test_many_images_are_compared_a_part_at_a_time(monkeypatch):
    monkeypatch.setattr(near_duplicates, "_ROWS", 3)
    signatures = [signature(np.random.default_rng(i // 2).integers(0, 255, (70, 70, 3), np.uint8)) for i in range(10)]
    assert [(i, j) for i, j, _ in find_nearest(signatures, signatures[::2], SAME_SCENE)] == [
        (i, i // 2) for i in range(10)
    ]


def test_a_dim_picture_is_known_again_and_the_noise_of_a_flat_one_is_not():
    dim = (60 + (scene(0).astype(float) - 120) / 10).astype(np.uint8)  # some 16 gray values
    assert similarity(dim, scene(0)) > SAME_SCENE
    flat = np.full((64, 64, 3), 90, np.uint8)
    flat[10, 10:14] = 91
    assert not signature(flat).any()
