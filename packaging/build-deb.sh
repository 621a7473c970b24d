#!/bin/sh
# Builds the Debian package of lxfs from this checkout into the directory $1 (dist), as any user.
# Building needs debhelper, dh-python, and for the documents the .venv of `make setup`, or another
# $PYTHON with a shtab that is newer than Debian 12's, whose completions do not work.
#
# The version is lxfs's own when CHANGELOG.md says that it is released; before that it sorts below
# it and names the commit: 0.1.0~git202611210907.8df8931.
set -eu
cd "$(dirname "$0")/.."
out=${1:-dist}
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
    [ -z "$(git status --porcelain -- lxfs packaging)" ] || commit=$commit.changed
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
tree=$work/lxfs-$version
mkdir "$tree"
cp -r lxfs packaging LICENSE CHANGELOG.md "$tree"
mkdir "$tree/docs"
cp docs/lxfs.md "$tree/docs"
mv "$tree/packaging/debian" "$tree/debian"
PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-.venv/bin/python}" "$tree/packaging/documents.py" lxfs "$tree/build"
find "$tree" -name __pycache__ -prune -exec rm -rf {} +
chmod -R u=rwX,go=rX "$tree" # whatever the umask of who cloned it was

maintainer=$(sed -n 's/^Maintainer: //p' "$tree/debian/control")
{
    echo "lxfs ($version-1) unstable; urgency=medium"
    echo
    # What CHANGELOG.md says of lxfs in its first section.
    awk '/^## / {section++; ours = 0; next}
        section == 1 && sub(/^- lxfs: /, "") {print ""; ours = 1}
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
ls "$out/lxfs_$version-1_all.deb"
