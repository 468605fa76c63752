#!/usr/bin/env bash
# An operator's first ten minutes, on a fresh Debian under a real systemd: the commands of the guide `operate`, section
# "From nothing to a running server", as they stand there; then an upgrade of an older database, and the end.
#
# ten-minutes.sh PACKAGE.deb    needs root, debootstrap, unshare, nsenter and sqlite3
set -euo pipefail

package=$(realpath "$1")
project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
here=$project/tests/operator
work=$(mktemp -d)
root=$work/root
machine= hook=

cleanup() {
    [[ -z $hook ]] || kill "$hook" 2>/dev/null || true
    # With its first process, all others of the machine end.
    [[ -z $machine ]] || kill -KILL "$machine" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT

die() {
    printf 'FAILED: %s\n' "$*" >&2
    [[ -z $machine ]] || inside journalctl --no-pager -n 30 -u store-monitor >&2 || true
    exit 1
}

within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

inside() { nsenter --target "$machine" --mount --uts --ipc --net --pid --cgroup --root --wd "$@"; }
ask() { inside curl -sS --fail -H "Authorization: Bearer $(cat "$root/srv/boss.token")" "http://127.0.0.1:5000$1"; }

if ! unshare --mount --pid --fork --net --cgroup true 2>/dev/null; then
    echo "SKIPPED: this machine gives no namespaces, so the package is not installed"
    exit 0
fi
timeout 400 debootstrap --variant=minbase --include=systemd,systemd-sysv,curl bookworm "$root" \
    "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/debootstrap.log" 2>&1 ||
    { tail -5 "$work/debootstrap.log"; echo "SKIPPED: there is no fresh Debian"; exit 0; }

unshare --pid --fork --mount --uts --ipc --cgroup --net bash "$here/boot.sh" "$root" >"$work/boot.log" 2>&1 &
started=$!
first() { machine=$(pgrep -P "$started" | head -1) && [[ -n $machine ]]; }
within 10 first || die "no machine: $(cat "$work/boot.log")"
running() { [[ $(inside systemctl is-system-running 2>/dev/null) =~ running|degraded ]]; }
if ! within 60 running; then
    machine=
    echo "SKIPPED: systemd does not start here: $(tail -3 "$work/boot.log")"
    exit 0
fi
inside systemctl --version | head -1

# What the operator has: the package, and polls. The last polls of one store are inactive: an alert.
cp "$package" "$root/srv/store-monitor.deb"
python3 - "$root/srv" <<'END'
import datetime, sys
now = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0)
with open(f"{sys.argv[1]}/polls.csv", "w") as polls:
    polls.write("store_id,timestamp_utc,status\n")
    for hour in range(48, -1, -1):
        at = (now - datetime.timedelta(hours=hour)).strftime("%Y-%m-%d %H:%M:%S UTC")
        polls.write(f"harbor,{at},active\n")
        polls.write(f"station,{at},{'inactive' if hour < 3 else 'active'}\n")
END
nsenter --target "$machine" --net python3 "$here/webhook.py" "$work/alerts" &
hook=$!

# The guide's commands, with the second between two blocks that a person takes, too.
awk '/^## /{inside = $0 == "## From nothing to a running server"} inside' "$project/src/docs/operate.md" |
    awk '/^```/{if (block) print "sleep 1"; block = !block && $0 == "```sh"; next} block' >"$root/srv/guide.sh"
[[ $(wc -l <"$root/srv/guide.sh") -gt 10 ]] || die "the guide has no commands"
inside env DEBIAN_FRONTEND=noninteractive bash -euxc 'cd /srv && . ./guide.sh' >"$work/guide.log" 2>&1 ||
    { tail -30 "$work/guide.log"; die "a command of the guide fails"; }
tail -n 3 "$work/guide.log"

[[ $(inside systemctl is-active store-monitor) == active ]] || die "the server does not run"
[[ $(ask /health) == *'"status":"ok"'* ]] || die "/health: $(ask /health)"
[[ $(ask /api/stores) == *harbor* ]] || die "the polls are not there"
tried() { grep -q '"kind":"test"' "$work/alerts" 2>/dev/null; }
within 30 tried || die "the message of alert test did not come"
alerted() { grep -q '"kind":"alert"' "$work/alerts"; }
within 150 alerted || die "no alert came: $(cat "$work/alerts")"
echo "an alert came: $(grep -o '"subject":"[^"]*"' "$work/alerts" | tail -1)"

# An upgrade: the database of an older version, and the package once more.
inside systemctl stop store-monitor
rm -f "$root"/var/lib/store-monitor/store-monitor.db*
sqlite3 "$root/var/lib/store-monitor/store-monitor.db" <"$project/tests/data/schemas/10.sql"
chown "$(stat -c %u:%g "$root/var/lib/store-monitor")" "$root"/var/lib/store-monitor/store-monitor.db*
inside dpkg -i /srv/store-monitor.deb >/dev/null 2>&1
inside systemctl start store-monitor
inside systemctl --no-pager status store-monitor | head -4
inside env STORE_MONITOR_CONFIG=/etc/store-monitor/config.toml runuser -u store-monitor -- store-monitor check
polls=$(inside env STORE_MONITOR_CONFIG=/etc/store-monitor/config.toml runuser -u store-monitor -- \
    store-monitor export polls | wc -l)
((polls > 1)) || die "the older database has no polls"
echo "a database of schema 10 has $((polls - 1)) polls after the upgrade"

# A hang that systemd notices is tried in tests; here the process is killed, and comes back.
before=$(inside systemctl show -p MainPID --value store-monitor)
inside bash -c "kill -KILL $before"
back() { [[ $(inside systemctl is-active store-monitor) == active &&
    $(inside systemctl show -p MainPID --value store-monitor) != "$before" ]]; }
within 30 back || die "the server does not come back after a kill"

inside dpkg --purge store-monitor >/dev/null 2>&1
for left in /usr/bin/store-monitor /var/lib/store-monitor /etc/store-monitor \
    /etc/systemd/system/multi-user.target.wants/store-monitor.service; do
    [[ ! -e $root$left ]] || die "a purge leaves $left"
done
! inside getent passwd store-monitor >/dev/null || die "a purge leaves the user"
echo "installed, run, upgraded and purged in $SECONDS s"
