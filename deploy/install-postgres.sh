#!/bin/sh
# Makes sure that a Postgres server's programs, initdb and postgres, are on this
# machine: for the tests and the demo, which run servers of their own. Finds
# them as deploy/pgserver does, else installs them with the system's package
# manager. It starts no server.
set -eu

found() {
	if [ -n "${FRESHET_PG_BIN:-}" ]; then
		[ -x "$FRESHET_PG_BIN/initdb" ] && [ -x "$FRESHET_PG_BIN/postgres" ]
		return
	fi
	if command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1; then return 0; fi
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* /usr/local/pgsql/bin \
		/opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin; do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then return 0; fi
	done
	return 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		echo "install-postgres: needs root for: $*" >&2
		echo "    run it as root, or install a Postgres server yourself" >&2
		exit 1
	fi
}

# Debian's package would also make a cluster and start it.
with_apt() {
	as_root apt-get update -q
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql-common
	as_root sed -i 's/^#*[[:space:]]*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql
}

if found; then exit 0; fi
if [ -n "${FRESHET_PG_BIN:-}" ]; then
	echo "install-postgres: FRESHET_PG_BIN is $FRESHET_PG_BIN, which has no initdb and postgres" >&2
	exit 1
fi
echo "install-postgres: no Postgres server here: installing one" >&2
if command -v apt-get >/dev/null 2>&1; then
	with_apt
elif command -v dnf >/dev/null 2>&1; then
	as_root dnf install -y -q postgresql-server
elif command -v apk >/dev/null 2>&1; then
	as_root apk add --quiet postgresql
elif command -v pacman >/dev/null 2>&1; then
	as_root pacman -S --noconfirm --needed postgresql
elif command -v brew >/dev/null 2>&1; then
	brew install --quiet postgresql@17
else
	echo "install-postgres: no package manager that it knows (apt-get, dnf, apk, pacman, brew)" >&2
	echo "    install a Postgres server of version 14 or later yourself" >&2
	exit 1
fi
if ! found; then
	echo "install-postgres: installed, but initdb and postgres are nowhere to be found" >&2
	echo "    set FRESHET_PG_BIN to the directory that holds them" >&2
	exit 1
fi
