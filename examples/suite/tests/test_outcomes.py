"""One test for each way in which a test can end, so that a report has something to show."""

import logging
import sys
import warnings

import pytest

log = logging.getLogger(__name__)


def test_passes():
    assert 1 + 1 == 2


def test_fails(borrowed):
    print("on stdout")
    print("on stderr", file=sys.stderr)
    log.warning("in the log")
    assert borrowed == ["dune", "persuasion"]


@pytest.fixture
def broken():
    raise RuntimeError("no such shelf")


def test_error_in_setup(broken):
    pass


@pytest.fixture
def leaves_a_mess():
    yield
    raise RuntimeError("could not clean up")


def test_error_in_teardown(leaves_a_mess):
    pass


def test_unknown_fixture(no_such_fixture):
    pass


@pytest.mark.skip(reason="not on Sundays")
def test_skipped():
    pass


def test_skips_itself():
    pytest.skip("nothing to do")


@pytest.mark.xfail(reason="known defect")
def test_fails_as_expected():
    assert False


@pytest.mark.xfail(reason="was a defect")
def test_passes_unexpectedly():
    pass


@pytest.mark.xfail(reason="was a defect", strict=True)
def test_passes_although_it_must_not():
    pass


def test_warns():
    warnings.warn("old shelves will be removed", DeprecationWarning, stacklevel=1)


def test_properties(record_property):
    record_property("shelf", "upper")


def test_raises_from():
    try:
        {}["missing"]
    except KeyError as error:
        raise ValueError("no such book") from error
