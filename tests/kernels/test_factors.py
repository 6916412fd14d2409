"""Weights are taken apart into outer products where one or two suffice, whole ones exactly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imgconv import load_kernel
from imgconv.kernels.factors import outer_products

whole = st.integers(-30, 30)


def vectors(size: int) -> st.SearchStrategy[list[int]]:
    """Vectors of whole numbers that are not all zero."""
    return st.lists(whole, min_size=size, max_size=size).filter(any)


@settings(max_examples=200)
@given(st.data(), st.integers(1, 6), st.integers(1, 6), st.integers(1, 2))
def test_whole_products_add_up_exactly(data, height, width, rank):
    """A sum of one or two products of whole vectors is found again, without a rounding error."""
    weights = np.zeros((height, width), object)
    for _ in range(rank):
        weights += np.outer(data.draw(vectors(height)), data.draw(vectors(width))).astype(object)
    if not weights.any():
        return
    found = outer_products(weights.tolist())
    assert found is not None
    multiplier, products = found
    assert multiplier > 0
    assert len(products) <= rank
    total = sum(np.outer(np.array(c, object), np.array(r, object)) for c, r in products)
    assert (total == multiplier * weights).all()


def test_a_product_of_whole_vectors_needs_no_multiplier():
    """Accumulators stay as small as the weights allow."""
    assert outer_products([[2, 4, 2], [4, 8, 4], [2, 4, 2]]) == (1, [((2, 4, 2), (1, 2, 1))])


def test_weights_of_a_higher_rank_are_left_alone():
    """Three independent rows are no sum of two products, nor are those of real weights."""
    assert outer_products(np.eye(3, dtype=int).tolist()) is None
    assert outer_products((np.eye(3) * 0.3).tolist()) is None


def test_real_products_add_up_closely():
    """A Gaussian is one product, a difference of two Gaussians two."""

    def gaussian(sigma: float) -> np.ndarray:
        row = np.exp(-(np.arange(-9, 10) ** 2) / (2 * sigma**2))
        return np.outer(row, row) / row.sum() ** 2

    for weights, count in ((gaussian(2.0), 1), (gaussian(1.5) - gaussian(3.0), 2)):
        found = outer_products(weights.tolist())
        assert found is not None
        multiplier, products = found
        assert (multiplier, len(products)) == (1, count)
        total = sum(np.outer(c, r) for c, r in products)
        np.testing.assert_allclose(total, weights, rtol=0, atol=1e-14)


def test_the_unsharp_mask_of_the_catalogue_is_of_rank_two():
    """Twice the identity less a binomial blur: two products."""
    found = outer_products(load_kernel("sharpen-unsharp").weights)
    assert found is not None
    assert len(found[1]) == 2
