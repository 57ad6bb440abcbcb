"""What the standard library has little of."""

import sys as sys, os.path, a.b as c
from .. import (d, e as f,)
from ...g.h import *
from sys import path
from importlib import import_module as load

if __name__ == "__main__":
    never = 1
elif first:
    def in_elif(): ...
elif TYPE_CHECKING:
    import never_either
else:
    def in_else(): ...

if typing.TYPE_CHECKING:
    import never_too
else:
    if inner:
        def in_inner(): ...
    elif other:
        class InOther: ...

if "__main__" == __name__: pass

@(  # a comment with an @
    first.decorator
)
@second(1, *args, key=[2], **more)
# between
async def decorated(a, /, b=1, *c, d, e=lambda: 0, **f) -> "x.y": yield

@(left @ right)
class Decorated(Base, metaclass=Meta):
    """Doc."""
    x: int
    y: list = []
    z = w = (yield_ := 3)
    @property
    def method(self): return self.x
    def nothing(self):
        "doc"
        return 1
    def documented(self):
        "doc"

class Generic[T, *Ts, **P](tuple[*Ts]): pass
type Alias[T] = list[T]

PARAMS = [
    1_000, 0xFF, 0b1, 0o7, -0, -1, - -1, +1, ~1, 1.5, -1e-7, 1e400, 2j, 18446744073709551616, ...,
    "a" 'b' "\x41\u00e9\N{BULLET}\101\
continued" r"\n", b"\xff" b'\0' rb"\d", "\ud800", u"u", """three
lines""", True, None, not x, -x, a @ b, a // b, a ** -b, a << b | c ^ d & e,
    a if b else c, a < b, a < b < c, a not in b, a is not b, a and b and c or d,
    [*a, *b], {*a}, {"k": v, **more}, {}, (), (1,), [i for i in x if i if j for k in i],
    {i for i in x}, {i: j for i, j in x}, (i async for i in x),
    x[1], x[1:2], x[::2, ...], x[*y], x[*y, 1], x[a:=1], f(i for i in x), f(*x, k=1, *y, **z),
    lambda: 0, lambda a, b: a, lambda a=1: a, lambda *a: a, lambda a, /, b: b, lambda *, k: k,
    f"", f"a{b}c" "d" f"{e!r}{{}}{f!s}", f"{a!a}", f"{a:>{width}}", f"{a=}", f"{a = !r:^20}",
    "x" f"{a['k']}" "y", rf"\{a}", f"{a == b} {a != b} {(lambda: 1)} {x:=^10}", F"{sys.path}",
    f"""{
        globals()
    }""", deep.a.b[0](1)(2).c, "unittest.mock.patch", "os.path:join", "not a.path", "1.2.3",
]

a.b, (c[0], *rest) = [d] = value
x += [1]
x @= y
del x, a.b, c[0]

for i, (j, *k) in zip(x, y):
    X.append(i)
else:
    Y = X
while n := f(n): pass
else: pass
with open(a) as b, c as (d, e.f), g: h = 1
with (open(a) as b, c,): pass
async def g():
    async with a as b: yield
    async for i in x: await i; [await y async for y in z]
try:
    import optional
except (A, B) as error:
    optional = None
except C: raise
else: Z = [1]
finally: del Z
try: pass
except* D as group: pass

match command.split():
    case [1, "x", -1, None, True, a.b]: one = 1
    case {"k": v, **rest}: pass
    case Point(x=[*items, 0], y=z) | Other(z, [*items, _]) as whole if guard(x): pass
    case (first, *_): pass
    case _: pass

pytest_plugins = ["plugin.one", name]
os = pytest.importorskip("os")
pytest.importorskip("numpy", minversion="1"); importorskip("late", reason="because")
if windows: pytest.skip("no", allow_module_level=True)
importlib.import_module("dotted.name"); load("x"); __import__(name); eval("1"); exec("2", {})
sys.path.insert(0, "x"); sys.modules["y"]; globals()["z"]; globals()["z"] = 1; vars()
monkeypatch.syspath_prepend("x")

def pytest_generate_tests(metafunc):
    """Doc."""
    if "fixture" in metafunc.fixturenames:
        metafunc.parametrize("fixture", [1, 2])
    elif "other" in metafunc.fixturenames:
        x = 1
    pass

class NotTheHook:
    def pytest_generate_tests(self, metafunc):
        if "a" in other.fixturenames: pass

def pytest_collection_modifyitems(config, items):
    for item in items:
        if "slow" in item.keywords and isinstance(item, X) and config.getoption("x"):
            item.add_marker(pytest.mark.skip)

class Modifies:
    def pytest_collection_modifyitems(session, items):
        items[:] = session.items

    def pytest_collection_modifyitems(items):
        for item in items:
            item.obj = 1

def touches(thing):
    global stray, other_stray
    thing.attr = CONSTANT
    a, b.c = 1, 2
    setattr(target, "x", [y])
    TABLE[0] = LIST
    LIST.sort(); sorted(UNTOUCHED); KEYS.keys(); return [g for g in GIVEN]

def test_body(): globals()["hidden"] = HIDDEN; import within
@pytest.fixture
def fixture(): return FIXED
(walrus := 1)
print((inner_walrus := 2))
