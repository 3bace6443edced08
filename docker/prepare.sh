#!/bin/sh
# Makes what docker-compose.yml needs outside of containers: `.env`, one file for each secret, the data folder.
# Running it again changes nothing that is there.
set -eu
umask 022
cd "$(dirname "$0")/.."
env=${MODELWRIGHT_ENV:-.env}
[ -e "$env" ] || cp .env.example "$env"
set -a
# shellcheck disable=SC1090
. "$(realpath "$env")"
secrets=${MODELWRIGHT_SECRETS:-./docker/secrets}
data=${MODELWRIGHT_DATA:-/var/lib/modelwright}
backups=${MODELWRIGHT_BACKUPS:-/var/backups/modelwright}

# The folder is closed and the files in it are not: containers see only the files, as users that this machine does not
# know.
mkdir -p "$secrets"
chmod 700 "$secrets"
for name in postgres-password database-password mlflow-database-password redis-password secret-key admin-password \
  metrics-token sessions-key; do
  [ -s "$secrets/$name" ] || head -c 32 /dev/urandom | base64 | tr -d '\n=' | tr '+/' '-_' >"$secrets/$name"
  chmod 444 "$secrets/$name"
done
# Only a bucket for blobs needs some (docs/storage.md), and a mail server that asks for a password.
for name in blobs-credentials mail-password; do
  [ -e "$secrets/$name" ] || : >"$secrets/$name"
  chmod 444 "$secrets/$name"
done

folders="$data $data/mlflow $data/gateway $data/sessions $data/sockets $backups"
# shellcheck disable=SC2086 # none of them may hold a space
if ! { mkdir -p $folders && chown 10001:10001 $folders && chmod 700 "$data/sockets" "$backups"; } 2>/dev/null; then
  echo "These folders must belong to user 10001, whom the containers run as. Run this script as root, or:" >&2
  echo "  sudo install -d -o 10001 -g 10001 $folders" >&2
  exit 1
fi

# The keeper's user needs the group that owns the engine's socket.
if ! grep -q '^DOCKER_GID=.' "$env" && [ -S /var/run/docker.sock ]; then
  echo "DOCKER_GID=$(stat -c %g /var/run/docker.sock)" >>"$env"
fi
echo "Ready. Start it with: docker compose up --detach --build --wait"
echo "Then sign in as admin with the password in $secrets/admin-password"
