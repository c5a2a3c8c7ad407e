#!/bin/sh
# Makes the secrets that compose.yaml reads, in deploy/secrets or the folder named as the first argument. Keeps what is there.
#
# Compose mounts a secret with the modes it has here, and the containers run as users this machine does not know. So the files
# are readable, and the folder, which the containers never see, is not.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

keep() { # name, value
	if [ ! -s "$folder/$1" ]; then printf '%s\n' "$2" >"$folder/$1"; fi
	chmod 644 "$folder/$1"
}

keep postgres_password "$(random)"
keep redis_password "$(random)"
keep database_url "postgresql://dialer:$(cat "$folder/postgres_password")@postgres:5432/dialer"
keep redis_url "redis://:$(cat "$folder/redis_password")@redis:6379/0"
