import pytest


@pytest.mark.parametrize("year", [1815, 1965, pytest.param(1816, id="wrong")])
@pytest.mark.parametrize("title", ["dune", "emma"])
def test_years(shelf, title, year):
    assert (shelf[title] == year) == ((title, year) in {("dune", 1965), ("emma", 1815)})


@pytest.fixture(params=["paper", "ebook"], scope="module")
def edition(request):
    return request.param


class TestEditions:
    def test_name(self, edition):
        assert edition in ("paper", "ebook")

    class TestNested:
        def test_length(self, edition):
            assert len(edition) == 5


@pytest.mark.slow
@pytest.mark.parametrize("number", range(30))
def test_many(number, tmp_path):
    (tmp_path / "page").write_text(str(number))
    assert (tmp_path / "page").read_text() == str(number)
