#!/bin/sh
# Makes the virtual environment $1 with the project and the groups test, check and docs.
# Installs python3-venv first where it is missing and we may (root on Debian or Ubuntu).
set -eu
venv=$1
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."

usable() { "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! usable; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "bootstrap: installing python3-venv" >&2
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            python3 python3-venv ca-certificates >/dev/null
    fi
    usable || {
        echo "bootstrap: needs Python 3.11 or newer with venv; install python3-venv, or set PYTHON=" >&2
        exit 1
    }
fi

# An environment that was interrupted while it was made has a python and no pip.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || {
    echo "bootstrap: making $venv (about a minute the first time)" >&2
    "$python" -m venv --clear "$venv"
}
# pip reads dependency groups since 25.1; Debian 12's is older.
"$venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
"$venv/bin/python" -m pip install --quiet --editable . --group test --group check --group docs
