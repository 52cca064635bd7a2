#!/bin/sh
# Start a Valkey or Redis with the users of redis-users.acl:
#   REDIS_INGEST_PASSWORD=… REDIS_GATEWAY_PASSWORD=… sh start-valkey.sh valkey-server [OPTION …]
# The programs then use REDIS_URL=redis://ingest:…@HOST:6379/0 and redis://gateway:…@HOST:6379/0.
set -eu
folder=$(dirname "$0")
users=$(mktemp)

# The server gets hashes, so that the file contains no password, and any character may occur in one.
hash() {
    printf %s "$1" | sha256sum | cut -c 1-64
}

sed -e '/^#/d' \
    -e "s/>INGEST_PASSWORD/#$(hash "${REDIS_INGEST_PASSWORD:?is not set}")/" \
    -e "s/>GATEWAY_PASSWORD/#$(hash "${REDIS_GATEWAY_PASSWORD:?is not set}")/" \
    "$folder/redis-users.acl" >"$users"
# The entrypoint of the image gives up root before it starts the server.
chmod 644 "$users"
exec "$@" --aclfile "$users"
