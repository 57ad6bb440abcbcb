"""Fixtures of the example suite."""

import pytest


@pytest.fixture(scope="session")
def shelf():
    """One shelf a session."""
    books = {"dune": 1965, "emma": 1815}
    yield books
    books.clear()


@pytest.fixture
def borrowed(shelf):
    print("borrowing")
    yield sorted(shelf)
    print("returning")
