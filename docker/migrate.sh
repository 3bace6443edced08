#!/bin/sh
# What has to be done once before anything else starts: tables, the first administrator, folders.
set -eu
umask 022
cd "$MODELWRIGHT_DATA_DIR"
mkdir -p blobs environments gateway/spool mlflow/artifacts models repositories workloads
# The keeper has a folder of its own: the gateway sees the other one, and must not be able to command the keeper.
mkdir -p -m 700 sockets keeper
# Containers of runs mount it from the host. New files in place of old ones: what runs now keeps the old.
mkdir -p runtime
cp -R --remove-destination /app/platform/runtime/. runtime/
cd /app
python manage.py migrate --noinput --verbosity 1
python manage.py create_admin --username admin --password-file /run/secrets/admin-password
