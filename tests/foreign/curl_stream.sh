#!/usr/bin/env bash
# curl in a loop, as a shell script would use it: it knows nothing of events, so the loop reads the
# lines, keeps the cursor, and reconnects after the time that the server specified.
#
# usage: curl_stream.sh URL
set -u
shopt -s lastpipe # the loop's variables outlive the pipe
url=$1 cursor='' seconds=1
while true; do
    kind='' id='' data=''
    curl -sSNf "$url${cursor:+&last_event_id=$cursor}" | while IFS= read -r line; do
        case $line in
        'event: '*) kind=${line#event: } ;;
        'id: '*) id=${line#id: } ;;
        'retry: '*) printf -v seconds '%d.%03d' $((${line#retry: } / 1000)) $((${line#retry: } % 1000)) ;;
        'data: '*) data=${line#data: } ;;
        '')
            cursor=${id:-$cursor}
            now=${EPOCHREALTIME/[.,]/}
            printf '{"kind":"%s","id":"%s","data":%s,"at":%d}\n' "$kind" "$id" "$data" $((now / 1000))
            kind='' id='' data=''
            ;;
        esac
    done
    [[ ${PIPESTATUS[0]} == 22 ]] && exit 1 # refused: curl has said so on stderr
    sleep "$seconds"
done
