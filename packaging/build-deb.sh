#!/bin/sh
# Builds the Debian package of $1, lxfs or lxtui, from this checkout into the directory $2 (dist), as
# any user. Building needs debhelper, dh-python, and the .venv of `make setup` (or another $PYTHON): for
# the documents a shtab that is newer than Debian 12's, whose completions do not work; and lxtui's
# libraries in the versions that are in it.
#
# The version is lxfs's own when CHANGELOG.md says that it is released; before that it sorts below
# it and names the commit: 0.1.0~git202611210907.8df8931.
set -eu
cd "$(dirname "$0")/.."
program=$1
out=${2:-dist}
python=${PYTHON:-.venv/bin/python}
mkdir -p "$out"
out=$(cd "$out" && pwd)

for tool in dpkg-buildpackage dh dh_python3; do
    command -v "$tool" >/dev/null || {
        echo "build-deb: $tool is missing: apt install debhelper dh-python" >&2
        exit 1
    }
done

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' lxfs/__init__.py)
if commit=$(git rev-parse --short HEAD 2>/dev/null); then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
    [ -z "$(git status --porcelain -- "$program" packaging)" ] || commit=$commit.changed
else
    commit=unknown
    SOURCE_DATE_EPOCH=$(date -r CHANGELOG.md +%s)
fi
export SOURCE_DATE_EPOCH
if ! grep -q "^## \[$version\]" CHANGELOG.md; then
    version="$version~git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M).$commit"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
tree=$work/$program-$version
mkdir "$tree"
cp -r "$program" packaging LICENSE CHANGELOG.md docs "$tree"
mv "$tree/packaging/debian/$program" "$tree/debian"
PYTHONDONTWRITEBYTECODE=1 "$python" packaging/documents.py "$program" "$tree/build"
if [ "$program" = lxtui ]; then
    "$python" packaging/vendored.py >"$work/requirements"
    # "any" has wheels without compiled parts only, which are right for every Python and processor.
    "$python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
        --only-binary=:all: --platform any --target "$tree/build/lib" -r "$work/requirements"
    "$python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
        --target "$work/own" .
    mv "$work/own/lxtui" "$work"/own/lxtui-*.dist-info "$tree/build/lib"
    rm -rf "$tree/build/lib/bin"
fi
find "$tree" -name __pycache__ -prune -exec rm -rf {} +
chmod -R u=rwX,go=rX "$tree" # whatever the umask of who cloned it was

maintainer=$(sed -n 's/^Maintainer: //p' "$tree/debian/control")
{
    echo "$program ($version-1) unstable; urgency=medium"
    echo
    # What CHANGELOG.md says of the program in its first section.
    awk -v heading="^- $program: " '/^## / {section++; ours = 0; next}
        section == 1 && sub(heading, "") {print ""; ours = 1}
        section == 1 && ours && /^(- |#|$)/ {ours = 0}
        ours {sub(/^ +/, ""); printf "%s ", $0}
        END {print ""}' CHANGELOG.md |
        while read -r entry; do
            [ -z "$entry" ] || echo "$entry" | fold -s -w 72 | sed '1s/^/  * /; 1!s/^/    /; s/ *$//'
        done
    echo
    echo " -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
} >"$tree/debian/changelog"

if ! (cd "$tree" && dpkg-buildpackage --build=binary --no-sign) >"$work/log" 2>&1; then
    tail -n 30 "$work/log" >&2
    echo "build-deb: building failed (above)" >&2
    exit 1
fi
mv "$work"/*.deb "$out"
echo "$out/${program}_$version-1_all.deb"
