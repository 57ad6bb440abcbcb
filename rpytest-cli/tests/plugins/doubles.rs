//! Things that stand for others: pytest-mock, requests-mock, respx, pytest-httpx, pytest-socket, pytest-env.

use crate::holds;
use crate::plugin::{PLAIN, Plugin, Step};

pub const MOCK: Plugin = Plugin {
    name: "pytest-mock",
    version: "3.17.0",
    files: MOCKS,
    steps: &[Step {
        arguments: &[],
        counts: "1 failed, 4 passed",
    }],
    ..PLAIN
};

#[test]
fn mock() {
    holds(&MOCK);
}

pub const REQUESTS_MOCK: Plugin = Plugin {
    name: "requests-mock",
    version: "1.12.1",
    with: &["requests==2.34.2"],
    files: REQUESTS,
    steps: &[Step {
        arguments: &[],
        counts: "1 failed, 4 passed",
    }],
    ..PLAIN
};

#[test]
fn requests_mock() {
    holds(&REQUESTS_MOCK);
}

pub const RESPX: Plugin = Plugin {
    name: "respx",
    version: "0.23.1",
    with: &["httpx==0.28.1"],
    files: ROUTES,
    steps: &[Step {
        arguments: &[],
        counts: "1 failed, 4 passed",
    }],
    ..PLAIN
};

#[test]
fn respx() {
    holds(&RESPX);
}

pub const HTTPX: Plugin = Plugin {
    name: "pytest-httpx",
    version: "0.36.2",
    with: &["httpx==0.28.1"],
    files: RESPONSES,
    steps: &[Step {
        arguments: &[],
        counts: "1 failed, 4 passed, 2 errors",
    }],
    ..PLAIN
};

#[test]
fn httpx() {
    holds(&HTTPX);
}

pub const SOCKET: Plugin = Plugin {
    name: "pytest-socket",
    version: "0.8.1",
    files: SOCKETS,
    steps: &[
        Step {
            arguments: &["--disable-socket", "--allow-unix-socket", "--tb=short"],
            counts: "2 failed, 4 passed, 4 warnings",
        },
        Step {
            arguments: &["--allow-hosts=127.0.0.1", "--tb=short"],
            counts: "2 failed, 4 passed, 4 warnings",
        },
    ],
    ..PLAIN
};

#[test]
fn socket() {
    holds(&SOCKET);
}

pub const ENV: Plugin = Plugin {
    name: "pytest-env",
    version: "1.8.5",
    files: ENVIRONMENT,
    steps: &[Step {
        arguments: &[],
        counts: "1 failed, 3 passed",
    }],
    ..PLAIN
};

#[test]
fn env() {
    holds(&ENV);
}

const MOCKS: &str = "
--- test_a.py
import os, pytest
def test_patch(mocker):
    mocked = mocker.patch('os.getcwd', return_value='/x')
    assert os.getcwd() == '/x'
    mocked.assert_called_once_with()
def test_undone():
    assert os.getcwd() != '/x'
def test_wrong_call(mocker):
    mock = mocker.Mock()
    mock(1, a=2)
    mock.assert_called_once_with(2, a=3)
def test_spy(mocker):
    spy = mocker.spy(os.path, 'basename')
    os.path.basename('a/b')
    assert spy.spy_return == 'b'
@pytest.fixture(scope='session')
def processors(session_mocker):
    return session_mocker.patch('os.cpu_count', return_value=77)
def test_session(processors):
    assert os.cpu_count() == 77
";

const REQUESTS: &str = "
--- app.py
import requests
def price(name):
    answer = requests.get('http://shop.test/price', params={'name': name})
    answer.raise_for_status()
    return answer.json()['price']
--- test_a.py
import pytest, requests
from app import price
def test_price(requests_mock):
    requests_mock.get('http://shop.test/price', json={'price': 3})
    assert price('dune') == 3
    assert requests_mock.last_request.qs == {'name': ['dune']}
@pytest.mark.parametrize('status', [404, 500])
def test_status(requests_mock, status):
    requests_mock.get('http://shop.test/price', status_code=status)
    with pytest.raises(requests.HTTPError):
        price('dune')
def test_answers_in_turn(requests_mock):
    requests_mock.get('http://shop.test/price', [{'json': {'price': 1}}, {'json': {'price': 2}}])
    assert [price('a'), price('a')] == [1, 2]
    assert requests_mock.call_count == 2
def test_nobody_answers(requests_mock):
    price('dune')
";

const ROUTES: &str = "
--- test_a.py
import httpx, pytest
def test_route(respx_mock):
    route = respx_mock.get('https://shop.test/books/1').respond(200, json={'id': 1})
    assert httpx.get('https://shop.test/books/1').json() == {'id': 1}
    assert route.called and route.call_count == 1
@pytest.mark.respx(base_url='https://shop.test')
def test_base(respx_mock):
    respx_mock.post('/books').mock(return_value=httpx.Response(201))
    assert httpx.post('https://shop.test/books', json={}).status_code == 201
@pytest.mark.respx(assert_all_called=False)
def test_not_all_called(respx_mock):
    respx_mock.get('https://shop.test/never')
def test_not_called(respx_mock):
    respx_mock.get('https://shop.test/never')
def test_nobody_answers(respx_mock):
    httpx.get('https://shop.test/books')
";

const RESPONSES: &str = "
--- test_a.py
import httpx, pytest
def test_response(httpx_mock):
    httpx_mock.add_response(url='https://shop.test/a', json={'a': 1})
    assert httpx.get('https://shop.test/a').json() == {'a': 1}
    assert httpx_mock.get_requests()[0].method == 'GET'
def test_exception(httpx_mock):
    httpx_mock.add_exception(httpx.ReadTimeout('no answer'))
    with pytest.raises(httpx.ReadTimeout):
        httpx.get('https://shop.test/a')
@pytest.mark.httpx_mock(assert_all_responses_were_requested=False)
def test_not_all_requested(httpx_mock):
    httpx_mock.add_response(url='https://shop.test/never')
def test_not_requested(httpx_mock):
    httpx_mock.add_response(url='https://shop.test/never')
def test_nobody_answers(httpx_mock):
    httpx.get('https://shop.test/b')
";

const SOCKETS: &str = "
--- test_a.py
import socket, pytest
from pytest_socket import SocketBlockedError, SocketConnectBlockedError
@pytest.fixture
def port():
    import _socket
    server = _socket.socket()
    server.bind(('127.0.0.1', 0))
    server.listen()
    yield server.getsockname()[1]
    server.close()
@pytest.mark.enable_socket
def test_enabled(port):
    socket.create_connection(('127.0.0.1', port)).close()
def test_fixture(socket_enabled, port):
    socket.create_connection(('127.0.0.1', port)).close()
def test_forbidden(port):
    socket.create_connection(('127.0.0.1', port)).close()
    socket.create_connection(('127.0.0.2', port)).close()
@pytest.mark.allow_hosts(['127.0.0.2'])
def test_other_host(port):
    with pytest.raises(SocketConnectBlockedError):
        socket.create_connection(('127.0.0.1', port))
@pytest.mark.disable_socket
def test_disabled():
    with pytest.raises(SocketBlockedError):
        socket.socket()
def test_disabled_by_fixture(socket_disabled):
    socket.socket()
";

const ENVIRONMENT: &str = "
--- pytest.ini
[pytest]
env =
    SHOP_URL=http://shop.test
    D:SHOP_NAME=books
    R:SHOP_RAW={HOME}
    SHOP_HOME={SHOP_URL}/home
env_files =
    shop.env
--- shop.env
SHOP_KEY=from-a-file
--- conftest.py
import os
AT_IMPORT = os.environ.get('SHOP_URL')
--- test_a.py
import os, pytest
from conftest import AT_IMPORT
NAMES = [name for name in ('SHOP_URL', 'SHOP_NAME') if name in os.environ]
@pytest.mark.parametrize('name', NAMES)
def test_collected(name):
    assert os.environ[name]
def test_values():
    assert AT_IMPORT == os.environ['SHOP_URL'] == 'http://shop.test'
    assert os.environ['SHOP_RAW'] == '{HOME}'
    assert os.environ['SHOP_HOME'] == 'http://shop.test/home'
def test_wrong():
    assert os.environ.get('SHOP_KEY') == 'another'
";
