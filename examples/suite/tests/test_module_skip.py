import pytest

pytest.importorskip("a_module_that_nobody_has")
