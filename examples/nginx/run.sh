#!/usr/bin/env bash
# Two gateways behind nginx on port 8080, beside a `tapecast run` or `make run`, which has the ingest:
#
#   REDIS_URL=redis://127.0.0.1:PORT/0 examples/nginx/run.sh    # with the port that it prints
#   curl -N 'http://127.0.0.1:8080/api/stream/prices?symbols=SPY,IBM'
#
# Needs nginx. NGINX_PORT, GATEWAY_A_PORT and GATEWAY_B_PORT choose other ports than nginx.conf's.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH="$here/../../.venv/bin:$PATH:/usr/sbin"
: "${REDIS_URL:?is not set: make run prints the port of its Valkey}"

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -r "$folder"' EXIT
trap exit INT TERM

sed -e "s/:8080;/:${NGINX_PORT:-8080};/" \
    -e "s/:8011;/:${GATEWAY_A_PORT:-8011};/" \
    -e "s/:8012;/:${GATEWAY_B_PORT:-8012};/" "$here/nginx.conf" >"$folder/nginx.conf"

HOST=127.0.0.1 PORT="${GATEWAY_A_PORT:-8011}" tapecast gateway &
HOST=127.0.0.1 PORT="${GATEWAY_B_PORT:-8012}" tapecast gateway &
nginx -p "$folder" -e stderr -c nginx.conf &
wait -n # one of the three has ended: end the others, too
