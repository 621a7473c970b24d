#!/bin/sh
# Installs what the lab (real LXD and Incus daemons), the machine (QEMU), the Debian package and the
# tests need, as root on Debian 12 or 13 or Ubuntu; elsewhere it says what is missing and leaves the rungs to skip. Exits
# 0 in both cases:
# a machine without LXD can still run most rungs.
#
# Twice is once: when everything is there it asks dpkg one question and ends.
# The machine's own apt sources stay as they are. What is only in the backports suite (on Debian 12
# Incus, and a QEMU that emulates faithfully), apt gets from a private list of sources, derived from
# the machine's own mirror.
# No daemon is started: the lab starts its own, each in its own directory and network namespace.
set -eu

TOOLS="acl attr btrfs-progs busybox-static dnsmasq-base fuse3 htop hwloc-nox iproute2 lxcfs nftables numactl openssl
procps rsync runc squashfs-tools sysstat tmux uidmap"
LXD="lxd lxd-client"
INCUS="incus-base incus-client"
DEB="debhelper dh-python fish man-db zsh"
MACHINE="debootstrap e2fsprogs qemu-system-x86"
[ "${LXTUI_MACHINE:-1}" != 0 ] || MACHINE=
# QEMU 7.2 without KVM corrupts the guest's flags register and panics its kernel; 10.0 does not.
QEMU_LEAST=1:8

say() { echo "test-packages: $*" >&2; }

recent() { # is version $2 of package $1 of any use
    [ "$1" != qemu-system-x86 ] || dpkg --compare-versions "$2" ge "$QEMU_LEAST"
}

missing_of() { # the packages among the arguments that are not installed, one line
    # One question for all of them: dpkg-query lists what it knows and complains about the rest.
    have=$(dpkg-query -W -f '${binary:Package}=${db:Status-Status}=${Version}\n' "$@" 2>/dev/null || true)
    for package; do
        version=$(printf '%s\n' "$have" | sed -n "s/^$package\(:[a-z0-9]*\)\{0,1\}=installed=//p")
        { [ -n "$version" ] && recent "$package" "$version"; } || printf '%s ' "$package"
    done
}

id= codename=
if [ -r /etc/os-release ]; then
    id=$(. /etc/os-release && echo "${ID:-}")
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
fi

if ! command -v dpkg-query >/dev/null || { [ "$id" != debian ] && [ "$id" != ubuntu ]; }; then
    for tool in lxd lxc incus dnsmasq ip fusermount3 busybox rsync; do
        command -v "$tool" >/dev/null || say "not found: $tool"
    done
    say "only Debian and Ubuntu are installed for here; rungs that need what is missing will skip"
    exit 0
fi

case $id in
    # Ubuntu's lxd package fetches a snap, whose daemon starts itself and cannot be one of three.
    ubuntu) wanted="$TOOLS $INCUS $DEB $MACHINE"
        command -v lxd >/dev/null || say "Ubuntu has LXD only as a snap; the lab will do without LXD" ;;
    *) wanted="$TOOLS $LXD $INCUS $DEB $MACHINE" ;;
esac

policy=/usr/sbin/policy-rc.d
mark='# lxtui: until test-packages.sh ends, process'
left=$(sed -n "s/^$mark //p" "$policy" 2>/dev/null || true)
if [ -n "$left" ] && [ "$(id -u)" = 0 ] && ! kill -0 "$left" 2>/dev/null; then
    # A run that was killed has left it, and with it no service would start at its installation.
    rm -f "$policy"
    [ ! -e "$policy.lxtui-saved" ] || mv "$policy.lxtui-saved" "$policy"
fi

# shellcheck disable=SC2086  # a list of words is meant
missing=$(missing_of $wanted)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    say "missing, and only root can install: $missing"
    exit 0
fi

work=$(mktemp -d)
ours= saved=
cleanup() {
    [ -z "$ours" ] || rm -f "$policy"
    [ -z "$saved" ] || mv "$saved" "$policy"
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Packages start their service at installation unless this program forbids it (101).
if ! [ -x "$policy" ]; then
    ours=yes
elif "$policy" lxd start >/dev/null 2>&1 || [ $? != 101 ]; then
    mv "$policy" "$policy.lxtui-saved"
    saved=$policy.lxtui-saved ours=yes
fi
if [ -n "$ours" ]; then
    printf '#!/bin/sh\n%s %s\nexit 101\n' "$mark" "$$" >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt_options=

candidate() { # has apt a version of $1 to offer that is of use
    # shellcheck disable=SC2086  # options are words
    offered=$(apt-cache $apt_options policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(]\)/\1/p')
    [ -n "$offered" ] && recent "$1" "$offered"
}

say "updating apt's lists"
apt-get update -qq || say "apt-get update failed; trying with the lists at hand"

# The suite of backports from the machine's own mirror, seen by these calls only.
need_backports=
for package in $missing; do candidate "$package" || need_backports=yes; done
if [ -n "$need_backports" ] && [ "$id" = debian ] && [ -n "$codename" ]; then
    mkdir -p "$work/parts" "$work/lists/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    signed=
    [ ! -r "$keyring" ] || signed="[signed-by=$keyring] "
    apt-get indextargets --format '$(TARGET_OF) $(SITE) $(CODENAME) $(COMPONENT)' |
        sort -u | while read -r target uri suite component; do
            [ "$target $component" = "deb main" ] || continue
            case $suite in
                "$codename") echo "deb $signed$uri $suite main"
                    echo "deb $signed$uri $codename-backports main" ;;
                "$codename"-updates | "$codename"-security) echo "deb $signed$uri $suite main" ;;
            esac
        done >"$work/sources.list"
    # Backports are taken only where nothing else is, unless a pin says so.
    printf 'Package: src:qemu src:seabios\nPin: release n=%s-backports\nPin-Priority: 990\n' "$codename" \
        >"$work/preferences"
    # What is already downloaded need not be fetched again.
    cp -a /var/lib/apt/lists/*_* "$work/lists/" 2>/dev/null || true
    chown -R _apt: "$work/lists/partial" 2>/dev/null || true
    chmod 755 "$work" "$work/lists"
    apt_options="-o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=$work/parts
        -o Dir::Etc::Preferences=$work/preferences -o Dir::State::lists=$work/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
    say "looking in $codename-backports"
    # shellcheck disable=SC2086  # options are words
    apt-get $apt_options update -qq || say "no $codename-backports on this machine's mirror"
fi

install=
for package in $missing; do
    if candidate "$package"; then
        install="$install $package"
    else
        say "NOT AVAILABLE from this machine's apt: $package (rungs that need it will skip)"
    fi
done

if [ -n "$install" ]; then
    say "installing$install"
    # shellcheck disable=SC2086  # options and packages are words
    if ! apt-get $apt_options install -y -qq --no-install-recommends $install >"$work/log" 2>&1; then
        tail -n 20 "$work/log" >&2
        say "INSTALLATION FAILED (above); one by one:"
        for package in $install; do
            apt-get $apt_options install -y -qq --no-install-recommends "$package" \
                >"$work/log" 2>&1 || say "FAILED: $package: $(tail -n 1 "$work/log")"
        done
    fi
    if [ -d /run/systemd/system ]; then
        say "their services were not started now; systemd will start them at the next boot unless disabled"
    fi
fi
exit 0
