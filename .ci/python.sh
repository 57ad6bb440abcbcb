# Functions for the scripts beside this one: a Python, and virtual environments made once.

# Where cargo puts what it builds; virtual environments go there, too.
target_dir() {
    echo "${CARGO_TARGET_DIR:-$(pwd)/target}"
}

# The newest CPython of 3.10 to 3.14 that is there.
find_python() {
    for version in 3.14 3.13 3.12 3.11 3.10; do
        for candidate in "python$version" "$HOME/.pyenv/versions/$version".*/bin/python python3; do
            found=$("$candidate" -c 'import sys, venv
if sys.implementation.name == "cpython": print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
            if [ "$found" = "$version" ]; then
                command -v "$candidate"
                return
            fi
        done
    done
    echo "no CPython of 3.10 to 3.14 with its venv module was found; install one" >&2
    return 1
}

# make_venv DIRECTORY REQUIREMENT...: nothing is done if it has just these already. Two at once wait
# for each other (by a directory, which is made by one only; a stale one is removed after a while).
make_venv() {
    venv=$1
    shift
    mkdir -p "$(dirname "$venv")"
    waited=0
    until mkdir "$venv.lock" 2>/dev/null; do
        waited=$((waited + 1))
        [ "$waited" -lt 300 ] || rmdir "$venv.lock" 2>/dev/null || true
        sleep 1
    done
    make_venv_alone "$@" || { rmdir "$venv.lock"; return 1; }
    rmdir "$venv.lock"
}

make_venv_alone() {
    if [ "$(cat "$venv/requirements.stamp" 2>/dev/null)" = "$*" ]; then
        return
    fi
    rm -rf "$venv"
    # Joined, since a shell forgets `set -e` in a function that is called in a condition.
    python=$(find_python) &&
        "$python" -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check "$@" &&
        echo "$*" >"$venv/requirements.stamp"
}
