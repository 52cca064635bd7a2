#!/usr/bin/env bash
# Prices in a terminal, with curl and bash: examples/curl.sh [SYMBOL,SYMBOL...]
#
# A stream ends when its gateway stops, so the loop connects again after the time in `retry:`.
# It needs no cursor: the first events of a price stream are the last known prices.
set -u
shopt -s lastpipe # the loop sets a variable that is needed after it
url=${TAPECAST_URL:-http://127.0.0.1:8001}
symbols=${1:-SPY,IBM,BAC,AIG}
seconds=1

while true; do
    event=
    curl --no-buffer --silent --show-error --fail-with-body \
        ${API_TOKEN:+--header "Authorization: Bearer $API_TOKEN"} \
        --get --data-urlencode "symbols=$symbols" "$url/api/stream/prices" |
        while IFS= read -r line || [[ $line ]]; do
            case $line in
            'event: '*) event=${line#event: } ;;
            'retry: '*) seconds=$(((${line#retry: } + 999) / 1000)) ;;
            'data: '*)
                if [[ $event == price && $line =~ \"symbol\":\"([^\"]+)\",.*\"price\":([0-9.]+) ]]; then
                    printf '%-6s %10s\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
                fi
                ;;
            '{"error":'*) printf '%s\n' "$line" >&2 ;; # a rejected request states its reason
            esac
        done
    [[ ${PIPESTATUS[0]} == 22 ]] && exit 1 # rejected: another attempt would be rejected as well
    sleep "$seconds"
done
