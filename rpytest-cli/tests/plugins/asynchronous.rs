//! Tests that are coroutines: pytest-asyncio, anyio.

use crate::holds;
use crate::plugin::{PLAIN, Plugin, Step};

pub const ASYNCIO: Plugin = Plugin {
    name: "pytest-asyncio",
    version: "1.5.0",
    files: LOOPS,
    steps: &[Step {
        arguments: &[],
        counts: "1 failed, 5 passed, 1 xfailed",
    }],
    ..PLAIN
};

#[test]
fn asyncio() {
    holds(&ASYNCIO);
}

pub const ANYIO: Plugin = Plugin {
    name: "anyio",
    version: "4.16.0",
    with: &["trio==0.35.0"],
    files: BACKENDS,
    steps: &[Step {
        arguments: &[],
        counts: "1 failed, 7 passed",
    }],
    ..PLAIN
};

#[test]
fn anyio() {
    holds(&ANYIO);
}

const LOOPS: &str = "
--- pytest.ini
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
--- conftest.py
import asyncio, pytest_asyncio
async def answer(reader, writer):
    writer.write((await reader.read(10)).upper())
    writer.close()
@pytest_asyncio.fixture(scope='session', loop_scope='session')
async def address():
    server = await asyncio.start_server(answer, '127.0.0.1', 0)
    yield server.sockets[0].getsockname()
    server.close()
--- test_a.py
import asyncio, pytest
LOOP = asyncio.new_event_loop()
async def test_sleep():
    await asyncio.sleep(0.01)
@pytest.mark.parametrize('text', [b'a', b'b'])
@pytest.mark.asyncio(loop_scope='session')
async def test_server(address, text):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(text)
    writer.write_eof()
    assert await reader.read() == text.upper()
    writer.close()
async def test_wrong():
    print('before')
    await asyncio.sleep(0)
    assert 1 == 2
@pytest.mark.xfail
async def test_expected():
    assert 0
async def test_program():
    program = await asyncio.create_subprocess_exec('echo', 'x', stdout=asyncio.subprocess.PIPE)
    assert (await program.communicate())[0] == b'x\\n'
def test_loop_of_the_module():
    assert LOOP.run_until_complete(asyncio.sleep(0.01, 5)) == 5
    LOOP.close()
";

const BACKENDS: &str = "
--- conftest.py
import pytest
@pytest.fixture(params=['asyncio', 'trio'])
def anyio_backend(request):
    return request.param
@pytest.fixture
async def backend(anyio_backend):
    yield anyio_backend
--- test_a.py
import anyio, pytest
pytestmark = pytest.mark.anyio
async def test_sleep(backend):
    await anyio.sleep(0.01)
async def test_thread():
    assert await anyio.to_thread.run_sync(lambda: 4) == 4
async def test_program():
    assert (await anyio.run_process(['echo', 'x'])).stdout == b'x\\n'
async def test_wrong(backend):
    assert backend == 'asyncio'
";
